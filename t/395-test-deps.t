# A choice of tests installs what that choice needs: no browser and no database
# to test how events are read.

use strict;
use warnings;

use Cwd qw( abs_path );
use FindBin;
use Test::More;


my $root = abs_path("$FindBin::Bin/..");


# what make would install, and whether it would make a database: by a shell in
# whose path only the tools are that this test has made

use File::Temp qw( tempdir );

my $dir = tempdir(CLEANUP => 1);

mkdir "$dir/tools";
symlink "$root/$_", "$dir/$_" or die "$_: $!\n" for qw( t docs README.md );
symlink "$root/tools/test-deps", "$dir/tools/test-deps" or die $!;
symlink "$root/Makefile", "$dir/Makefile" or die $!;

for my $tool (qw( deps test-nginx mongodb )) {
    open my $out, '>', "$dir/tools/$tool" or die $!;
    print $out "#!/bin/sh\necho $tool \"\$@\" >> $dir/said\n";
    close $out;
    chmod 0755, "$dir/tools/$tool";
}

delete @ENV{qw( MAKEFLAGS MAKELEVEL MFLAGS TESTS )};


sub made {
    my (@arguments) = @_;

    unlink "$dir/said";

    my $said = `make -C '$dir' test-deps @arguments 2>&1`;

    is($?, 0, "make @arguments") or diag($said);

    open my $in, '<', "$dir/said" or return '';
    local $/;

    return <$in>;
}


my $said = made('TESTS=t/020-read.t');

like($said, qr/^deps .*\blibtest-base-perl\b/m, 'it is made sure of Test::Nginx');
like($said, qr/^test-nginx$/m, '    itself, too');
unlike($said, qr/chromium|nodejs|python|memcached|clang/,
       '    and of nothing that it does not need');
unlike($said, qr/^mongodb/m, '    no database either');

my %needs = (
    't/070-http2.t'                => 'nghttp2-client',
    't/071-http2-resets.t'         => 'python3-h2',
    't/390-fuzz.t'                 => 'libclang-rt-dev',
    't/400-token.t'                => 'memcached',
    't/450-live-page.t'            => 'chromium',
    't/451-programs-that-subscribe.t' => 'nodejs',
    't/610-stalled.t'              => 'python3-pymongo',
    't/652-password-and-tls.t'     => 'openssl',
    't/656-post-rate.t'            => 'wrk',
);

for my $file (sort keys %needs) {
    like(made("TESTS=$file"), qr/^deps .* \Q$needs{$file}\E\b/m,
         "$file needs $needs{$file}");
}

$said = made('TESTS=t/610-stalled.t');
like($said, qr/^mongodb setup$/m, 'a test with a database makes it');
unlike($said, qr/chromium/, '    and no browser');

$said = made();
like($said, qr/^deps .* \Q$_\E\b/m, "all of them need $_")
    for sort values %needs;
like($said, qr/^mongodb setup$/m, 'and the database');

done_testing;
