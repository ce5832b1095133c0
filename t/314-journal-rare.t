# A channel that has little in a large journal is found by the indexes of its
# segments: none of the other records is read.  And a page of a channel that
# has much costs what it has.
#
# t/unit/journal_rare.c counts the reads; JOURNAL_MB=10240 is what a disk has
# that nobody looks after: then it must not take longer than 100 ms.

use strict;
use warnings;

use File::Temp qw(tempdir);
use FindBin;
use lib "$FindBin::Bin/unit";

use Test::More;

use Unit;


plan skip_all => Unit->lacks if Unit->lacks;

my $mb = $ENV{JOURNAL_MB} || 32;

my @rooms = map { "journal_$_" } qw( crc disk enter error find floor format
                                     history index keep key known mark move read recover
                                     segment write );

my $program = Unit->new('journal_rare')
    ->compile([@rooms, qw( journal_rare undo unit )], \@Unit::MODULE)
    ->link;

my $folder = tempdir(CLEANUP => 1);
my $run = $program->run("$folder/journal", $mb, 1000);

ok($run->{ok}, 'what is rare is found by the indexes');
note($run->{text});

# others may have the machine, too

my ($ms) = ($run->{said}{rare} // '') =~ /, ([\d.]+) of them busy/;

cmp_ok($ms // 1e9, '<=', 100, 'in 100 ms') if $mb >= 10_240;
cmp_ok($run->{said}{segments} // 0, '>', 100, 'of many segments');

done_testing;
