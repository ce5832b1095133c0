package Msgbus::Child;

# A process beside the test that ends with it, whatever happens: what is the
# same for a memcached and a proxy.  A class of its own begins with
#
#     our @ISA = ('Msgbus::Child');
#     my $self = $class->adopt(%fields);
#
# and puts the process into $self->{pid}.

use strict;
use warnings;


my $owner = $$;
my @running;


sub adopt {
    my ($class, %o) = @_;

    my $self = bless { %o }, $class;

    push @running, $self;

    return $self;
}


# how it is told to end

sub last_signal { return 'TERM' }


sub stop {
    my ($self) = @_;

    my $pid = delete $self->{pid} or return;

    kill $self->last_signal => $pid;
    waitpid $pid, 0;

    return;
}


END {
    my $status = $?;

    if ($$ == $owner) {
        $_->stop for @running;
    }

    $? = $status;
}


1;
