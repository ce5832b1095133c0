# msgbus_origin: which pages may post from a browser, which sends an Origin with
# each POST and asks nobody first.  By default those of the server's own names;
# a program, which sends none, is not meant.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Nginx;


plan skip_all => 'needs openssl' if `sh -c 'command -v openssl'` eq '';

Msgbus::Nginx->limit(60);

my ($tls, $many) = map { Msgbus::Nginx::free_port() } 1 .. 2;

my $names = <<'END';
server_name example.org WWW.Example.org *.wild.example .dot.example mail.*
            ~^(?<who>[a-z]+)\.regex\.example$;
END

my $nginx = Msgbus::Nginx->new(
    http     => 'msgbus_zone zone=bus:4m first_id=1;',
    location => $names . <<'END',
location /       { msgbus bus; }
location /list/  { msgbus bus;
                   msgbus_origin https://one.example http://two.example:8080
                                 https://*.three.example app://local
                                 http://[::1]:81; }
location /any/   { msgbus bus; msgbus_origin any; }
location /rse/   { msgbus bus; msgbus_rse on; }
location /both/  { msgbus bus; msgbus_rse on;
                   msgbus_origin https://one.example; }
location /jsonp/ { msgbus bus; msgbus_jsonp on; }
location /open/  { msgbus bus; msgbus_jsonp on; msgbus_origin any; }
END
);

my $dir = $nginx->{dir};

system("openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=bus"
       . " -keyout $dir/key -out $dir/crt 2> /dev/null") == 0
    or die "openssl failed\n";

$nginx->{http} .= <<"END";
ssl_certificate $dir/crt;
ssl_certificate_key $dir/key;

server {
    listen 127.0.0.1:$many default_server;
    server_name _;
    location / { msgbus bus; }
}

server {
    listen 127.0.0.1:$many;
    server_name named.example;
    location / { msgbus bus; msgbus_origin https://one.example; }
    location /inner/ { msgbus bus; msgbus_origin http://inner.example; }
}
END

$nginx->{listen} = ["127.0.0.1:$tls ssl http2"];
$nginx->start;

my $port = $nginx->{port};
my $client = $nginx->client;
my $refused = '403{ "message": "Origin not allowed" }';

sub told {
    my ($r) = @_;

    return $r->status . ($r->status == 403 ? $r->body : '');
}

sub post {
    my ($path, $origin, @headers) = @_;

    return told($client->post($path, '{}', Origin => $origin, @headers));
}


# --- who is not meant

is($client->post('/a', '{}')->status, 201, 'a program posts');
is($client->get('/a?echo=true', Origin => 'https://evil.example')->status, 200,
   'who reads is asked nothing: what a page may read is for CORS to say');
is($client->options('/a', Origin => 'https://evil.example')->status, 204,
   'nor who asks what it may');


# --- by default the server's names, at the port and by the scheme it listens to

is(post('/a', "http://example.org:$port"), 201, 'a page of the server posts');
is(post('/a', "http://EXAMPLE.org:$port"), 201, '    in whatever case');
is(post('/a', "http://www.example.org:$port"), 201, '    by any of its names');
is(post('/a', "http://mail.anything.example:$port", Host => 'example.org'),
   $refused, 'that of a pattern only where it is the request\'s own name');

my %host = (
    'one.wild.example'    => 201,
    'a.b.wild.example'    => 201,
    'wild.example'        => $refused,
    'notwild.example'     => $refused,
    'dot.example'         => 201,
    'a.dot.example'       => 201,
    'adot.example'        => $refused,
    'mail.example'        => $refused,
    'mail.evil.example'   => $refused,
    'mail.'               => $refused,
    'alice.regex.example' => 201,
    'a1.regex.example'    => $refused,
    'regex.example'       => $refused,
);

for my $name (sort keys %host) {
    is(post('/a', "http://$name:$port", Host => "$name:$port"), $host{$name},
       "a page of $name");
    is(post('/a', "http://$name:$port", Host => 'example.org'), $refused,
       '    and to another name of the server');
}

for my $origin ('http://example.org', 'http://example.org:80',
                "http://example.org:$tls", "https://example.org:$port",
                "http://evil.example:$port", "http://example.org.evil.example:$port",
                "http://evilexample.org:$port", "http://127.0.0.1:$port", 'null',
                'NULL', '', 'http://', "http://example.org:$port/",
                "http://user\@example.org:$port", "http://example.org:$port:80",
                "http://example.org:x", "http://*.wild.example:$port",
                "http://example.org:$port http://example.org:$port",
                "example.org:$port", "//example.org:$port", 'file://',
                'chrome-extension://abcdefgh', 'http://[::1', 'x' x 2000)
{
    is(post('/a', $origin), $refused, 'not "' . substr($origin, 0, 60) . '"');
}

is(post('/a', "http://evil.example:$port", Host => "evil.example:$port"),
   $refused, 'nor what the Host says too: the name is made to point here');
is(told($client->post('/a', '{}', Origin => "http://example.org:$port",
                      origin => "http://evil.example:$port")),
   $refused, 'nor two of them');
is(told($client->post('/a', "{}\n{}", Origin => 'https://evil.example',
                      'Content-Type' => 'application/x-ndjson')),
   $refused, 'nor a batch');
is(told($client->post('/a', ['{', '}'], Origin => 'https://evil.example')),
   $refused, 'nor a body without a length');
ok($client->{sock}, 'and the connection goes on');

# over TLS

my $curl = "curl -sk -o /dev/null -w '%{http_code}' -d '{}'";

is(`$curl --http1.1 -H 'Origin: https://example.org:$tls' https://127.0.0.1:$tls/a`,
   201, 'over TLS it is https');
is(`$curl --http2 -H 'Origin: https://example.org:$tls' https://127.0.0.1:$tls/a`,
   201, '    over HTTP/2 too');
is(`$curl -H 'Origin: http://example.org:$tls' https://127.0.0.1:$tls/a`, 403,
   '    and not http');

# a server without a name

my $other = Msgbus::Client->new(to => "127.0.0.1:$many");

is(told($other->post('/a', '{}', Origin => "http://_:$many", Host => '_')), 201,
   'a name is a name');
is(told($other->post('/a', '{}', Origin => "http://127.0.0.1:$many")), $refused,
   'but an address is none, unless it is listed or named');
is($other->post('/a', '{}')->status, 201, '    a program posts');
is(told($other->post('/a', '{}', Host => 'named.example',
                     Origin => "http://named.example:$many")), $refused,
   'each server has its own list');
is(told($other->post('/a', '{}', Host => 'named.example',
                     Origin => 'https://one.example')), 201,
   '    in place of its names');
is(told($other->post('/inner/a', '{}', Host => 'named.example',
                     Origin => 'https://one.example')), $refused,
   'and each location');


# --- a list

my %listed = (
    'https://one.example'          => 201,
    'https://one.example:443'      => 201,
    'HTTPS://One.Example'          => 201,
    'http://one.example'           => $refused,
    'https://one.example:8443'     => $refused,
    'http://two.example:8080'      => 201,
    'http://two.example'           => $refused,
    'https://a.three.example'      => 201,
    'https://three.example'        => $refused,
    'https://athree.example'       => $refused,
    'http://a.three.example'       => $refused,
    'app://local'                  => 201,
    'http://[::1]:81'              => 201,
    'http://[::2]:81'              => $refused,
    "http://example.org:$port"     => $refused,
    'null'                         => $refused,
);

is(post('/list/a', $_), $listed{$_}, "list: $_") for sort keys %listed;

is($client->post('/list/a', '{}')->status, 201, 'list: a program posts');


# --- any, and clients of RSE

for my $path (qw( /any/a /rse/a )) {
    $client->{agent} = 'uuid/w';
    is(post($path, $_), 201, "$path: \"$_\"")
        for 'https://evil.example', 'null', '', 'nonsense';
}

is(post('/both/a', 'https://one.example'), 201,
   'with msgbus_rse and a list, the list counts');
is(post('/both/a', 'https://evil.example'), $refused, '    alone');


# --- by JSONP, which has no Origin

my $jsonp = '?method=POST&post-data={}&callback=f';

for (['/jsonp/a', 'cross-site', 403], ['/jsonp/a', 'Cross-Site', 403],
     ['/jsonp/a', 'same-site', 200], ['/jsonp/a', 'same-origin', 200],
     ['/jsonp/a', 'none', 200], ['/open/a', 'cross-site', 200],
     ['/rse/a', 'cross-site', 200], ['/both/a', 'cross-site', 403])
{
    my ($path, $site, $status) = @$_;

    is($client->get("$path$jsonp", 'Sec-Fetch-Site' => $site)->status, $status,
       "$path: a script of a page that is $site: $status");
}

is($client->get("/jsonp/a$jsonp")->status, 200,
   'a browser that does not say so posts by JSONP, once that is on');
is(told($client->get("/jsonp/a$jsonp", Origin => 'https://evil.example')),
   $refused, 'but not with the Origin of another');
is($client->get('/jsonp/a?callback=f', 'Sec-Fetch-Site' => 'cross-site')
          ->status, 200, 'a read is none of it');


# --- what the log says, and what is refused

like(($nginx->log(0, 'info', 'refused a post by a page'))[-1] // '',
     qr{msgbus refused a post by a page of "https://\S+", list it in msgbus_origin},
     'the log says why');

$nginx->quit;
$nginx->no_alerts;

for my $bad ('example.org', 'https://example.org/', 'null', '*', 'https://',
             'https://example.org:0', 'https://example.org:70000',
             'https://example.org any', 'any https://example.org',
             'https://*', 'https://a.*.example', 'https://[::1')
{
    my $broken = Msgbus::Nginx->new(
        http     => 'msgbus_zone zone=bus:1m;',
        location => "location / { msgbus bus; msgbus_origin $bad; }");

    ok(!eval { $broken->start }, "nginx does not start with \"$bad\"");
    like($@, qr/invalid origin "[^"]+", write it as "https:/, '    and says so');
}

my $twice = Msgbus::Nginx->new(
    http     => 'msgbus_zone zone=bus:1m;',
    location => 'location / { msgbus bus; msgbus_origin any;
                              msgbus_origin any; }');

ok(!eval { $twice->start }, 'twice in one place');
like($@, qr/"msgbus_origin" directive is duplicate/, '    is refused');

done_testing;
