# What debian/ says is true of the tree that it is in: one version everywhere,
# the files that it installs are there, its scripts are scripts.  Whether the
# packages can be built and used, "make check-deb" finds out.

use strict;
use warnings;

use FindBin;
use File::Find ();
use File::Temp ();
use Test::More;


chdir "$FindBin::Bin/.." or die "$FindBin::Bin/..: $!\n";

sub slurp {
    my ($file) = @_;

    open my $in, '<', $file or die "$file: $!\n";
    local $/;
    return scalar <$in>;
}

sub lines {
    my ($file) = @_;

    return grep { /\S/ && !/^#/ } split /\n/, slurp($file);
}

# what a command said, on both outputs, and its exit code

sub run {
    my $said = `@_ 2>&1`;

    return ($said, $? >> 8);
}


my ($version) = slurp('src/bus/ngx_msgbus.h')
                =~ /NGX_MSGBUS_VERSION\s+"(.*)"/;

# what is being prepared stands above it, and has no date yet

my ($changes) = slurp('CHANGES')
                =~ /^Changes with msgbus (\S+) +\d+ \w+ \d{4}$/m;

is($changes, $version, 'the newest version of CHANGES is that of the module');
like(slurp('docs/msgbus-journal.1'), qr/^\.TH \S+ 1 \S+ "msgbus \Q$version\E" /m,
     'so is that of the manual page');

SKIP: {
    skip 'no dpkg-parsechangelog here', 2
        if system('command -v dpkg-parsechangelog > /dev/null');

    my ($said, $code) = run('dpkg-parsechangelog -l debian/changelog -S Version');

    is($code, 0, 'debian/changelog can be read');
    like($said, qr/^\Q$version\E-\d+$/, 'and begins with the version, too');
}

my $control = slurp('debian/control');
my @packages = $control =~ /^Package: (\S+)$/mg;

is_deeply(\@packages, [ qw( libnginx-mod-http-msgbus msgbus-tools msgbus-doc ) ],
          'there are three packages');

# what the build puts below usr/ is not there yet; the rest is in the tree

my (@missing, @odd);

for my $file (glob 'debian/*.{install,docs,examples,dirs,manpages,links,postinst,lintian-overrides}') {
    my ($package, $kind) = $file =~ m{^debian/(.*)\.([\w-]+)$};

    push @odd, $file if !grep { $_ eq $package } @packages;

    next if $kind !~ /^(?:install|docs|examples|manpages)$/;

    for my $line (lines($file)) {
        my ($from) = split ' ', $line;

        push @missing, "$file: $from"
            if $from !~ m{^usr/} && !grep { -e } glob $from;
    }
}

is("@odd", '', 'each file in debian/ belongs to one of them');
is("@missing", '', 'all that they are to install is there');


# --- what is installed as documentation: the same folders as in the tree, so
# its links lead somewhere; what is of use in the sources alone is not there, and
# the manual page is where those are

my %doc = map { $_ => 1 } lines('debian/msgbus-doc.docs');

for my $line (lines('debian/msgbus-doc.install')) {
    my ($from, $to) = split ' ', $line;
    my ($folder) = $from =~ m{^(.*)/};

    is($to, join('/', 'usr/share/doc/msgbus-doc', $folder // ()),
       "$from is in the same place");

    File::Find::find({ no_chdir => 1, wanted => sub { $doc{$_} = 1 } },
                     glob $from);
}

my $apart = qr{^(?:LICENSE|CHANGES|CONTRIBUTING\.md|docs/msgbus-journal\.1)$
               |^(?:bench|findings|docs/dev)/}x;
my @dangling;

for my $page (grep { /\.md$/ } sort keys %doc) {
    my ($folder) = $page =~ m{^(.*/)?};

    for my $to (slurp($page) =~ /\]\(([^)\s#:]+)[)#]/g) {
        my $path = ($folder // '') . $to;

        1 while $path =~ s{[^/]+/\.\./}{};
        $path =~ s{/$}{};

        push @dangling, "$page: $path" if !$doc{$path} && $path !~ $apart;
    }
}

is("@dangling", '', 'the pages of msgbus-doc link to what is in it');
ok($doc{$_}, "it has $_")
    for qw( docs/openapi.yaml docs/asyncapi.yaml docs/examples/subscribe.py
            contrib/prometheus/msgbus.rules.yml contrib/grafana/msgbus.json );


# --- the example

my ($example) = lines('debian/libnginx-mod-http-msgbus.examples');
my ($there) = lines('debian/libnginx-mod-http-msgbus.dirs');
my ($file) = $example =~ m{([^/]+)$};

like(slurp($example), qr{^\s*path /\Q$there\E/\w+;}m,
     'the journal of the example is in the folder of the package');
like(slurp('debian/libnginx-mod-http-msgbus.README.Debian'),
     qr{cp /usr/share/doc/libnginx-mod-http-msgbus/examples/\Q$file\E },
     'README.Debian says where the example is');

like(slurp('debian/copyright'), qr/\QRedistribution and use in source\E/,
     'the license is in debian/copyright');

for my $script (qw( debian/rules debian/tests/publish-and-read tools/chroot
                    tools/deb tools/check-deb tools/deb-life tools/install
                    tools/mirrors ))
{
    ok(-x $script, "$script can be run");
}

for my $script (glob('debian/*.postinst'), 'debian/tests/publish-and-read') {
    my ($said, $code) = run("sh -n $script");

    is($said . $code, '0', "$script is a script of the shell");
}

is_deeply([ map { /^Tests: (.*)/ ? split(/[ ,]+/, $1) : () }
            lines('debian/tests/control') ],
          [ 'publish-and-read' ],
          'autopkgtest finds the test');

# what "make deb" installs and what the control file asks for

my ($needed) = run('tools/deb --needed');
my ($depends) = $control =~ /^Build-Depends:\n((?: .*\n)+)/m;

for my $name ($depends =~ /^ ([\w.+-]+)/mg) {
    my $by = { 'debhelper-compat' => 'debhelper',
               'dh-sequence-nginx' => 'nginx-dev' }->{$name} // $name;

    like(" $needed", qr/\s\Q$by\E\s/, "\"make deb\" installs $by");
}

# --- the table of "make check-deb"

my ($rows) = slurp('tools/check-deb') =~ /^rows="(.*?)"$/ms;
my ($table) = slurp('docs/install.md')
              =~ /<!-- check-deb -->\n(.*?)<!-- end of check-deb -->/s;
my @cells = map { [ map { s/^ | $//gr } split /\|/, $_ ] }
            ($table // '') =~ /^\|(.*)\|$/mg;

is_deeply([ map { $_->[0] } @cells ],
          [ '', '---', 'nginx', 'libmongoc',
            (map { s/^\w+://r =~ s/\\//gr } split /\n/, $rows), 'date' ],
          'docs/install.md has the row of each step');
is(join(' ', map { "$_->[0]: $_->[1]" }
             grep { $_->[1] ne 'yes' } @cells[4 .. $#cells - 1]), '',
   'bookworm passes each');


# tools/chroot refuses what it does not understand before it makes anything

my $empty = File::Temp->newdir;

for (
    [ 'trixie', qr/usage/, 'no command' ],
    [ '--nonsense trixie true', qr/usage/, 'an option that it has not' ],
    [ '../x true', qr/no release of Debian/, 'a path for a release' ],
    [ '--bind /x trixie true', qr/is not SRC:/, 'half of a bind' ],
    [ '--bind /no/such:/x trixie true', qr/no folder/, 'a folder that is not' ],
) {
    my ($arguments, $why, $title) = @$_;
    my ($said, $code) = run("MSGBUS_CHROOTS=$empty tools/chroot $arguments");

    is($code, 125, "tools/chroot refuses $title");
    like($said, $why, 'and says so');
}

is_deeply([ glob "$empty/*" ], [], 'and has made nothing');

done_testing;
