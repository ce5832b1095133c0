package Msgbus::Crowd;

# Processes that do the same beside each other, and tell the test what they saw.
#
#     my $crowd = Msgbus::Crowd->new(4, sub {
#         my ($n, $tell) = @_;           # $n from 1 on
#         $tell->("$n is here");         # a line
#     });
#     my @told = $crowd->lines(sub { my ($line, $k) = @_; ... });
#
# lines() calls what it is given with each line, and with which one it is of
# its process, from 1 on; it waits for their ends, and returns how many lines
# each has told.

use strict;
use warnings;

use POSIX ();


sub new {
    my ($class, $n, $do) = @_;

    return bless [map { child($_, $do) } 1 .. $n], $class;
}


sub child {
    my ($n, $do) = @_;

    pipe my $from, my $to or die "pipe: $!\n";

    my $pid = fork // die "fork: $!\n";

    if ($pid) {
        close $to;
        return { pid => $pid, from => $from };
    }

    close $from;
    srand $n;

    $do->($n, sub { print $to "$_[0]\n" });

    close $to;
    POSIX::_exit(0);
}


sub lines {
    my ($self, $see) = @_;

    my @told;

    for my $child (@$self) {
        my $k = 0;

        while (my $line = readline $child->{from}) {
            chomp $line;
            $see->($line, ++$k);
        }

        push @told, $k;
        waitpid $child->{pid}, 0;
    }

    return @told;
}


1;
