# The table of docs/install.md says what tools/matrix has run, and no more: a
# file that failed is in its row, and a row that was interrupted is not there.
#
# A small project has a few tests, and a chroot that is a folder.

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Path qw( make_path );
use File::Temp qw( tempdir );
use FindBin;

use Test::More;


my $root = abs_path("$FindBin::Bin/..");
my $dir = tempdir(CLEANUP => 1);
my $page = "$dir/docs/install.md";

my $old = '| sid | sid | 1.0 | 2.0 | gcc 1 | 2 of 9 | 0 | 0 | 0 | 7 | 2001-02-03 |';


sub spew {
    my ($file, $text) = @_;

    make_path("$dir/$file" =~ m{(.*)/});

    open my $out, '>', "$dir/$file" or die "$file: $!\n";
    print $out $text;
    close $out or die "$file: $!\n";

    chmod 0755, "$dir/$file" if $text =~ /^#!/;
}


sub slurp {
    my ($file) = @_;

    open my $in, '<', $file or return '';
    local $/;

    return <$in>;
}


# its chroot can not be entered when "refused" is there, and dies after so many
# visits as "visits" says

spew('tools/chroot', <<"END");
#!/bin/bash
while [ "\${1#--}" != "\$1" ]; do
    case \$1:\$2 in
    --bind:*:/row) row=\${2%:/row} ;;
    --bind:*:/row/*) ln -sfn "\${2%%:*}" "\$row/\${2##*:/row/}" ;;
    esac
    [ "\$1" = --offline ] && shift || shift 2
done

[ ! -e $dir/refused ] || { echo "no mounts here"; exit 125; }
shift
cd "\${row:-/}" || exit

if [ "\$row" ] && [ -e $dir/visits ]; then
    read -r left < $dir/visits
    [ "\$left" != 0 ] || kill -KILL \$\$
    echo \$((left - 1)) > $dir/visits
fi

exec "\$@"
END

spew('tools/test-deps', "#!/bin/sh\necho perl\n");
spew('tools/test-nginx', "#!/bin/sh\necho\n");
spew('Makefile', "all:\n\t\@echo built\n");

make_path("$dir/t/lib/Msgbus", "$dir/bin");
symlink "$root/tools/$_", "$dir/tools/$_" or die "$_: $!\n"
    for qw( matrix test-slot );

spew('t/lib/Msgbus/Results.pm', slurp("$root/t/lib/Msgbus/Results.pm"));

spew('bin/nginx', "#!/bin/sh\necho nginx version: nginx/1.2.3 >&2\n");
spew('bin/pkg-config', "#!/bin/sh\necho 4.5.6\n");
spew('bin/gcc', "#!/bin/sh\necho 7.8\n");

# each says that it was run; the state of a file is what "state" holds of it

my $head = <<"END";
use Test::More;
open my \$out, '>>', '$dir/ran' or die; print \$out "\$0\\n"; close \$out;
END

spew('t/001-passes.t', "$head plan tests => 3; pass() for 1 .. 3;\n");
spew('t/101-skipped.t', "$head plan skip_all => 'needs a | moon';\n");
spew('t/201-passes.t', "$head plan tests => 4; pass() for 1 .. 4;\n");
spew('t/401-state.t', "$head plan tests => 2; pass(); ok(!-e '$dir/fails');"
                      . " unlink '$dir/fails' if -e '$dir/once';\n");
spew('t/301-of-no-row.t', "die;\n");

local @ENV{qw( PATH MATRIX_DEPS )} = ("$dir/bin:$ENV{PATH}", 'make');

delete @ENV{grep { /^(GIT_|PERL5LIB|HARNESS|TEST_JOBS)/ } keys %ENV};

system("cd '$dir' && git init -q && git add -A") == 0 or die "no git\n";


# The exit status, and what was said; and of the page, the row of its first
# table, and of its second.

sub matrix {
    my (@arguments) = @_;

    unlink "$dir/ran";

    my $said = `'$dir/tools/matrix' @arguments 2>&1`;
    my $text = slurp($page);
    my ($row) = $text =~ /^(\| trixie \| .*)$/m;
    my ($why) = $text =~ /\n\n\| row .*\n\|.*\n(\| trixie \| .*)\n/;

    return { rc => $? >> 8, said => $said, row => $row // '', why => $why // '',
             text => $text, ran => slurp("$dir/ran") };
}


sub blank {
    spew('docs/install.md', "before\n<!-- tools/matrix: begin -->\n| row |\n|---|\n"
                            . "$old\n<!-- tools/matrix: end -->\nafter\n");
    unlink map { "$dir/$_" } qw( fails once visits refused );
    system("rm -rf '$dir/build'");
}


my $cells = '| trixie | trixie | 1.2.3 | 4.5.6 | gcc 7.8 |';
my $date = qr/\d{4}-\d\d-\d\d/;

blank();

my $it = matrix('trixie');

is($it->{rc}, 0, 'a row runs') or diag($it->{said});
like($it->{row}, qr/^\Q$cells\E 3 of 4 \| 1 \| 0 \| 0 \| 9 \| $date \|$/,
     '    and its row has the counts');
is($it->{why}, '| trixie | 1 | needs a   moon |', '    and why one was skipped');
like($it->{text}, qr/^\Q$old\E$/m, '    and another row stays');
like($it->{text}, qr/\Abefore\n.*<!-- tools\/matrix: end -->\nafter\n\z/s,
     '    and the page around them');

$it = matrix('--tests t/201-passes.t trixie');

like($it->{row}, qr/^\Q$cells\E 1 of 4 \| 0 \| 0 \| 0 \| 4 \| $date \|$/,
     'a choice of files says how many it was');
is($it->{why}, '', '    and nothing of those that were skipped before');

blank();
spew('fails', '');
$it = matrix('trixie');

is($it->{rc}, 1, 'a file that fails twice makes the row fail');
like($it->{row}, qr/^\Q$cells\E 3 of 4 \| 1 \| \*\*1\*\*: 401 \| 0 \| 9 \|/,
     '    and its number is in the row');
like($it->{said}, qr/failed, .*: t\/401-state\.t$/m, '    and its name is told');

unlink "$dir/fails";
$it = matrix('--resume trixie');

is($it->{rc}, 0, 'once it is mended, the row goes on');
is($it->{ran}, "t/401-state.t\n", '    with that file');
like($it->{row}, qr/^\Q$cells\E 3 of 4 \| 1 \| 0 \| 0 \| 9 \|/,
     '    and its row is whole');

blank();
spew($_, '') for qw( fails once );
$it = matrix('trixie');

is($it->{rc}, 0, 'a file that passes by itself does not');
like($it->{row}, qr/^\Q$cells\E 3 of 4 \| 1 \| 0 \| 1 \| 9 \|/,
     '    and is counted');

blank();
spew('visits', "1\n");
$it = matrix('--piece 2 trixie');

is($it->{rc}, 1, 'a row that is interrupted fails');
is($it->{row}, '', '    and is not in the table');
like($it->{text}, qr/^\Q$old\E$/m, '    which stays as it was');

unlink "$dir/visits";
$it = matrix('--resume --piece 1 trixie');

is($it->{rc}, 0, '    and can go on');
is($it->{ran}, "t/201-passes.t\nt/401-state.t\n", '    with what is left');
like($it->{row}, qr/^\Q$cells\E 3 of 4 \| 1 \| 0 \| 0 \| 9 \|/,
     '    and is whole then');

# clients' libraries, which a machine lends to its chroots

my $lent = '.cache/clients/a/lib';

blank();
spew("$lent/b.cpython-311-x86_64-linux-gnu.so", '');
spew('bin/mount', "#!/bin/sh\necho \"\$@\" >> $dir/mounted\n");

spew('bin/python3', "#!/bin/sh\nexit 127\n");
$it = matrix('trixie');

is($it->{rc}, 0, 'a chroot without Python runs a row') or diag($it->{said});
is(slurp("$dir/mounted"), '', '    and hides no libraries');

spew('bin/python3', "#!/bin/sh\necho 311\n");
$it = matrix('trixie');

is($it->{rc}, 0, 'so does one with the Python that they were made for');
is(slurp("$dir/mounted"), '', '    and it hides none');

spew('bin/python3', "#!/bin/sh\necho 313\n");
$it = matrix('trixie');

is($it->{rc}, 0, 'so does one with another Python');
like(slurp("$dir/mounted"), qr{^-t tmpfs hidden \S*\.cache/clients/a\n\z},
     '    and they are as if not there');

unlink map { "$dir/bin/$_" } qw( mount python3 );

blank();
spew('Makefile', "all:\n\tfalse\n");
$it = matrix('trixie');

is($it->{rc}, 1, 'a row whose module does not build fails');
is($it->{ran} . $it->{row}, '', '    and nothing runs');

spew('Makefile', "all:\n");
spew('t/lib/Msgbus/Results.pm', "die;\n");
$it = matrix('trixie');

is($it->{rc}, 1, 'so does a row whose tests leave no result');
like($it->{said}, qr{interrupted before t/001-passes.t t/101-skipped.t},
     '    and they are named');
is($it->{row}, '', '    and none of them is in the table');

blank();
spew('refused', '');
$it = matrix('trixie');

is($it->{rc}, 3, 'that no chroot can be made has an exit status of its own');
like($it->{said}, qr/^no mounts here\nmatrix: no chroot of trixie can be made/m,
     '    and is told');
is($it->{row}, '', '    and nothing gets into the table');

done_testing;
