# A repair that can not be done, for the disk is full, changes nothing: all files
# are where they were; and an import takes large events.

use strict;
use warnings;

use FindBin;

use Test::More;
use File::Temp;


my $build = $ENV{BUILD} || 'build';
my $tool = ($build =~ m{^/} ? $build : "$FindBin::Bin/../$build")
           . '/msgbus-journal';

plan skip_all => "no $tool here: run \"make\"" if ! -x $tool;

my $dir = File::Temp->newdir;

# a limit for a file is as good as a disk that is full

sub run {
    my ($command, $limit) = @_;

    my $said = `sh -c "trap '' XFSZ; @{[ $limit ? "ulimit -f $limit;" : '' ]} $command" 2>&1`;

    return ($said, $? >> 8);
}

open my $in, '>', "$dir/in";
print $in qq({"_id":$_,"channel":"/a","data":"{}","created_at":1700000000000}\n)
    for 1 .. 400;
close $in;

mkdir "$dir/j";

my ($said, $code) = run("$tool import $dir/j < $dir/in");

is($code, 0, 'there is a journal') or diag($said);

my ($newest) = reverse sort glob "$dir/j/*.journal";

open my $f, '+<', $newest;
seek $f, 6000, 0;
print $f 'x';
close $f;

unlink "$dir/j/mark";    # as in a copy

my @before = sort glob "$dir/j/*";

($said, $code) = run("$tool repair $dir/j", 8);

is($code, 2, 'it can not be repaired') or diag($said);
like($said, qr/can not make a segment.*nothing has changed/s, 'and says so');
is_deeply([grep { !/turn|nodes/ } sort glob "$dir/j/*"],
          [grep { !/turn|nodes/ } @before], 'all files are where they were');

($said, $code) = run("$tool repair $dir/j");

is($code, 1, 'it is, once there is room') or diag($said);

# so many large ones that they are no frame together

mkdir "$dir/large";
open $in, '>', "$dir/in";
print $in qq({"_id":$_,"channel":"/a","data":"@{[ 'x' x 200_000 ]}"}\n)
    for 1 .. 400;
close $in;

($said, $code) = run("$tool import $dir/large < $dir/in");

is($code, 0, 'large events are read in') or diag($said);

done_testing;
