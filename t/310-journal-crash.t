# A journal has all that was acknowledged, once and with the ids that were told,
# after a power cut or a death of all processes at any call, and after calls
# that fail; and nothing that was not posted.
#
# t/unit/journal_sim.c is a disk that loses what it may lose, and
# t/unit/journal_crash.c tells what is tried and what must be found: at a
# million moments.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/unit";

use List::Util qw( sum0 );
use Test::More;

use Unit;


plan skip_all => Unit->lacks if Unit->lacks;

my $points = $ENV{UNIT_STEPS} || 1_000_000;


my @rooms = map { "journal_$_" } qw( crc disk enter error find floor format
                                     index keep key known mark move read recover segment
                                     write );

sub program {
    my ($name, @flags) = @_;

    return Unit->new($name)
        ->compile([@rooms, qw( journal_crash journal_sim undo unit )],
                  [@flags, '-DNGX_MSGBUS_JOURNAL_RULES=1'])
        ->link(@flags);
}

my $plain = program('journal_crash', @Unit::MODULE);
my @sanitize = Unit->takes(@Unit::SANITIZE) ? @Unit::SANITIZE : qw( -g -O1 );
my $checked = program('journal_crash_checked', @sanitize);

# who dies in the middle of a call frees nothing

$ENV{ASAN_OPTIONS} = 'detect_leaks=0';

my @started = (map({ $plain->start(int($points / 2)) } 1 .. 2),
               $checked->start(int($points / 80)));
my @runs = map { $_->() } @started;

ok($runs[$_]{ok}, 'nothing is lost, nothing is there that should not be')
    for 0 .. 1;
ok($runs[2]{ok}, 'nor is a byte touched that is nobody\'s');

note($_->{text}) for @runs;

cmp_ok(sum0(map { $_->{said}{'crash points'} // 0 } @runs), '>=', $points,
       'at so many moments');

# each corner is reached

my @corners = (
    'power cuts'         => 'the power is cut',
    'killed'             => 'processes are killed in the middle of a call',
    'failed calls'       => 'calls fail',
    'holes'              => 'events are lost that were not synced, and it is'
                            . ' told',
    'ids taken'          => 'another writer was faster',
    'not known'          => 'the end of a write is not known',
    'refused'            => 'a write is refused, with nothing stored',
    'clean stops'        => 'writers stop, and say so',
    'told before a sync' => 'events are told of before they are synced',
    'segments removed'   => 'segments leave',
    'indexes made'       => 'segments get their indexes',
    'clock jumps'        => 'the clock is set, and set back',
    'keys'               => 'events are found by their keys',
    'bytes rotten'       => 'a byte that was durable is another one',
    'gone on'            => 'all goes on after a power cut',
);

while (my ($name, $title) = splice @corners, 0, 2) {
    cmp_ok(sum0(map { $_->{said}{$name} // 0 } @runs), '>', $points / 100_000,
           $title);
}

done_testing;
