# A worker asks its store for history in a thread: equal questions once, one
# page a turn, no more than so many at a time; who leaves is forgotten, and a
# store that fails or hangs is told of in time, and left alone for a moment.  An
# idle connection is let go.
#
# t/unit/history_thread.c does it with a store that does as it is told.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/unit";

use Test::More;

use Unit;


plan skip_all => Unit->lacks if Unit->lacks;

sub program {
    my ($name, @flags) = @_;

    return Unit->new($name)
        ->compile([qw( recall count asked past foreign channel cond json slice undo
                       history_thread unit )], \@flags)
        ->link(@flags, '-Wl,--wrap=ngx_msgbus_cond_deadline', '-lyajl',
               '-lpthread');
}

my %flags = (address => [Unit->takes(@Unit::SANITIZE) ? @Unit::SANITIZE
                                                      : qw( -g -O1 )]);
my @thread = qw( -g -O1 -fsanitize=thread );
$flags{thread} = \@thread if Unit->takes(@thread);

my %runs = map { $_ => program("history_thread_$_", @{ $flags{$_} })->start(2) }
               sort keys %flags;

for my $name (sort keys %runs) {
    my $run = $runs{$name}->();

    ok($run->{ok}, "each promise holds, and none is broken by many ($name)");
    note($run->{text});

    # it has been everywhere

    cmp_ok($run->{said}{$_} // 0, '>', 0, $_) for qw( left busy away );
    cmp_ok($run->{said}{asked} // 0, '>', 2 * ($run->{said}{pages} // 0),
           'questions are shared');
}

done_testing;
