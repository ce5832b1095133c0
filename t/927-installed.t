# "make install" puts three files where nginx and the system look for them,
# "make uninstall" takes these away and says which lines of nginx's
# configuration need the module still.  A file of a Debian package is left to
# it.  "make dist" makes a tar of the sources.

use strict;
use warnings;

use FindBin;
use File::Basename qw( dirname );
use File::Find ();
use File::Temp ();
use Test::More;


my $root = "$FindBin::Bin/..";
my $so = (split ' ', $ENV{TEST_NGINX_LOAD_MODULES} || '')[0]
         // "$root/build/ngx_http_msgbus_module.so";
my $build = dirname($so);

plan skip_all => 'needs a module' if !-e $so || !-e "$build/msgbus-journal";

my $dir = File::Temp->newdir;
my $system = "$dir/system";

# an nginx that says where it has its files, and a dpkg that owns what it is told

sub put {
    my ($file, $text) = @_;

    system('mkdir', '-p', dirname($file));
    open my $out, '>', $file or die "$file: $!\n";
    print $out $text;
    close $out or die "$file: $!\n";
}

put("$dir/bin/nginx", <<"END");
#!/bin/sh
echo "configure arguments: --modules-path=$system/modules" \\
     "--conf-path=$system/etc/nginx.conf" >&2
END

put("$dir/bin/dpkg-query", <<"END");
#!/bin/sh
grep -F "\$2" $dir/owned 2> /dev/null
END

chmod 0755, glob "$dir/bin/*";

delete @ENV{qw( MAKEFLAGS MAKELEVEL MFLAGS )};
local $ENV{PATH} = "$dir/bin:$ENV{PATH}";

# what make said, and its exit code; -o: what is built is taken as it is

sub make {
    my ($target, @more) = @_;

    my @command = ('make', '-s', '-C', $root, '-o', 'all', $target,
                   "NGINX=$dir/bin/nginx", "BUILD=$build",
                   "PREFIX=$system/local", @more);

    open my $pipe, '-|', 'sh -c \'exec "$@" 2>&1\' sh '
                         . join ' ', map { "'$_'" } @command
        or die "make: $!\n";

    my $said = do { local $/; <$pipe> } // '';
    close $pipe;

    return ($said, $? >> 8);
}

sub files {
    my ($in) = @_;
    my @files;

    File::Find::find({ no_chdir => 1, wanted => sub {
        push @files, s{^\Q$in\E/}{}r if -f } }, $in) if -d $in;

    return join ' ', sort @files;
}

my $all = 'local/bin/msgbus-journal local/share/man/man1/msgbus-journal.1 '
          . 'modules/ngx_http_msgbus_module.so';


# --- into a folder of its own, for whoever makes a package

my ($said, $code) = make('install', "DESTDIR=$dir/package");

is($code, 0, 'it is installed below DESTDIR') || diag($said);
is(files("$dir/package$system"), $all, 'three files');
is(files($system), '', 'and none elsewhere');

($said, $code) = make('uninstall', "DESTDIR=$dir/package");

is("$code " . files("$dir/package"), '0 ', 'and is taken away from there');


# --- into the system

($said, $code) = make('install');

is("$code " . files($system), "0 $all", 'it is installed where nginx looks');
like($said, qr{^ *load_module \Q$system\E/modules/ngx_http_msgbus_module\.so;$}m,
     'the line for nginx.conf is told');

unlike($said, qr/modules-enabled/, 'and no folder that is not there');

put("$system/etc/modules-enabled/other.conf", '');
($said) = make('install');
like($said, qr{^or, on Debian, .* \Q$system\E/etc/modules-enabled/90-msgbus\.conf$}m,
     'where there is one for such lines, it is told');
unlink "$system/etc/modules-enabled/other.conf";

SKIP: {
    my $script = "$root/tools/install";
    my @nobody = ('runuser', '-u', 'nobody', '--');

    chmod 0755, "$dir";

    skip 'needs root, and a clone that others may read', 2
        if $> || system("@nobody test -r '$script' -a -x '$dir/bin/nginx'"
                        . ' 2> /dev/null');

    for my $option ('', '--remove') {
        my $target = $option ? 'uninstall' : 'install';

        like(qx(@nobody env NGINX='$dir/bin/nginx' PREFIX='$system/local' \\
                bash '$script' $option 2>&1),
             qr{^install: you may not write to \S+: run "sudo make $target"$},
             "\"make $target\" of a user says that it needs root");
    }
}

put("$system/etc/nginx.conf", "user nobody;\n"
    . "# load_module modules/ngx_http_msgbus_module.so;\n"
    . "load_module modules/ngx_http_msgbus_module.so;\n");
put("$system/etc/modules-enabled/x.conf",
    "  load_module $system/modules/ngx_http_msgbus_module.so;\n"
    . "load_module modules/ngx_other_module.so;\n");
put("$system/local/bin/other", '');

($said, $code) = make('uninstall');

is($code, 0, 'it is taken away') || diag($said);
is(files($system), 'etc/modules-enabled/x.conf etc/nginx.conf local/bin/other',
   'and nothing else');
is(join(' ', sort map { s{^\Q$system\E/etc/}{}r }
                  $said =~ /^ +(\S+?:\d+):/mg),
   'modules-enabled/x.conf:1 nginx.conf:3',
   'each line that loads it is told, no comment and no other module');

($said, $code) = make('uninstall');
is($code, 0, 'once more is no error');


# --- beside a package that has the module

make('install');
put("$dir/owned", "libnginx-mod-x: $system/modules/ngx_http_msgbus_module.so\n");

for my $target (qw( install uninstall )) {
    my $before = files($system);

    ($said, $code) = make($target);

    isnt($code, 0, "\"make $target\" leaves the file of a package alone");
    like($said, qr/apt-get remove libnginx-mod-x$/m, 'and says which it is');
    is(files($system), $before, 'and has changed nothing');
}


# --- a release

SKIP: {
    skip 'no repository here', 3
        if system("git -C '$root' rev-parse HEAD > /dev/null 2>&1");

    my ($version) = `cat '$root/src/bus/ngx_msgbus.h'`
                    =~ /NGX_MSGBUS_VERSION\s+"(.*)"/;

    ($said, $code) = make('dist', "DIST=$dir/dist.tar.gz");
    is($code, 0, 'a tar of the sources is made') || diag($said);

    my @tar = grep { !m{/$} } split /\n/, `tar -tzf $dir/dist.tar.gz`;
    my @git = map { "msgbus-$version/$_" }
              split /\n/, `git -C '$root' ls-tree -r --name-only HEAD`;

    cmp_ok(scalar @tar, '>', 500, 'it is whole');
    is_deeply([ sort @tar ], [ sort @git ], 'it has what git has');
}

done_testing;
