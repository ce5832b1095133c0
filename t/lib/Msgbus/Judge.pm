package Msgbus::Judge;

# The law, and whether it was kept: takes the records of Msgbus::Law's posters
# and readers one by one, in any order between them, and says what broke it.
#
#     my $judge = Msgbus::Judge->new(channel_of => sub { my ($p, $n) = @_; ... });
#     $judge->take('poster.1', 'stored', $p, $n, $id, $t0, $t1);
#     $judge->take('poller.1', 'answer', $channel, $cursor, $last, ...);
#     $judge->finish;                 # all records were there
#     $judge->{broken}                # { law => [a sentence each] }
#
# A run of hours cannot keep all records.  Its judge forgets what is settled:
#
#     $judge->retire($time, $now);    # events that were acknowledged before
#
# An event is settled when each reader's cursor has passed it.  What comes again
# afterwards breaks the order of a reader's ids, or that of a poster's events.
# A reader of "*" reads all channels.

use strict;
use warnings;

use List::Util qw(max);


our @laws = (
    ended    => 'all posters and pollers came to their end',
    hung     => 'no request hangs',
    order    => 'a reader sees ids that only rise',
    newest   => 'nobody who has seen an id later sees a smaller one appear',
    once     => 'every acknowledged event is seen exactly once by every reader',
    twice    => 'no event is seen twice, under one id or under two',
    same     => 'an event has the id that its poster was told, '
                . 'and the bytes that were posted',
    own      => 'the events of one poster keep its order',
    time     => 'an event that was acknowledged before another was posted '
                . 'has the smaller id',
    late     => 'an acknowledged event is there for the next read',
    ghost    => 'what was refused is not seen',
    gap      => 'no reader is told of a gap when nothing was dropped',
    why      => 'every 503 says why, what is stored, and when to come again',
);


# how long a reader may take to get as far as an event, and how long an event is
# kept in mind that was seen and not acknowledged, seconds

my $patience = 300;
my $unknown = 900;


# channel_of: the channel of an event; may: whether something that looks like a
# breach of a law is none now, for two nodes may serve, or memory was lost;
# breach: is called with each one; settled: is called with each event that is
# forgotten

