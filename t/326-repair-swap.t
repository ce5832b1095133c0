# A repaired journal takes the place of the damaged one so that a power cut, at
# any call and with whatever of it on the disk, leaves the old one, or the new
# one with a copy of the old, or what the next repair ends and nobody else opens.
#
# t/unit/repair_swap.c is the folders; t/146 kills the tool itself.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/unit";

use Test::More;

use Unit;


plan skip_all => Unit->lacks if Unit->lacks;

my @sanitize = Unit->takes(@Unit::SANITIZE) ? @Unit::SANITIZE : qw( -g -O1 );

my $program = Unit->new('repair_swap')
    ->compile([qw( journal_swap repair_swap undo unit )], \@sanitize)
    ->link(@sanitize, map { "-Wl,--wrap=$_" } qw(
        openat openat64 close fsync renameat mkdirat unlinkat faccessat
        fdopendir readdir readdir64 closedir
    ));

my $run = $program->run;

ok($run->{ok}, 'whatever is cut off or fails, the next repair ends it');
cmp_ok($run->{said}{$_} // 0, '>', 100, "$_: $run->{said}{$_}")
    for 'cuts', 'open', 'old', 'new';

# the syncs that it rests on: one that does nothing is noticed

isnt(system("$program->{path} $_ > /dev/null 2>&1"), 0, "without sync $_")
    for 1, 3, 7, 10;

done_testing;
