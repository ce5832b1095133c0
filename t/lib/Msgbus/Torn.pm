package Msgbus::Torn;

# A worker that dies, or stands still, in the middle of a change of the log, with
# the zone's lock in its hands: t/unit/torn.c.
#
#     my $torn = Msgbus::Torn->new($nginx)->start;
#     $torn->works                   false: it can not be preloaded here
#     $torn->dies;                   who appends the next event
#     $torn->stands(0.2);            likewise, for so many seconds
#     $torn->done                    it has happened

use strict;
use warnings;

use Msgbus::Clocks;


our @ISA = ('Msgbus::Clocks');


sub program { return 'torn' }


sub start {
    my ($self) = @_;

    ($ENV{TORN_MODULE}) = grep { /msgbus/ } Msgbus::Nginx::modules();

    return $self->SUPER::start;
}


# a module that is built into nginx calls its functions by no name

sub works {
    my ($self) = @_;

    return defined $ENV{TORN_MODULE} && $self->SUPER::works;
}


sub dies { return $_[0]->put(0, -1) }

sub stands { return $_[0]->put(0, $_[1] * 1000) }


sub done {
    my ($self) = @_;

    return Msgbus::Nginx::slurp($self->{file}) !~ /[^\0]/;
}


1;
