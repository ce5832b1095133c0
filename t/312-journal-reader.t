# What is read of a journal is what a plain array of its events has: pages of
# all channels; history, upward and downward, of several channels and subtrees,
# without one poster's events, from any id up to any; the floor; the place at
# which the newest so many begin; and the newest event with a key.
#
# t/unit/journal_reader.c writes random journals of several segments, with
# holes, and asks them random questions.

use strict;
use warnings;

use File::Temp qw(tempdir);
use FindBin;
use lib "$FindBin::Bin/unit";

use List::Util qw( sum0 );
use Test::More;

use Unit;


plan skip_all => Unit->lacks if Unit->lacks;

my $journals = $ENV{UNIT_STEPS} ? $ENV{UNIT_STEPS} / 10_000 : 30;

my @rooms = map { "journal_$_" } qw( crc disk enter error find floor format
                                     history index keep key known mark move read recover
                                     segment write );

sub program {
    my ($name, @flags) = @_;

    return Unit->new($name)
        ->compile([@rooms, qw( journal_reader undo unit )], \@flags)
        ->link(@flags);
}

# in memory, where that is: megabytes of zeros are written

my $folder = tempdir(CLEANUP => 1,
                     -w '/dev/shm' ? (DIR => '/dev/shm') : ());
my @sanitize = Unit->takes(@Unit::SANITIZE) ? @Unit::SANITIZE : qw( -g -O1 );

my @started = (program('journal_reader', @Unit::MODULE)
                   ->start("$folder/plain", $journals),
               program('journal_reader_checked', @sanitize)
                   ->start("$folder/checked", int($journals / 4)));
my @runs = map { $_->() } @started;

ok($runs[0]{ok}, 'what is read is what was written');
ok($runs[1]{ok}, 'and no byte is touched that is nobody\'s');

note($_->{text}) for @runs;

# each corner is reached

for (['pages', 300], ['histories', 600], ['downward', 300], ['cut', 100], ['of a channel', 100],
     ['of a subtree', 100], ['of several', 100], ['without a poster', 100],
     ['over a hole', 100], ['without the old', 100],
     ['floors', 100], ['begins', 50], ['full', 50], ['segments left', 20],
     ['found by key', 1000], ['found by none', 300], ['keys that come again', 30],
     ['of events too old', 100], ['indexes without keys', 10],
     ['while one reads', 1], ['before the sync', 50], ['indexes', 20], ['reads that fail', 30], ['clean stops', 20],
     ['killed', 20], ['power cuts', 20])
{
    my ($name, $least) = @$_;

    cmp_ok(sum0(map { $_->{said}{$name} // 0 } @runs), '>=', $least, $name);
}

done_testing;
