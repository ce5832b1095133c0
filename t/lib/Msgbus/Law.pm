package Msgbus::Law;

# What the bus promises to those who post and read at the same time, and
# whether it kept it.
#
# Posters and pollers are processes with a connection each.  A poster writes
# down what became of each of its events; a poller follows all the channels,
# each with the cursor that the last answer named, and writes down what it saw.
# Afterwards judge() reads their records.  An event is known by its poster p
# and its number n: its channel and its bytes follow from them.
#
#     my $law = Msgbus::Law->new(nginx => $nginx, posters => 8, pollers => 3);
#     $law->begin;
#     ...                            # what shall do no harm
#     $law->end;
#     $law->kept;                    # tests, one for each law
#
# A poster does not post an event again when the connection was lost without an
# answer, or when a 503 says that it may have been stored: it may be seen, at
# most once.
#
# Several nodes on one database are several addresses; readers who hop go from
# one to the next with each round.  "Foreign" posters write into the database
# themselves, as RSE does.

use strict;
use warnings;

use List::Util qw(max min sum);
use POSIX qw(WNOHANG);
use Test::More ();
use Time::HiRes qw(sleep);

use Msgbus::Client;
use Msgbus::Judge;
use Msgbus::Nginx;


my $owner = $$;
my %children;


sub now { return Msgbus::Client::now() }


# posters, pollers; channels: how many, below prefix; rate: posts a second of
# each poster; batch: how many it sends in one go; lag: seconds that a poller
# waits between two rounds; to: addresses, which the processes take in turn;
# noise: processes that post as fast as they can what nobody follows, and how
# many events each (noise_events); hoppers: how many of the pollers hop;
# foreign: how many of the posters are foreign ones, in the database mongodb,
# foreign_rate: their rate; settle: a function that is called between the end of
# the posters and that of the pollers, with the newest id that was told

sub new {
    my ($class, %o) = @_;

    my $self = bless { posters => 8, pollers => 3, channels => 16,
                       prefix => '/load', rate => 1000, batch => 1,
                       lag => 0, noise => 0, noise_events => 1e9,
                       hoppers => 0, foreign => 0, foreign_rate => 20,
                       %o }, $class;

    $self->{to} //= ["127.0.0.1:$self->{nginx}{port}"];
    $self->{dir} //= $self->{nginx}{dir};

    return $self;
}


sub channel_of {
    my ($self, $p, $n) = @_;

    return "$self->{prefix}/c" . ($p * 7 + $n * $n) % $self->{channels};
}


# What an event looks like.  Sizes vary, some are larger than the buffer of a
# request's body; the white space is odd, since it must come back as it was.

my $text = join '', map { chr(33 + $_ * 7 % 90) } 0 .. 25_000;
$text =~ tr/"\\//d;

