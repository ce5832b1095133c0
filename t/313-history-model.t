# A reader whose cursor is older than the log gets from the store what the log
# has lost, and goes over into the log: each event once, in order.
#
# Without nginx: random readers of a small log and of a store that has
# everything above a floor, while events come, leave, expire and are forgotten,
# under the address and the undefined behaviour sanitizer.
# t/unit/history_model.c is the model.  SEED=... repeats a run.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/unit";

use Test::More;

use Unit;


plan skip_all => Unit->lacks if Unit->lacks;

my $steps = $ENV{UNIT_STEPS} || 12_000;
my @sanitize = Unit->takes(@Unit::SANITIZE) ? @Unit::SANITIZE : qw( -g -O1 );

diag('no sanitizers: the compiler does not take their flags')
    if !grep { /sanitize/ } @sanitize;

my $program = Unit->new('history_model')
    ->compile([qw( number channel filing keyed log many undo show view
                   handover history_model unit )],
              \@sanitize)
    ->link(@sanitize);

my $run = $program->run($steps);

note($run->{text});

if (!ok($run->{ok}, 'each event comes once, in order, byte for byte')) {
    done_testing;
    exit;
}

my @corners = (
    'questions'            => 'the store is asked',
    'pages of the log'     => 'who needs nothing of it does not ask',
    'pages of both'        => 'pages begin in the store and end in the log',
    'asked again'          => 'the log moves on while the store is asked',
    'gaps'                 => 'readers are told of what the store has forgotten',
    'no gap below the log' => 'and of nothing that it has',
    'pages cut'            => 'pages are cut by their limits',
    'frames'               => 'streams get the same as frames',
    'newest first'         => 'the newest are asked for first',
    'passed by'            => 'events pass the log by',
    'forgotten'            => 'the store forgets',
    'holes'                => 'the store has lost a tail',
    'followed to the end'  => 'cursors lead to the newest event',
);

while (my ($name, $title) = splice @corners, 0, 2) {
    cmp_ok($run->{said}{$name} // 0, '>', $steps / 10_000, $title);
}

done_testing;
