# Batches go by what the path to the store carries: after it stood still, or
# slowed down, all posts are stored again soon, and none of its time is left
# unused where more is posted than it can carry.
#
# t/unit/pace_model.c is the path, with a clock of its own around the committer's
# rooms.  SEED=... repeats a run.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/unit";

use Test::More;

use Unit;


plan skip_all => Unit->lacks if Unit->lacks;

my $program = Unit->new('pace_model')
    ->compile([qw( number count channel filing keyed log pending ledger pace commit sync
                   foreign undo )], \@Unit::MODULE)
    ->compile([qw( pace_model commit_world unit )], [qw( -g -O2 )])
    ->link('-lm');
my $run = $program->run(60);

ok($run->{ok}, 'batches go by what the path carries');

cmp_ok($run->{said}{$_} // 0, '>', 50, "$_: $run->{said}{$_}")
    for 'posts', 'inserts', 'failures', 'early';

ok($program->run('stall')->{ok},
   'and go on after a store has stood still for longer than posts wait');

done_testing;
