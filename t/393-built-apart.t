# A module that is built with --with-compat alone, which an nginx with HTTP/2
# and TLS takes, is right there; one that is built into nginx has its filters
# where they work; and what a newer compiler warns of does not stop a user's
# build, but our own.  One that is built without MongoDB needs no library for
# it, has memory and journals, and says what it can not do.

use strict;
use warnings;

use Digest::SHA qw(sha512);
use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp ();
use Test::More;

use Msgbus::Nginx;


my $root = "$FindBin::Bin/..";
my $source = $ENV{NGINX_SRC} || '/usr/share/nginx/src';
my $built = "$root/build/apart/ngx_http_msgbus_module.so";

plan skip_all => "needs the sources of nginx in $source"
    if !-x "$source/configure";
plan skip_all => 'needs a curl with HTTP/2, and openssl'
    if `curl --version 2>&1` !~ /\bHTTP2\b/
       || `sh -c 'command -v openssl'` eq '';

Msgbus::Nginx->limit(180);

# the sources without what a distribution has built its nginx with

my $apart = File::Temp::tempdir('apart-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);

symlink "$source/$_", "$apart/$_" or die "$apart/$_: $!\n"
    for qw( auto configure src );

open my $out, '>', "$apart/warns.h" or die "$apart/warns.h: $!\n";
print $out "#warning this is a warning\n";
close $out;

delete @ENV{qw( MAKEFLAGS MAKELEVEL MFLAGS CC MSGBUS_WITHOUT_MONGODB )};

# what would find libmongoc, and is not asked

mkdir "$apart/bin";
open $out, '>', "$apart/bin/pkg-config" or die "$apart/bin: $!\n";
print $out "#!/bin/sh\ntouch $apart/asked\nexit 1\n";
close $out;
chmod 0755, "$apart/bin/pkg-config";

my $path = $ENV{PATH};


sub build {
    my (@more) = @_;

    my @command = ('make', '-C', $root, '--no-print-directory', 'all',
                   'BUILD=build/apart', 'MONGODB=no', "NGINX_SRC=$apart",
                   'NGINX_FLAGS=--with-compat', 'LD_OPT=-fPIC',
                   "CC_OPT=-O0 -fPIC -include $apart/warns.h", @more);

    local $ENV{PATH} = "$apart/bin:$path";

    open my $pipe, '-|', 'sh -c \'exec "$@" 2>&1\' sh '
                         . join ' ', map { "'$_'" } @command
        or die "make: $!\n";

    my $said = do { local $/; <$pipe> };
    close $pipe;

    return ($?, $said);
}


# --- warnings

my ($rc, $said) = build('WERROR=1');

like($said, qr/^configure: building the module in build\/apart/m,
     'what takes a while is said before it begins');
isnt($rc, 0, 'where warnings are errors, one of them stops the build');
like($said, qr/error: #warning this is a warning/, '    and is shown');

($rc, $said) = build('WERROR=');

is($rc, 0, 'else it does not')
    or do { diag("no module to test with:\n$said"); done_testing; exit };
like($said, qr/warning: #warning this is a warning/, '    but is shown');


# --- without MongoDB

my @needs = `ldd '$built'` =~ /^\s*(\S+)/mg;

ok(!-e "$apart/asked", 'without MongoDB, nobody asks where libmongoc is');
is($?, 0, 'the module\'s libraries are all there');
is(join(' ', grep { /mongo|bson|sasl|ssl|krb5|icu|snappy|zstd/ } @needs), '',
   '    and no libmongoc, no libbson, and none that those need');


# --- built in

# nginx's own filters begin a list each, which forgets what stood there: a
# module of the type HTTP is before them where it is built in

my $in = File::Temp::tempdir('in-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);

$said = `cd '$apart' && ./configure --builddir='$in' --add-module='$root' 2>&1`;
is($?, 0, 'nginx is configured with the module in it') || diag($said);

like($said, qr/ \+ ngx_http_msgbus_module was configured/, '    and says so');

my ($modules) = Msgbus::Nginx::slurp("$in/ngx_modules.c")
                =~ /ngx_module_t \*ngx_modules\[\] = \{(.*?)\}/s;

like($modules // '', qr/&ngx_http_write_filter_module,.*
                        &ngx_http_headers_filter_module,.*
                        &ngx_http_msgbus_module,.*
                        &ngx_http_copy_filter_module,/xs,
     'it stands where the filters of other modules do');


# --- the module, in the nginx that all other tests run

my @ports = map { Msgbus::Nginx::free_port() } 1 .. 2;

$ENV{TEST_NGINX_LOAD_MODULES} = $built;

my $nginx = Msgbus::Nginx->new(
    http     => 'msgbus_zone zone=bus:2m first_id=1;
                 msgbus_zone zone=kept:2m store=disk;
                 msgbus_require_uuid off;',
    location => 'location /    { msgbus bus; msgbus_ping 200ms; }
                 location /kept/ { msgbus kept; }
                 location /key { msgbus_auth_prefix token_;
                                 return 200 "$msgbus_auth_key"; }',
);

my $dir = $nginx->{dir};

system("openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=bus"
       . " -keyout $dir/key -out $dir/crt 2> /dev/null") == 0
    or die "openssl failed\n";

$nginx->{http} .= "msgbus_journal disk { path $dir/disk; sync off; }";
$nginx->{http} .= "ssl_certificate $dir/crt; ssl_certificate_key $dir/key;";
$nginx->{listen} = [ "127.0.0.1:$ports[0] http2",
                     "127.0.0.1:$ports[1] ssl http2" ];
$nginx->start;

my $client = $nginx->client(agent => 'poster');

is($client->post('/c', qq({"n":$_}))->status, 201, 'it posts') for 1 .. 3;

my %way = (
    'HTTP/1.1'                => "http://127.0.0.1:$nginx->{port}/c",
    'HTTP/1.1 over TLS'       => "--http1.1 https://127.0.0.1:$ports[1]/c",
    'HTTP/2'                  => "--http2 https://127.0.0.1:$ports[1]/c",
    'HTTP/2 in the clear'     => '--http2-prior-knowledge'
                                 . " http://127.0.0.1:$ports[0]/c",
);

for my $name (sort keys %way) {
    my $text = `curl -skN -m 1 -H 'Accept: application/x-ndjson' $way{$name}`;

    is($? >> 8, 28, "$name: a stream goes on until its reader leaves");
    is(join(' ', $text =~ /"n":(\d)/g), '1 2 3', '    and has all events');
    like($text, qr/^\{"ping":3\}$/m, '    and pings');
}

my $token = 'x' x 300;

is($client->get('/key', 'X-Auth-Token' => $token)->body,
   join('-', map { sprintf '%02X', ord } split //, sha512("token_$token")),
   'a long token is hashed, though nginx was configured without SSL');

is($client->post('/kept/c', '{"n":1}')->status, 201, 'a journal takes events');
$nginx->quit;
$nginx->start;
like($nginx->client(agent => 'reader')->get('/kept/c')->body, qr/"data":\{"n":1\}/,
     '    and has them when nginx was stopped and started');
$nginx->quit;
$nginx->no_alerts;


# --- and a database

$nginx->{http} .= "\n    msgbus_mongodb main {\n uri mongodb://127.0.0.1:1/;\n }";
$nginx->configure;

my $binary = $ENV{TEST_NGINX_BINARY} || 'nginx';

$said = `'$binary' -t -p '$dir/' -c '$dir/nginx.conf' 2>&1`;

isnt($?, 0, 'a database does not go');
like($said, qr/\[emerg\].*? "msgbus_mongodb" is not in this build of the (?x:
               )module, which was made with MSGBUS_WITHOUT_MONGODB (?x:
               )in \S+nginx\.conf:(\d+)$/m, '    which is said');

my ($line) = $said =~ /nginx\.conf:(\d+)/;

like((split /\n/, Msgbus::Nginx::slurp("$dir/nginx.conf"))[($line // 1) - 1],
     qr/^ *msgbus_mongodb main/, '    with the line of the block');

done_testing;
