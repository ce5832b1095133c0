# Segments of a journal leave while its history is read: whatever is missing in
# a page is at or below the floor that is looked up behind it.  So nobody misses
# an event in silence.

use strict;
use warnings;

use File::Temp qw(tempdir);
use FindBin;
use lib "$FindBin::Bin/unit";

use Test::More;

use Unit;


plan skip_all => Unit->lacks if Unit->lacks;

my @rooms = map { "journal_$_" } qw( crc disk enter error find floor format
                                     history index keep key known mark move read recover
                                     segment write );

my $folder = tempdir(CLEANUP => 1);
my $run = Unit->new('history_race')
    ->compile([@rooms, qw( history_race undo unit )], \@Unit::MODULE)
    ->link('-lpthread')
    ->run("$folder/journal", $ENV{HISTORY_SECONDS} || 2);

ok($run->{ok}, 'what is missing in a page is below its floor');
note($run->{text});

for ('pages', 'newest first', 'gaps told', 'removed') {
    cmp_ok($run->{said}{$_} // 0, '>=', 20, $_);
}

done_testing;
