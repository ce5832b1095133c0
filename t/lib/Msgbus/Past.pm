package Msgbus::Past;

# Readers of history: processes that read all there is from a cursor on, by
# pages, long-polls or streams, while others post; and whether each has got each
# event once, in order.
#
#     my $past = Msgbus::Past->new(to => [$address], dir => $nginx->{dir});
#     $past->reader(form => 'sse', uri => '/a?events=all', from => 0,
#                   covers => sub { $_[0] =~ m{^/a(/|\z)} });
#     $past->post(4, sub { my ($p, $n) = @_; return ($channel, $data) });
#     ...                            # what shall do no harm
#     $past->end;                    # posters, and then readers
#     $past->kept([[$id, $channel], ...]);      # tests, one for each reader
#
# What there is in the end the test knows: from a dump, or from the database.

use strict;
use warnings;

use POSIX ();
use Test::More ();
use Time::HiRes qw(sleep);

use Msgbus::Client;
use Msgbus::Stream;


my $owner = $$;
my %children;


sub new {
    my ($class, %o) = @_;

    return bless { readers => [], posters => [], %o }, $class;
}


sub now { return Msgbus::Client::now() }


# form: page, wait, sse or ndjson; uri, from: its cursor; covers: is an event of
# a channel for it?

sub reader {
    my ($self, %reader) = @_;

    my $n = @{ $self->{readers} };
    my $reader = { n => $n, file => "$self->{dir}/reader.$n", %reader };

    $reader->{pid} = $self->child($reader->{file}, sub {
        my ($out) = @_;

        return $reader->{form} =~ /page|wait/ ? $self->pages($reader, $out)
                                              : $self->stream($reader, $out);
    });

    push @{ $self->{readers} }, $reader;

    return;
}


sub child {
    my ($self, $file, $do) = @_;

    my $pid = fork // die "fork: $!\n";

    if ($pid) {
        $children{$pid} = 1;
        return $pid;
    }

    $SIG{$_} = 'DEFAULT' for qw(ALRM INT TERM HUP);
    $SIG{PIPE} = 'IGNORE';

    open my $out, '>', $file or POSIX::_exit(1);

    my $ok = eval { $do->($out); 1 };

    print $out "died: $@" if !$ok;
    close $out;
    POSIX::_exit($ok ? 0 : 1);
}


# up to which id there is something; undef: more may come

sub final {
    my ($self) = @_;

    die "the test has ended\n" if getppid() != $owner;

    open my $in, '<', "$self->{dir}/final" or return undef;

    return scalar(<$in>) + 0;
}


sub address { my ($self, $n) = @_; return $self->{to}[$n % @{ $self->{to} }] }


