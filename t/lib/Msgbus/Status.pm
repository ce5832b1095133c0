package Msgbus::Status;

# What msgbus_status says, at /status, of a zone.
#
#     my $status = Msgbus::Status->new(nginx => $nginx, zone => 'bus');
#
#     $status->counts('an event', sub { ... }, 'published.events' => 1);
#
# All counters of requests are looked at: those that are not named must not
# change.  A value may be a function that is called when it has happened.

use strict;
use warnings;

use Test::More;


# what a request can change
our @COUNTERS = qw( published refused reads delivered readers_total );


sub new {
    my ($class, %o) = @_;

    return bless { zone => 'bus', %o }, $class;
}


# of this moment, from whichever worker answers

sub all {
    my ($self) = @_;

    return $self->{nginx}->client->get('/status?format=json')->json;
}

sub now {
    my ($self) = @_;

    return $self->all->{zones}{ $self->{zone} };
}


# "published.events" => 3, ...

sub counters {
    my ($self) = @_;

    my $now = $self->now;
    my %flat = (gaps => $now->{gaps});

    for my $group (@COUNTERS) {
        $flat{"$group.$_"} = $now->{$group}{$_} for keys %{ $now->{$group} };
    }

    return \%flat;
}


sub counts {
    my ($self, $what, $happens, %more) = @_;

    my $before = $self->counters;

    $happens->();

    my %expected = (%$before,
                    map { $_ => $before->{$_} + (ref $more{$_} ? $more{$_}->()
                                                               : $more{$_}) }
                    keys %more);

    # a 304 is counted when it has gone out already

    my $after;

    eval {
        $self->{nginx}->until(2, 'it counts', sub {
            $after = $self->counters;
            return !grep { $after->{$_} != $expected{$_} } keys %expected;
        });
    };

    is_deeply($after, \%expected, "$what counts");

    return;
}


1;
