# The event log behaves as a plain model of it, in a million random steps.
#
# Without nginx: appends, reads of all scopes, expiry, eviction, repairs, in
# logs of all sizes and limits, under the address and the undefined behaviour
# sanitizer.  t/unit/log_model.c is the model.  SEED=... repeats a run.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/unit";

use List::Util qw( max );
use Test::More;

use Unit;


plan skip_all => Unit->lacks if Unit->lacks;

my $steps = $ENV{UNIT_STEPS} || 1_000_000;
my @sanitize = Unit->takes(@Unit::SANITIZE) ? @Unit::SANITIZE : qw( -g -O1 );

diag('no sanitizers: the compiler does not take their flags')
    if !grep { /sanitize/ } @sanitize;

my $program = Unit->new('log_model')
    ->compile([qw( number channel filing keyed log many show undo view log_model check_log
                   unit )],
              \@sanitize)
    ->link(@sanitize, '-Wl,--wrap=clock_gettime');

# each corner is reached, and often enough to trust it

my @corners = (
    'wraps'                    => 'the ring is gone round',
    'pressed'                  => 'events leave where room is needed',
    'refused'                  => 'events are refused where none may leave',
    'expired'                  => 'events leave by age',
    'appends in several holds' => 'making room takes more than one hold',
    'too large'                => 'an event is too large for the log',
    'nodes recycled'           => 'places go from one channel to another',
    'no node'                  => 'all places are taken',
    'index full'               => 'the index is full before the ring is',
    'gaps'                     => 'readers are told of gaps',
    'reads in several holds'   => 'a page takes more than one hold',
    'lost between holds'       => 'what a page was to show leaves meanwhile',
    'pages cut'                => 'pages are cut by their limits',
    'empty reads'              => 'pages have nothing to show',
    'repairs'                  => 'a torn step is taken back',
    'ids without an event'     => 'there are ids without an event',
    'cursors that are ahead'   => 'a cursor may be another node\'s',
    'cursors of nobody'        => 'a cursor is nobody\'s after a look',
    'of those in order'        => 'several channels are merged',
    'lists left out'           => 'lists that overlap',
    'keys found'               => 'events are found by their keys',
    'keys of what is too old'  => 'a key may be that of an event that is old',
    'keys that nothing has'    => 'a key may be unknown',
    'keys forgotten early'     => 'events leave with their keys before time',
);

my %reached = map { $_ => 0 } @corners[map { 2 * $_ } 0 .. $#corners / 2];
my $longest = 0;

# few rounds come to some of them, and no seed is sure to have enough

for my $try (1 .. 3) {
    my $run = $program->run($steps);
    my $said = $run->{said};

    note($run->{text});

    if (!ok($run->{ok}, 'the log does what the model foretells')) {
        done_testing;
        exit;
    }

    is($said->{steps}, $steps, 'all steps are done');

    $longest = max($longest, $said->{'longest list'} // 0);
    $reached{$_} += $said->{$_} // 0 for keys %reached;
    last if $longest > $steps / 100
            && !grep { $_ <= $steps / 100_000 } values %reached;
}

while (my ($name, $title) = splice @corners, 0, 2) {
    cmp_ok($reached{$name}, '>', $steps / 100_000, $title);
}

cmp_ok($longest, '>', $steps / 100,
       'lists are long enough to tell the length of a search');

done_testing;