sub pages {
    my ($self, $reader, $out) = @_;

    my $cursor = $reader->{from};
    my $client = Msgbus::Client->new(to => $self->address($reader->{n}),
                                     agent => 'reader/1.0');
    my $wait = $reader->{form} eq 'wait' ? '&wait=2' : '';
    my $sep = $reader->{uri} =~ /\?/ ? '&' : '?';

    for ( ;; ) {
        my $final = $self->final;

        return if defined $final && $cursor >= $final;

        my $r = $client->get("$reader->{uri}${sep}last-known-id=$cursor$wait");

        if ($r->status != 200 && $r->status != 204) {
            print $out "refused: ", $r->status || $r->error, "\n";
            sleep 0.1;
            next;
        }

        print $out "gap after $cursor\n" if $r->gap;

        for my $id ($r->body =~ /\{"id":(\d+),"user_agent"/g) {
            print $out "$id\n";
        }

        $cursor = $r->last_id;
        sleep 0.05 if $r->status == 204;
    }
}


sub stream {
    my ($self, $reader, $out) = @_;

    my $stream = Msgbus::Stream->new(
        to => $self->address($reader->{n}), uri => $reader->{uri}, follow => 1,
        sse => $reader->{form} eq 'sse', cursor => $reader->{from});

    my $done = sub {
        for my $event (splice @{ $stream->{events} }) {

            if ($event->{event}) {
                print $out "gap at $event->{block}" =~ s/\n(?=.)/ /gr;

            } elsif (defined $event->{data}) {
                print $out "$event->{id}\n";
            }
        }

        my $final = $self->final;

        return defined $final && $stream->{cursor} >= $final;
    };

    1 while !Msgbus::Stream->read_until(60, $done, $stream);

    print $out "opened: $stream->{opened}\n";

    return;
}


# n processes that post, each an event about each so many seconds

sub post {
    my ($self, $n, $event, $pause) = @_;

    for my $p (1 .. $n) {
        push @{ $self->{posters} },
             $self->child("$self->{dir}/poster.$p", sub {
            my ($out) = @_;

            my $client = Msgbus::Client->new(to => $self->address($p),
                                             agent => "poster/1.0 uuid/$p");

            for (my $i = 1;
                 !-e "$self->{dir}/stop" && getppid() == $owner;
                 $i++)
            {
                my ($channel, $data) = $event->($p, $i);
                my $r = $client->post($channel, $data);

                print $out $r->status == 201 ? $r->id : 'failed', "\n";
                sleep($pause // 0.01);
            }
        });
    }

    return;
}


# Posters end, then readers, when they have got as far as there is anything.

sub end {
    my ($self) = @_;

    open my $stop, '>', "$self->{dir}/stop";
    close $stop;

    for my $pid (@{ $self->{posters} }) {
        waitpid $pid, 0;
        delete $children{$pid};
    }

    my $client = Msgbus::Client->new(to => $self->{to}[0], agent => 'end/1.0');
    my $id;

    for (1 .. 100) {
        $id = $client->get('/end?last-known-id=latest')->last_id;
        last if $id;
        sleep 0.1;
    }

    open my $final, '>', "$self->{dir}/final.new";
    print $final "$id\n";
    close $final;
    rename "$self->{dir}/final.new", "$self->{dir}/final";

    # pings do not come for those who wait for nothing

    my $until = now() + ($self->{patience} // 30);
    my %left = map { $_->{pid} => $_ } @{ $self->{readers} };

    while (%left && now() < $until) {
        my $pid = waitpid -1, POSIX::WNOHANG();

        delete $left{$pid} if $pid > 0;
        delete $children{$pid} if $pid > 0;
        sleep 0.02 if $pid <= 0;
    }

    for my $pid (keys %left) {
        kill KILL => $pid;
        waitpid $pid, 0;
        delete $children{$pid};
        $left{$pid}{late} = 1;
    }

    return $id;
}


# A test for each reader, against all events, in order, each an id and a channel.

sub kept {
    my ($self, $all) = @_;

    my $shown = 0;

    for my $reader (@{ $self->{readers} }) {
        my @due = map { $_->[0] }
                  grep { $_->[0] > $reader->{from}
                         && $reader->{covers}->($_->[1]) } @$all;

        my (@got, @said);

        open my $in, '<', $reader->{file} or die "$reader->{file}: $!\n";

        while (my $line = <$in>) {
            chomp $line;
            push @{ $line =~ /^\d+\z/ ? \@got : \@said }, $line;
        }

        my @wrong = grep { /^(?:gap|died)/ } @said;
        my $title = "$reader->{form} of $reader->{uri} from "
                    . ($reader->{from} ? 'any' : 0);

        push @wrong, 'it did not come to the end' if $reader->{late};
        push @wrong, first_difference(\@got, \@due) if "@got" ne "@due";

        $shown += @got;
        Test::More::ok(!@wrong, "$title: each of " . @due . ' events once')
            || Test::More::diag(join "\n", @wrong[0 .. ($#wrong < 5 ? $#wrong
                                                                    : 5)],
                                @said[0 .. ($#said < 3 ? $#said : 3)]);
    }

    return $shown;
}


sub first_difference {
    my ($got, $due) = @_;

    my $i = 0;

    $i++ while $i < @$got && $i < @$due && $got->[$i] == $due->[$i];

    return 'it got ' . @$got . ' of ' . @$due . ', at ' . $i . ': '
           . join(' ', map { $_ // 'none' } @$got[$i .. $i + 3])
           . ' in place of '
           . join(' ', map { $_ // 'none' } @$due[$i .. $i + 3]);
}


# a test that dies leaves nobody behind

END {
    if ($$ == $owner && %children) {
        my $status = $?;

        kill KILL => keys %children;
        waitpid $_, 0 for keys %children;
        $? = $status;
    }
}


1;
