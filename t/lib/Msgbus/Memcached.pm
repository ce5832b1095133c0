package Msgbus::Memcached;

# A memcached for a test, on a port of its own, that ends with the test.
#
#     my $memcached = Msgbus::Memcached->new->start;
#     $memcached->set('key', 'value');

use strict;
use warnings;

use IO::Socket::IP;
use POSIX ();
use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC sleep);

use Msgbus::Child;
use Msgbus::Nginx;


our @ISA = ('Msgbus::Child');


sub new {
    my ($class) = @_;

    return $class->adopt(port => Msgbus::Nginx::free_port());
}


sub start {
    my ($self) = @_;

    my $pid = fork // die "cannot fork: $!\n";

    if (!$pid) {
        $SIG{$_} = 'DEFAULT' for qw(ALRM PIPE INT TERM HUP);

        open STDIN, '<', '/dev/null';
        open STDOUT, '>', '/dev/null';

        exec 'memcached', '-l', '127.0.0.1', '-p', $self->{port}, '-U', 0,
             '-m', 8, '-t', 1, $> == 0 ? ('-u', 'nobody') : ()
            or print STDERR "cannot run memcached: $!\n";

        POSIX::_exit(127);
    }

    $self->{pid} = $pid;

    my $until = clock_gettime(CLOCK_MONOTONIC) + 10 * $Msgbus::Nginx::PATIENCE;

    until ($self->connect) {
        die "memcached does not start\n"
            if waitpid($pid, POSIX::WNOHANG) == $pid && delete $self->{pid}
               || clock_gettime(CLOCK_MONOTONIC) > $until;

        sleep 0.01;
    }

    return $self;
}


sub connect {
    my ($self) = @_;

    return IO::Socket::IP->new(PeerHost => '127.0.0.1',
                               PeerPort => $self->{port}, Timeout => 5);
}


sub set {
    my ($self, $key, $value) = @_;

    my $socket = $self->connect or die "no connection to memcached: $!\n";

    print {$socket} "set $key 0 0 ", length $value, "\r\n$value\r\n";

    my $answer = <$socket> // '';

    die "memcached did not store \"$key\": $answer\n"
        if $answer ne "STORED\r\n";

    return;
}


1;
