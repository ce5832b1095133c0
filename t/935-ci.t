# What continuous integration says: a part that failed fails the whole, and the
# last lines are prove's own.
#
# make is a script here that says what it is told to, for each target.

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Temp qw( tempdir );
use FindBin;

use Test::More;


my $root = abs_path("$FindBin::Bin/..");
my $dir = tempdir(CLEANUP => 1);

mkdir "$dir/$_" or die "$_: $!\n" for qw( .ci bin say );
symlink "$root/.ci/run", "$dir/.ci/run" or die "run: $!\n";
symlink "$root/t", "$dir/t" or die "t: $!\n";


sub spew {
    my ($file, $text) = @_;

    open my $out, '>', "$dir/$file" or die "$file: $!\n";
    print $out $text;
    close $out or die "$file: $!\n";
}


# a target that has something to say is done with the status of its last line

spew('bin/make', <<"END");
#!/bin/bash
echo "make \$*" >> $dir/made
said=$dir/say/\$1

if [ -f "\$said" ]; then
    head -n -1 "\$said"
    exit "\$(tail -n 1 "\$said")"
fi

echo "All tests successful."
echo "Files=2, Tests=9,  1 wallclock secs"
echo "Result: PASS"
END
chmod 0755, "$dir/bin/make";

local $ENV{PATH} = "$dir/bin:$ENV{PATH}";

my $failed = "#   Failed test 'a promise'\n"
             . "Test Summary Report\n-------------------\n"
             . "t/001-publish.t (Wstat: 256 (exited 1) Tests: 9 Failed: 1)\n"
             . "Files=3, Tests=19,  1 wallclock secs\nResult: FAIL\n";


# all that was said, and the exit status, with TARGET saying this

sub run {
    my (%says) = @_;

    unlink glob("$dir/say/*"), "$dir/made";
    spew("say/$_", $says{$_}) for keys %says;

    my $said = `'$dir/.ci/run' 2>&1`;

    return ($? >> 8, $said);
}


sub made {
    open my $in, '<', "$dir/made" or return '';
    local $/;

    return <$in>;
}


my $passed = qr/\nFiles=2, .*\nResult: PASS\n\z/;
my $told = qr/\nFiles=3, .*\nResult: FAIL\n\z/;

my ($rc, $said) = run();

is($rc, 0, 'all of it passes');
like($said, $passed, "    and the last lines are prove's");
like(made(), qr/^make $_\b/m, "    $_ was made")
    for qw( asan test check-builds matrix test-push );

($rc, $said) = run(matrix => "matrix: trixie: failed, see its log\n$failed" . 2);

is($rc, 1, 'a file that fails in another system fails the whole');
like($said, qr/^#   Failed test 'a promise'$/m, '    and is told');
like($said, $told, "    and the last lines are those of its prove");
like(made(), qr/^make test-push\b/m, '    and what comes behind it was made');

my $unable = 'matrix: no chroot of trixie can be made here';

($rc, $said) = run(matrix => "E: no such mirror\n$unable\n2");

is($rc, 0, 'a machine where no chroot can be made is none of its faults');
like($said, qr/^\Q$unable\E\nci: the other systems are left out$/m,
     '    and says so');
like($said, $passed, "    and the last lines are prove's");

($rc, $said) = run(asan => $failed . 2, matrix => "$unable\n2");

is($rc, 1, 'what failed under the sanitizers fails the whole');
like($said, $told, '    and is told last');

($rc, $said) = run(test => $failed . 2);

isnt($rc, 0, 'a test that fails, and again by itself, fails it');
like($said, $told, '    and the last lines are those of its prove');
unlike(made(), qr/^make matrix\b/m, '    and nothing comes behind it');

done_testing;
