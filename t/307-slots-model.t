# Slots go from worker to worker as a model of them foretells: no two that live
# have one, and whoever has none gets one when there is one.
#
# t/unit/slots_model.c is the model: up to 200 workers that start, die, leave,
# and look again.  SEED=... repeats a run.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/unit";

use Test::More;

use Unit;


plan skip_all => Unit->lacks if Unit->lacks;

my @sanitize = Unit->takes(@Unit::SANITIZE) ? @Unit::SANITIZE : qw( -g -O1 );

my $run = Unit->new('slots_model')
    ->compile([qw( notify undo slots_model unit )], \@sanitize)
    ->link(@sanitize)
    ->run(30_000);

ok($run->{ok}, 'slots go from worker to worker as foretold');

cmp_ok($run->{said}{$_} // 0, '>', 10, "$_: $run->{said}{$_}")
    for 'started', 'died', 'left', 'without a slot', 'a slot later', 'settled';

done_testing;
