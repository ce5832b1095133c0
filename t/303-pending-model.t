# Posts that wait for a commit behave as a plain model of them, in a million
# random steps.
#
# Without nginx: puts of all sizes, cancels, a committer's settling in order
# and out of it, workers that die and come, sweeps, repairs, in rings of all
# sizes, under the address and the undefined behaviour sanitizer.
# t/unit/pending_model.c is the model.  SEED=... repeats a run.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/unit";

use Test::More;

use Unit;


plan skip_all => Unit->lacks if Unit->lacks;

my $steps = $ENV{UNIT_STEPS} || 1_000_000;
my @sanitize = Unit->takes(@Unit::SANITIZE) ? @Unit::SANITIZE : qw( -g -O1 );

diag('no sanitizers: the compiler does not take their flags')
    if !grep { /sanitize/ } @sanitize;

my $program = Unit->new('pending_model')
    ->compile([qw( pending pending_model check_pending undo unit )], \@sanitize)
    ->link(@sanitize);

# each corner is reached, and often enough to trust it

my @corners = (
    'wraps'                       => 'the ring is gone round',
    'to the last byte'            => 'the ring is filled to its last byte',
    'full'                        => 'a full ring refuses',
    'no cell'                     => 'posts are refused for want of a cell',
    'largest into an empty ring'  => 'an empty ring takes the largest post',
    'canceled'                    => 'posts are given up before they are sent',
    'canceled too late to know'   => 'posts are given up when they are sent',
    'canceled too late'           => 'posts are given up when they are done',
    'canceled in vain'            => 'posts are given up that are gone',
    'stored'                      => 'posts are stored',
    'not stored'                  => 'posts are not stored',
    'settled out of order'        => 'posts are settled out of order',
    'queued again'                => 'what was sent is queued again',
    'taken'                       => 'outcomes are taken',
    'taken by another worker'     => 'outcomes fall to who has the slot',
    'swept'                       => 'outcomes for the dead are swept',
    'settled for the dead'        => 'outcomes for the dead are not kept',
    'trims in several holds'      => 'the head takes more than one hold',
    'repairs'                     => 'a torn step is taken back',
    'keys that wait'              => 'a key is that of an event that waits',
    'keys that do not wait'       => 'a key is that of none that waits',
);

my %reached = map { $_ => 0 } @corners[map { 2 * $_ } 0 .. $#corners / 2];

# few rounds come to some of them, and no seed is sure to have enough

for my $try (1 .. 3) {
    my $run = $program->run($steps);
    my $said = $run->{said};

    note($run->{text});

    if (!ok($run->{ok}, 'pending posts do what the model foretells')) {
        done_testing;
        exit;
    }

    is($said->{steps}, $steps, 'all steps are done');

    $reached{$_} += $said->{$_} // 0 for keys %reached;
    last if !grep { $_ <= $steps / 100_000 } values %reached;
}

while (my ($name, $title) = splice @corners, 0, 2) {
    cmp_ok($reached{$name}, '>', $steps / 100_000, $title);
}

done_testing;
