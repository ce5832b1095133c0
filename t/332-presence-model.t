# Who reads what is known as a model of it foretells: of workers that die, leave
# their slots and have none, with seats for all readers or too few.
#
# t/unit/presence_model.c is the model.  SEED=... repeats a run.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/unit";

use Test::More;

use Unit;


plan skip_all => Unit->lacks if Unit->lacks;

my @sanitize = Unit->takes(@Unit::SANITIZE) ? @Unit::SANITIZE : qw( -g -O1 );

my $run = Unit->new('presence_model')
    ->compile([qw( presence present undo presence_model check_presence unit )],
              \@sanitize)
    ->link(@sanitize)
    ->run(300_000);

ok($run->{ok}, 'who reads what is known as foretold');

cmp_ok($run->{said}{$_} // 0, '>', 100, "$_: " . ($run->{said}{$_} // 0))
    for 'started', 'died', 'in a step', 'left a slot', 'settled', 'complete',
        'incomplete';

done_testing;
