# Any byte of a sealed segment that is another one is told of, or changes no
# answer: never is less read silently.  What is derived is made again.
#
# t/unit/journal_bytes.c changes each byte of a small segment and asks; and
# msgbus-journal repairs some of them: all but the frame that is damaged is kept.

use strict;
use warnings;

use Digest::MD5 qw(md5_hex);
use File::Temp;
use FindBin;
use lib "$FindBin::Bin/unit", "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Faulty;
use Msgbus::Nginx;
use Unit;


plan skip_all => Unit->lacks if Unit->lacks;

my @rooms = map { "journal_$_" } qw( crc disk enter error find floor format
                                     history index keep key known mark move read recover
                                     segment write );

sub program {
    my ($name, @flags) = @_;

    return Unit->new($name)
        ->compile([@rooms, qw( journal_bytes journal_sim undo unit )],
                  [@flags, '-DNGX_MSGBUS_JOURNAL_RULES=1'])
        ->link(@flags);
}

my @sanitize = Unit->takes(@Unit::SANITIZE) ? @Unit::SANITIZE : qw( -g -O1 );
my @started = (program('journal_bytes', @Unit::MODULE)->start,
               program('journal_bytes_checked', @sanitize)->start(7));
my ($run, $checked) = map { $_->() } @started;

ok($run->{ok}, 'each byte that is another one is told of, or of no account');
ok($checked->{ok}, 'and no byte is touched that is nobody\'s');
note($run->{text});

cmp_ok($run->{said}{damaged} // 0, '>', 4000, 'of header and frames');
cmp_ok($run->{said}{derived} // 0, '>', 400, 'of the index');
is($run->{said}{'made again'}, $run->{said}{derived}, 'which is made again');

# what repair makes of it

my $build = $ENV{BUILD} || 'build';
my $tool = ($build =~ m{^/} ? $build : "$FindBin::Bin/../$build")
           . '/msgbus-journal';

my $dir = File::Temp->newdir(-w '/dev/shm' ? (DIR => '/dev/shm') : ());
my $faulty = Msgbus::Faulty->new(in => "$dir");
my %env = $faulty->env;

local @ENV{keys %env} = values %env;
local $ENV{FAULTY_QUICK} = 1;

mkdir "$dir/template";

open my $out, '>', "$dir/template/manifest";
print $out "msgbus journal 1\nzone bus\nttl 1000\nsegment 65536\nsize 0\n";
close $out;

# frames of three events each, in a first segment, and one more

my $n = 0;

for my $count ((3) x 6, 60) {
    open $out, '>', "$dir/in";
    print $out qq({"_id":@{[ ++$n ]},"channel":"/a","data":"$n @{[
               'x' x 800 ]}","created_at":1700000000000}\n) for 1 .. $count;
    close $out;

    system("$tool import $dir/template < $dir/in > $dir/said 2>&1") == 0
        or die Msgbus::Nginx::slurp("$dir/said");
}

my ($file) = sort glob "$dir/template/0*1-*.journal";
my $bytes = Msgbus::Nginx::slurp($file);

# from where to where the frames of events stand

my ($at, @frames) = (4096);

while ($at + 64 <= length $bytes) {
    my ($length, $count, $type) = unpack 'x4 V x16 V v', substr $bytes, $at,
                                                                64;
    last if $length < 64;

    push @frames, [$at, $at + $length, $type == 1 ? $count : 0];
    $at += $length;
}

my $end = $at;
my (%wrong, $tried);

for ($at = 8; $at < $end; $at += $at < 512 ? 61 : 397) {
    $at = 4096 + int rand 64 if $at >= 512 && $at < 4096;

    system("rm -rf $dir/j && cp -r $dir/template $dir/j");

    my ($copy) = sort glob "$dir/j/0*1-*.journal";

    open my $f, '+<', $copy;
    seek $f, $at, 0;
    print $f chr(ord(substr $bytes, $at, 1) ^ (1 << rand 8));
    close $f;

    `$tool repair $dir/j 2>&1`;

    my $code = $? >> 8;
    my $kept = () = `$tool dump $dir/j 2> /dev/null` =~ /"channel":"\/a"/g;
    my ($frame) = grep { $_->[0] <= $at && $at < $_->[1] } @frames;
    my $all = $at < 512 ? 18 : $frame->[2];

    $tried++;

    # a note, or the mark of a stop, is no loss

    $wrong{"byte $at: exit code $code"} = 1 if $code > 1 || $all && !$code;
    $wrong{"byte $at: $kept of $n are kept, not all but $all"} = 1
        if $kept != $n - $all;
}

is(join("\n", sort keys %wrong), '',
   "repair keeps all but the frame, of $tried bytes");

done_testing;