sub new {
    my ($class, %o) = @_;

    return bless {
        may     => sub { 0 },
        breach  => sub { },
        settled => sub { },
        %o,
        broken  => { map { $_ => [] } @laws[grep { $_ % 2 == 0 } 0 .. $#laws] },
        stored  => {},
        refused => {},
        name    => {},
        before  => {},
        readers => {},
        floor   => [0, 0],
        acknowledged => 0,
        seen    => 0,
    }, $class;
}


sub broken {
    my ($self, $law, $sentence) = @_;

    return if $self->{may}->($law, $self->{now});

    # the first are those that tell something

    push @{ $self->{broken}{$law} }, $sentence
        if @{ $self->{broken}{$law} } < 10_000;
    $self->{breach}->($law, $sentence);

    return;
}


my %take = (
    stored      => \&take_stored,
    refused     => \&take_refused,
    answer      => \&take_answer,
    seen        => \&take_seen,
    late        => sub { $_[0]->broken(late => $_[2]) },
    broken      => sub { $_[0]->broken(ended => "$_[1]: $_[2]") },
    hung        => sub { $_[0]->broken(hung => "$_[1]: $_[2]") },
    unexplained => sub { $_[0]->broken(why => "$_[1]: $_[2]") },
    against     => sub { $_[0]->broken($_[2] => "$_[1]: $_[3]") },
);


sub take {
    my ($self, $who, $what, @v) = @_;

    my $do = $take{$what} or return;

    return $do->($self, $who, @v);
}


sub take_stored {
    my ($self, $who, $p, $n, $id, $t0, $t1) = @_;

    if ($id !~ /^[1-9]\d*$/) {
        $self->broken(same => "$p/$n was stored with the id '$id'");
        return;
    }

    my $before = $self->{before}{$who} // 0;

    if ($id <= $before) {
        $self->broken(own => "$p/$n has id $id, the poster's event before "
                             . "it $before");
    }

    if ($self->{name}{$id}) {
        $self->broken(twice => "id $id was given to $self->{name}{$id} "
                               . "and to $p/$n");
    }

    $self->{before}{$who} = $id;
    $self->{name}{$id} = "$p/$n";
    $self->{stored}{"$p/$n"} = [$p, $n, $id, $t0, $t1];
    $self->{newest} = $t1;
    $self->{acknowledged}++;

    return;
}


sub take_refused {
    my ($self, $who, $p, $n, $why) = @_;

    $self->{refused}{"$p/$n"} = [$why, $self->{now} // 0];

    # the readers may have been faster with what they tell

    for my $name (sort keys %{ $self->{readers} }) {
        if ($self->{readers}{$name}{seen}{"$p/$n"}) {
            $self->broken(ghost => "$name: $p/$n was refused with $why");
        }
    }

    return;
}


sub reader {
    my ($self, $who) = @_;

    return $self->{readers}{$who} //= { seen => {}, last => {}, own => {},
                                        gaps => [], cursor => {}, start => {} };
}


sub take_answer {
    my ($self, $who, $channel, $cursor, $last, $newest, $whole, $gap) = @_;

    my $reader = $self->reader($who);

    $reader->{start}{$channel} //= $cursor;
    $reader->{asked} = $cursor;

    if ($last !~ /^\d+$/) {
        $self->broken(order => "$who: Msgbus-Last-Id of $channel: $last");
        return;
    }

    if ($last < $cursor) {
        $self->broken(order => "$who: the cursor of $channel went back from "
                               . "$cursor to $last");
    }

    if ($whole eq 'whole' && $last < $newest) {
        $self->broken(newest => "$who: $channel ended at $last when $newest "
                                . 'had been seen elsewhere');
    }

    if ($gap eq 'gap') {
        $self->broken(gap => "$who: a gap in $channel from $cursor to $last");
        push @{ $reader->{gaps} }, [$channel, $cursor, $last];
        shift @{ $reader->{gaps} } if @{ $reader->{gaps} } > 10_000;
    }

    $reader->{cursor}{$channel} = max($last, $reader->{cursor}{$channel} // 0);

    return;
}


sub take_seen {
    my ($self, $who, $channel, $id, $p, $n, $same) = @_;

    my $reader = $self->reader($who);
    my $stored = $self->{stored}{"$p/$n"};
    my $before = max($reader->{asked} // 0, $reader->{last}{$channel} // 0);
    my $seen = $reader->{seen}{"$p/$n"};
    my $own = $reader->{own}{"$p $channel"} // 0;

    $self->{seen}++;

    if ($id <= $before) {
        $self->broken(order => "$who: id $id in $channel after $before");
    }

    if ($seen || $n == $own) {
        $self->broken(twice => "$who: $p/$n as "
                               . ($seen ? $seen->[0] : 'an older id')
                               . " and as $id");
    }

    if ($same ne 'same'
        || $channel ne '*' && $channel ne $self->{channel_of}->($p, $n))
    {
        $self->broken(same => "$who: $p/$n in $channel is not what was posted");
    }

    if ($stored && $stored->[2] != $id) {
        $self->broken(same => "$who: $p/$n has id $id, its poster was told "
                              . $stored->[2]);
    }

    if (my $refused = $self->{refused}{"$p/$n"}) {
        $self->broken(ghost => "$who: $p/$n was refused with $refused->[0]");
    }

    if ($n < $own) {
        $self->broken(own => "$who: $p/$n after $p/$own in $channel");
    }

    $reader->{seen}{"$p/$n"} = [$id, $self->{now} // 0];
    $reader->{last}{$channel} = $id;
    $reader->{own}{"$p $channel"} = $n;

    return;
}


# --- at the end, or of a part

# Nobody above may have been answered before one below was sent.

sub judge_times {
    my ($self, @events) = @_;

    my ($first_answer, $answered) = (9e99, '');

    for my $e (sort { $b->[2] <=> $a->[2] || $b->[4] <=> $a->[4] } @events) {
        my ($p, $n, $id, $t0, $t1, $told) = @$e;

        if (!$told && $t0 > $first_answer) {
            $e->[5] = 1;
            $self->broken(time => "$p/$n got id $id although $answered had "
                                  . 'been acknowledged before');
        }

        if ($t1 < $first_answer) {
            ($first_answer, $answered) = ($t1, "$p/$n with id $id");
        }
    }

    return;
}


# Whether a reader has seen an event, or was told that it may have missed it.

sub judge_once {
    my ($self, $who, $reader, $e, $channel) = @_;

    my ($p, $n, $id) = @$e;

    if (my $seen = $reader->{seen}{"$p/$n"}) {
        if ($seen->[0] != $id && !$e->[6]++) {
            $self->broken(same => "$who: $p/$n has id $seen->[0], its poster "
                                  . "was told $id");
        }

        return;
    }

    return if grep { ($_->[0] eq $channel || $_->[0] eq '*')
                     && $_->[1] < $id && $id <= $_->[2] } @{ $reader->{gaps} };

    $self->broken(once => "$who never saw $p/$n in $channel, id $id");

    return;
}


sub finish {
    my ($self, @readers) = @_;

    my @events = values %{ $self->{stored} };

    for my $who (@readers) {
        my $reader = $self->reader($who);

        for my $e (@events) {
            # what differs was found when it came
            next if $reader->{seen}{"$e->[0]/$e->[1]"};
            $self->judge_once($who, $reader, $e,
                              $self->{channel_of}->(@$e[0, 1]));
        }
    }

    $self->judge_times(@events);

    return;
}


# Settles what was acknowledged before a time; returns how much of it is left,
# which some reader has not got as far as yet.  No request may be under way that
# was sent before $time and is answered later, but a retried one.

sub retire {
    my ($self, $time, $now) = @_;

    my ($stored, $readers) = @$self{qw(stored readers)};
    my ($floor, $since) = @{ $self->{floor} };
    my $left = 0;

    $self->judge_times(values %$stored);

    for my $e (sort { $a->[2] <=> $b->[2] }
               grep { $_->[4] < $time } values %$stored)
    {
        my ($p, $n, $id, $t0, $t1) = @$e;
        my $channel = $self->{channel_of}->($p, $n);
        my (@due, @behind);

        if ($id < $floor && $t0 > $since && !$e->[5]++) {
            $self->broken(time => "$p/$n got id $id although $floor had been "
                                  . 'acknowledged before');
        }

        for my $who (keys %$readers) {
            my $reader = $readers->{$who};
            my $at = defined $reader->{start}{'*'} ? '*' : $channel;
            my $start = $reader->{start}{$at};

            next if !defined $start || $id <= $start;

            push @due, $who;
            push @behind, $who if $reader->{cursor}{$at} < $id;
        }

        if (@behind && $now - $t1 < $patience) {
            $left++;
            next;
        }

        $self->judge_once($_, $readers->{$_}, $e, $channel) for sort @due;

        delete $_->{seen}{"$p/$n"} for values %$readers;
        delete $stored->{"$p/$n"};
        delete $self->{name}{$id};

        $self->{floor} = [$id, $time] if $id > $self->{floor}[0];
        $self->{settled}->($channel, $id, $t1);
    }

    $self->forget($now - $unknown);

    return $left;
}


# What was refused, or seen and never acknowledged, long ago.

sub forget {
    my ($self, $before) = @_;

    my $refused = $self->{refused};

    delete @$refused{grep { $refused->{$_}[1] < $before } keys %$refused};

    for my $seen (map { $_->{seen} } values %{ $self->{readers} }) {
        delete @$seen{grep { $seen->{$_}[1] < $before } keys %$seen};
    }

    return;
}


1;
