# After the tests that "make asan", "make tsan" and "make valgrind" run, and so
# not in t/: no nginx that they have started was caught at a wrong access.

use strict;
use warnings;

use Test::More;


my $folder = $ENV{CHECKED_REPORTS};

plan skip_all => 'for tools/checked-prove' if !defined $folder;
plan tests => 2;

ok(-e "$folder/started", 'nginx was run under the checker');

my @reports = grep { -s } glob "$folder/*.*";

ok(!@reports, 'and the checker had nothing to say')
    or diag(scalar @reports, ' reports');

# those who die of the same error say much the same

for my $file (@reports > 5 ? @reports[0 .. 4] : @reports) {
    open my $in, '<', $file or die "$file: $!\n";

    my @lines = <$in>;

    splice @lines, 60 if @lines > 60;
    diag(@lines);
}
