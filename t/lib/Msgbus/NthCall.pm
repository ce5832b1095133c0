package Msgbus::NthCall;

# Each call fails once by which the module asks for memory, or for anything else
# that may be refused: the first, then the second, and so on.
#
#     my $calls = Msgbus::NthCall->new;
#     $calls->start($nginx) or plan skip_all => ...;
#
#     my $n = $calls->each($pid, sub { ... });      # in the event loop of that
#     my $n = $calls->each($pid, sub { ... }, 1);   # in its threads
#
# each() runs the sub with the first call to fail, with the second, until no
# call fails any more, and says how many did.  In it, and after it,
#
#     $calls->failed      "malloc() at 0x1234", or '' if nothing has failed yet
#     $calls->live        how much memory the module has that is no pool's
#     $calls->env         for another program
#
# t/unit/nth_call.c tells of the calls.  With NTH_CALL_PLACES in the environment
# that file is given a line for each place of a call, and whether it has failed.

use strict;
use warnings;

use Cwd ();
use File::Basename qw(dirname);
use File::Temp ();

use Msgbus::Nginx;


# as nth_call_t

my $PLACES = 1024;
my ($PID, $LIVE) = (0, 8);
my @WHOSE = (16, 16 + 64);
my ($FAIL, $CALLS, $FAILED, $PLACE, $NAME) = (0, 8, 16, 24, 32);
my $SEEN = 16 + 2 * 64;


sub new {
    my ($class) = @_;

    my $dir = File::Temp->newdir;

    chmod 0755, $dir;

    open my $file, '+>', "$dir/calls" or die "$dir/calls: $!\n";
    binmode $file;
    syswrite $file, "\0" x ($SEEN + 2 * 8 * $PLACES);
    chmod 0666, "$dir/calls";

    system(split(' ', $ENV{CC} || 'cc'), qw( -shared -fPIC -O1 -W -Wall ),
           qw( -Wextra -Wno-unused-parameter ),
           $ENV{WERROR} ? '-Werror' : (), '-o', "$dir/nth_call.so",
           Cwd::abs_path(dirname(__FILE__) . '/../../unit/nth_call.c')) == 0
        or die "cannot compile\n";

    return bless { dir => $dir, file => $file, whose => 0 }, $class;
}


# what a program is to have in its environment

sub env {
    my ($self) = @_;

    return (LD_PRELOAD => "$self->{dir}/nth_call.so",
            NTH_CALL   => "$self->{dir}/calls");
}


# false where no module is loaded that could be changed

sub start {
    my ($self, $nginx) = @_;

    my %env = $self->env;
    local @ENV{keys %env} = values %env;

    $self->fail(0, 0);
    $nginx->start;

    return $self->get(8, $WHOSE[0] + $CALLS) > 0;
}


sub get {
    my ($self, $n, $offset) = @_;

    sysseek $self->{file}, $offset, 0;
    sysread $self->{file}, (my $bytes), $n;

    return $n == 8 ? unpack 'q', $bytes : $bytes =~ s/\0.*//sr;
}


sub set {
    my ($self, $value, $offset) = @_;

    sysseek $self->{file}, $offset, 0;
    syswrite $self->{file}, pack 'q', $value;

    return;
}


# the n-th call from now on fails, of one process (0: any); 0: none

sub fail {
    my ($self, $n, $pid, $thread) = @_;

    my $at = $WHOSE[$self->{whose} = $thread ? 1 : 0];

    $self->set(0, $_ + $FAIL) for @WHOSE;
    $self->set($pid, $PID);
    $self->set(0, $at + $_) for $CALLS, $FAILED;
    $self->set($n, $at + $FAIL);

    return;
}


sub failed {
    my ($self) = @_;

    my $at = $WHOSE[$self->{whose}];

    return '' if !$self->get(8, $at + $FAILED);

    return sprintf '%s() at 0x%x', $self->get(32, $at + $NAME),
                   $self->get(8, $at + $PLACE);
}


sub each {
    my ($self, $pid, $sub, $thread) = @_;

    for my $n (1 .. 1000) {
        $self->fail($n, $pid, $thread);
        $sub->($n);

        my $failed = $self->failed;

        $self->fail(0, $pid, $thread);

        return $n - 1 if !$failed;
    }

    die "no end of calls that fail\n";
}


sub live { return $_[0]->get(8, $LIVE) }


sub DESTROY {
    my ($self) = @_;

    return if !$ENV{NTH_CALL_PLACES};

    open my $out, '>>', $ENV{NTH_CALL_PLACES} or die "$ENV{NTH_CALL_PLACES}: $!\n";

    for my $i (0 .. $PLACES - 1) {
        my $place = $self->get(8, $SEEN + 8 * $i) or last;

        printf $out "0x%x %d\n", $place,
               $self->get(8, $SEEN + 8 * ($PLACES + $i)) != 0;
    }

    return;
}


1;