sub payload {
    my ($p, $n) = @_;

    my $length = $n % 101 == 100 ? 20_000 : $n * 37 % 211;

    return qq({"p":$p,"n":$n ,\t"s": "\\u00e9\xc3\xa9\\n)
           . substr($text, $n % 1000, $length) . qq(",\r\n"l":[ -0.5e+1,{}]});
}


# --- running

sub begin {
    my ($self) = @_;

    local $SIG{USR1} = sub { $self->{told} = 1 };

    # who begins at 0 is not told of a gap: they begin at what is newest now

    my $r = Msgbus::Client->new(to => $self->{to}[0])
                          ->get("$self->{prefix}?echo=true");

    $self->{from} = $r->last_id // die 'no cursor to begin with: '
                                       . "$r->{head}$r->{error}\n";
    $self->{began} = now();

    $self->{reading} = [map { $self->child("poller.$_", \&poll, $_) }
                        1 .. $self->{pollers}];
    $self->{posting} = [map {
        $self->child("poster.$_", $_ > $self->{foreign} ? \&publish
                                                        : \&insert, $_)
    } 1 .. $self->{posters}];

    push @{ $self->{posting} }, map { $self->child("noise.$_", \&noise, $_) }
                                1 .. $self->{noise};
    return $self;
}


# So many events a poster were acknowledged, however slow the machine is;
# gives up where nobody posts any more, or it takes too long.

sub wait_for_stored {
    my ($self, $n, $within) = @_;

    my $until = now() + ($within // 30) * $Msgbus::Nginx::PATIENCE;

    until ($self->{ended} || now() > $until) {
        my $stored = sum(map { $_->[1] } $self->stored);

        return 1 if $stored >= $n * $self->{posters};

        sleep 0.1;
    }

    return 0;
}


# [p, how many of its events were acknowledged so far] of each poster.

sub stored {
    my ($self) = @_;

    my %records = $self->records('poster');

    return map {
        [$_, scalar grep { $_->[0] eq 'stored' } @{ $records{"poster.$_"} }]
    } 1 .. $self->{posters};
}


# Posters are told to finish the request in hand.

sub rest {
    my ($self) = @_;

    $self->{ended} = 1;
    kill USR1 => @{ $self->{posting} };

    return;
}


# Then pollers read what is left.

sub end {
    my ($self) = @_;

    # enough to judge by

    $self->wait_for_stored(100);

    $self->{lasted} = now() - $self->{began};

    for my $what (qw(posting reading)) {
        my $pids = $self->{$what};

        kill USR1 => @$pids;
        $self->wait_for($_) for @$pids;

        if ($what eq 'posting' && $self->{settle}) {
            my %records = $self->records('poster');

            $self->{settle}->(max(0, map { $_->[3] }
                                     grep { $_->[0] eq 'stored' }
                                     map { @$_ } values %records));
        }
    }

    return $self;
}


sub child {
    my ($self, $name, $what, $number) = @_;

    my $parent = $$;

    # there from the start: who reads it may be faster than the child

    open my $out, '>', "$self->{dir}/$name" or die "$self->{dir}/$name: $!\n";

    my $pid = fork // die "cannot fork: $!\n";

    if ($pid) {
        $children{$pid} = $name;
        return $pid;
    }

    $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP ALRM);

    # a poster's progress is looked at while it posts
    $out->autoflush if $name =~ /^poster/;

    my $tell = sub { print $out join("\t", @_), "\n" };

    # an orphan goes home
    my $is_over = sub {
        POSIX::_exit(1) if getppid() != $parent;
        return $self->{told};
    };

    eval { $what->($self, $number, $tell, $is_over); 1 }
        or $tell->('broken', $@ =~ s/\s+/ /gr);

    $tell->('end');

    close $out;
    POSIX::_exit(0);
}


sub wait_for {
    my ($self, $pid) = @_;

    my $until = now() + 60 * $Msgbus::Nginx::PATIENCE;

    while (waitpid($pid, WNOHANG) == 0) {
        if (now() > $until) {
            kill KILL => $pid;
            waitpid $pid, 0;
            last;
        }

        sleep 0.01;
    }

    delete $children{$pid};

    return;
}


END {
    kill KILL => keys %children if $$ == $owner && %children;
}


# --- a poster

sub publish {
    my ($self, $p, $tell, $is_over) = @_;

    my $to = $self->{to}[$p % @{ $self->{to} }];
    my $client = Msgbus::Client->new(to => $to,
                                     agent => "poster/1.0 uuid/poster-$p");
    my $reader = Msgbus::Client->new(to => $to);

    my $began = now();
    my $next = 1;

    while (!$is_over->()) {
        my @batch = $next .. $next + $self->{batch} - 1;

        $next += @batch;

        my $t0 = now();
        my @answers = $client->pipeline(map {
            [POST => $self->channel_of($p, $_), payload($p, $_)]
        } @batch);
        my $t1 = now();

        for my $n (@batch) {
            # the first failure is that of all that come after it
            my $r = @answers > 1 ? shift @answers : $answers[0];

            $self->note($p, $n, $r, $t0, $t1, $tell);

            if ($r->status == 201 && $n % 50 == 0) {
                $self->read_back($reader, $self->channel_of($p, $n), $p, $n,
                                 $r->id, $tell);
            }
        }

        my $early = $began + $next / $self->{rate} - now();
        sleep $early if $early > 0;
    }

    return;
}


sub note {
    my ($self, $p, $n, $r, $t0, $t1, $tell) = @_;

    if ($r->status == 201) {
        $tell->('stored', $p, $n, $r->id // 'none', $t0, $t1);

    } elsif ($r->status == 503) {
        my $message = eval { $r->json->{message} } // '';
        my $stored = $r->header('Msgbus-Stored') // '';
        my $again = ($r->header('Retry-After') // '') =~ /^[1-9]\d*$/;
        my $maybe = $message =~ /may have been stored/;

        $tell->($maybe ? ('unknown', $p, $n, 'maybe')
                       : ('refused', $p, $n, 503), $t0, $t1);

        if ($message eq ''
            || $stored ne ($maybe ? 'unknown' : 'none')
            || !!$again == !!$maybe)
        {
            $tell->('unexplained', "$p/$n: $r->{head}$r->{body}");
        }

        sleep 0.05;

    } elsif ($r->status) {
        $tell->('refused', $p, $n, $r->status);

    } elsif ($r->failure eq 'refused') {
        $tell->('refused', $p, $n, $r->error);
        sleep 0.05;

    } else {
        $tell->('unknown', $p, $n, $r->failure);
        $tell->('hung', $r->error) if $r->failure eq 'timeout';
        $tell->('broken', $r->error) if $r->failure eq 'garbage';
    }

    return;
}


# A poster who does not know of the bus, only of its database.  What befalls
# that is not told of by an answer: it may have been stored.

sub insert {
    my ($self, $p, $tell, $is_over) = @_;

    my $mongodb = $self->{mongodb}->for_child;
    my $n = 0;

    while (!$is_over->()) {
        $n++;

        my $t0 = now();
        my $answer = eval {
            $mongodb->ask(rse_insert => {
                channel => $self->channel_of($p, $n),
                data => payload($p, $n) =~ s/\xc3\xa9/\x{e9}/gr,
                user_agent => "foreign/1.0 uuid/poster-$p",
                uuid => "poster-$p",
            });
        };
        my $t1 = now();

        if ($answer) {
            $tell->('stored', $p, $n, $answer->[0], $t0, $t1);
            $tell->('again', $answer->[1] - 1) if $answer->[1] > 1;

        } else {
            $tell->('unknown', $p, $n, $@ =~ s/\s+/ /gr);
        }

        sleep 1 / $self->{foreign_rate};
    }

    $mongodb->leave;

    return;
}


# What has been acknowledged is there for everybody, at once.

sub read_back {
    my ($self, $reader, $channel, $p, $n, $id, $tell) = @_;

    my $r = $reader->get("$channel?echo=true&max-events=1&last-known-id="
                         . ($id - 1));

    if ($r->failure) {
        $tell->('hung', $r->error) if $r->failure eq 'timeout';
        return;
    }

    return if $r->gap;

    my $e = $r->events->[0];

    if (!$e || $e->{id} != $id || $e->{data} ne payload($p, $n)) {
        $tell->('late', "event $id was acknowledged, but a read after "
                        . ($id - 1) . ' found '
                        . ($e ? "$e->{id}" : 'nothing'));
    }

    return;
}


# --- noise

sub noise {
    my ($self, $number, $tell, $is_over) = @_;

    my $client = Msgbus::Client->new(to => $self->{to}[0]);
    my $many = 100;
    my $bytes = $client->format(POST => "$self->{prefix}/noise", '[1]')
                x $many;

    for (my $n = 0; $n < $self->{noise_events} && !$is_over->(); $n += $many) {

        $client->send($bytes) and $client->close;

        my $until = now() + $client->{timeout};
        my $answers = 0;

        while ($client->{sock} && $answers < $many) {
            $client->more($until) and $client->close;

            # answers are of a kind: those that are whole go
            $answers += $client->{in} =~ s/\GHTTP.*?\r\n\r\n//sg;
        }
    }

    return;
}


# --- a poller

sub poll {
    my ($self, $number, $tell, $is_over) = @_;

    my $at = $number;
    my @clients = map { Msgbus::Client->new(to => $_) } @{ $self->{to} };

    my @channels = map { "$self->{prefix}/c$_" } 0 .. $self->{channels} - 1;
    my %cursor = map { $_ => $self->{from} } @channels;
    my $turn = 0;

    # of each node: another one may be behind for a moment
    my @newest = (0) x @clients;

    for ( ;; ) {
        my $over = $is_over->();
        my $quiet = 1;

        $at++ if $number <= $self->{hoppers};
        $at %= @clients;

        my $client = $clients[$at];

        for my $channel (@channels) {
            my $max = $turn++ % 5 ? 200 : 3;
            my $cursor = $cursor{$channel};

            my $r = $client->get("$channel?echo=true&max-events=$max"
                                 . "&last-known-id=$cursor");

            if ($r->failure) {
                $tell->('hung', $r->error) if $r->failure eq 'timeout';
                $tell->('broken', $r->error) if $r->failure eq 'garbage';
                $quiet = 0;
                sleep 0.01;
                next;
            }

            if ($r->status == 503) {

                # it has not begun yet
                $quiet = 0;
                sleep 0.05;
                next;
            }

            my $events = $r->events;
            my $last = $r->last_id // 'none';

            $tell->('answer', $channel, $cursor, $last, $newest[$at],
                    @$events < $max ? 'whole' : 'cut',
                    $r->gap ? 'gap' : 'ok');

            for my $e (@$events) {
                my ($p, $n) = $e->{data} =~ /^\{"p":(\d+),"n":(\d+)/;

                $p //= 0;
                $n //= 0;

                $tell->('seen', $channel, $e->{id}, $p, $n,
                        $e->{data} eq payload($p, $n) ? 'same' : 'other');

                $newest[$at] = $e->{id} if $e->{id} > $newest[$at];
            }

            $quiet = 0 if @$events;
            $cursor{$channel} = $last;
        }

        last if $over && $quiet;

        sleep($over ? 0 : $self->{lag} || $quiet * 0.01);
    }

    return;
}


# --- the judgement

# { law => [what broke it, a sentence each] } from the records of all.

sub judge {
    my ($self, %records) = @_;

    my $judge = Msgbus::Judge->new(channel_of => sub {
        return $self->channel_of(@_);
    });

    # posters first: so what readers saw can be compared at once

    my @who = ((sort grep { /poster/ } keys %records),
               (sort grep { !/poster/ } keys %records));

    for my $who (@who) {
        my $list = $records{$who};

        if (!@$list || $list->[-1][0] ne 'end') {
            $judge->broken(ended => "$who did not end in time");
        }

        $judge->take($who, @$_) for @$list;
    }

    $judge->finish(grep { /poller/ } @who);
    $self->{stored} = keys %{ $judge->{stored} };

    return $judge->{broken};
}


# of all, or of those whose name has this in it

sub records {
    my ($self, $of) = @_;

    my %records;

    for my $who (grep { !defined $of || /$of/ }
                 (map { "poster.$_" } 1 .. $self->{posters}),
                 (map { "poller.$_" } 1 .. $self->{pollers}))
    {
        open my $in, '<', "$self->{dir}/$who" or die "$self->{dir}/$who: $!\n";
        $records{$who} = [map { chomp; [split /\t/] } <$in>];
    }

    return %records;
}


# Of the events that were acknowledged: [p, n, id, t0, t1], by t1.

sub acknowledged {
    my ($self) = @_;

    my %records = $self->records('poster');

    return sort { $a->[4] <=> $b->[4] }
           map { [@$_[1 .. 5]] } grep { $_->[0] eq 'stored' }
           map { @$_ } values %records;
}


# How long after this moment the next event was acknowledged, whenever it was
# posted.

sub first_after {
    my ($self, $moment) = @_;

    for ($self->acknowledged) {
        return $_->[4] - $moment if $_->[4] > $moment;
    }

    return 9e99;
}


# A test: after most of these moments events were acknowledged again within so
# many seconds.  What else runs on the machine may hold it up, but not as long as
# a driver rests that has met an error, which is 5 s.

sub is_back {
    my ($self, $seconds, $title, @moments) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my @took = sort { $a <=> $b } map { $self->first_after($_) } @moments;
    my $limit = $seconds * $Msgbus::Nginx::PATIENCE;
    my $fine = $took[-1] < 2 * $limit;

    $fine &&= $took[@took / 2] < $limit if @took > 2;

    Test::More::diag(join ' ', 'events were acknowledged again after',
                               map { sprintf '%.2f s', $_ } @took);

    return Test::More::ok($fine, $title);
}


# The longest time in which none was.

sub longest_pause {
    my ($self, $from, $to) = @_;

    my ($before, $pause) = ($from, 0);

    for my $t ((grep { $_ > $from && $_ < $to }
                map { $_->[4] } $self->acknowledged), $to)
    {
        $pause = max($pause, $t - $before);
        $before = $t;
    }

    return $pause;
}


# Tests.  Laws named in @but are not tested.

sub kept {
    my ($self, @but) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my %records = $self->records;
    my $broken = $self->judge(%records);
    my @unknown = grep { $_->[0] eq 'unknown' } map { @$_ } values %records;
    my @maybe = grep { $_->[3] eq 'maybe' } @unknown;
    my @lost = grep { $_->[3] ne 'maybe' } @unknown;
    my @refused = grep { $_->[0] eq 'refused' } map { @$_ } values %records;

    Test::More::diag(sprintf '%d events were acknowledged in %.1f s, %d '
                             . 'refused, %d lost their connection%s',
                     $self->{stored}, $self->{lasted}, scalar @refused,
                     scalar @lost,
                     @maybe ? ', ' . @maybe . ' may have been stored' : '');

    $self->{lost} = @lost;
    $self->{maybe} = @maybe;
    $self->{refused} = \@refused;
    $self->{broken} = $broken;

    Test::More::cmp_ok($self->{stored}, '>=', 100 * $self->{posters},
                       'the posters got on with it');

    for (my $i = 0; $i < @Msgbus::Judge::laws; $i += 2) {
        my ($law, $title) = @Msgbus::Judge::laws[$i, $i + 1];
        my @cases = @{ $broken->{$law} };

        next if grep { $_ eq $law } @but;

        Test::More::ok(!@cases, $title)
            || Test::More::diag(join "\n", scalar(@cases) . ' cases:',
                                @cases[0 .. min(9, $#cases)]);
    }

    return;
}


1;
