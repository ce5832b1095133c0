# Every answer to a POST says how much of it is stored, whoever gives it: so a
# poster knows what to post again.  "Retry-After" is only where that is all.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Nginx;


Msgbus::Nginx->limit(60);

my $nginx = Msgbus::Nginx->new(
    http     => 'msgbus_zone zone=bus:4m first_id=1;
                 msgbus_zone zone=few:1m first_id=1 max_events=2 full=reject;
                 proxy_cache_path cache keys_zone=cache:1m;
                 limit_req_zone $binary_remote_addr zone=one:1m rate=1r/m;
                 msgbus_require_uuid off;
                 msgbus_jsonp on;
                 msgbus_scope exact parent all;',
    location => <<'END_OF_LOCATION',
location /bus/     { msgbus bus; }
location /few/     { msgbus few; }
location /small/   { msgbus bus; client_max_body_size 4; }
location /denied/  { msgbus bus; deny all; }
location /limited/ { msgbus bus; limit_req zone=one; }
location /page/    { msgbus bus; error_page 400 405 500 502 503 504 507 /50x; }
location /named/   { msgbus bus; error_page 400 503 507 = @sorry; }
location /refused/ { msgbus bus; deny all; error_page 403 = @sorry; }
location /large/   { msgbus bus; client_max_body_size 4; error_page 413 /50x; }
location /unknown/ { msgbus bus; deny all; error_page 403 http://elsewhere/; }
location /goes-on/ { msgbus bus; deny all; error_page 403 = @other; }
location /away/    { msgbus bus; error_page 400 503 507 http://elsewhere/; }
location /fewpage/ { msgbus few; error_page 503 507 /50x; }
location /text/    { msgbus bus; return 403 "no\n"; }
location /moved/   { msgbus bus; return 307 /bus/a; }
location = /50x    { internal; return 200 sorry; }
location @sorry    { return 200 sorry; }
location /read/    { msgbus bus; msgbus_methods read; }
location /again/   { msgbus few; error_page 507 = @other; }
location @other    { msgbus bus; msgbus_channel /a; }
location /added/   { msgbus bus; add_header X-Added 1; }
location /off/     { msgbus bus; msgbus_jsonp off; }

location /cached/ {
    proxy_pass http://127.0.0.1:$server_port/bus/c$is_args$args;
    proxy_cache cache;
    proxy_cache_valid any 1h;
}
END_OF_LOCATION
)->start;

my $client = $nginx->client(agent => 'poster/1.0');
my @batch = ('Content-Type' => 'application/x-ndjson');

# of every answer, it is the last of the bus's headers: what is whole behind a
# broken connection shows that the id before it is

my (@first, $told);

sub told {
    my ($r) = @_;

    if ($r->header('Msgbus-Stored')) {
        $told++;
        push @first, $r->{head} if $r->{head} !~ /\r\nMsgbus-Stored: \w+\r\n\z/i;
    }

    return join ' ', $r->status, $r->header('Msgbus-Stored') // 'not told',
           @{ $r->{headers}{'msgbus-stored'} || [] } > 1 ? 'twice' : ();
}

my $by_get = 'method=POST&post-data=[1]';

# stored

is(told($client->post('/bus/a', '{}')), '201 all', 'what is stored');
is(told($client->post('/bus/a', "{}\n{}\n", @batch)), '201 all', 'a batch');
is(told($client->post('/bus/a?callback=f', '{}')), '200 all',
   'with a callback');
is(told($client->get("/bus/a?$by_get")), '201 all', 'by GET');
is(told($client->get("/bus/a?$by_get&callback=f")), '200 all', 'by JSONP');
is(told($client->post('/bus/a', '{}', Prefer => 'return=representation')),
   '201 all', 'and is shown');

# not stored, and who says so

is(told($client->post('/bus/a', '{')), '400 none', 'what is no JSON');
is(told($client->post('/bus/a.b', '{}')), '400 none', 'no channel');
is(told($client->post('/bus/a?callback=-', '{}')), '400 none', 'no callback');
is(told($client->get('/bus/a?method=POST')), '400 none', 'no data by JSONP');
is(told($client->get("/off/a?$by_get")) =~ s/^40[35] //r, 'none',
   'no JSONP there');
is(told($client->post('/read/a', '{}')), '405 none', 'where it is read only');
is(told($client->post('/bus/health', '{}')), '405 none', 'health');
is(told($client->post('/small/a', '{"a":1}')), '413 none', 'nginx: too large');
is(told($client->post('/denied/a', '{}')), '403 none', 'nginx: not allowed');
$client->post('/limited/a', '{}');
is(told($client->post('/limited/a', '{}')), '503 none', 'nginx: too often');
is(told($client->get("/denied/a?$by_get")), '403 none',
   'nginx: not allowed by GET');
is(told($client->get("/limited/a?$by_get")), '503 none',
   'nginx: too often by GET');
is(told($client->get("/bus/a.b?$by_get")), '400 none', 'no channel by GET');

# no POST

is(told($client->get('/bus/a')), '200 not told', 'a read');
is(told($client->get('/bus/a?max-events=0')), '400 not told', 'a bad read');
is(told($client->request('PUT', '/bus/a', '{}')), '405 not told', 'a PUT');

# with a page of the user's

is(told($client->post('/page/a', '{')), '400 none', 'with an error_page');
is(told($client->post('/named/a', '{')), '200 none', 'a named one');
is(told($client->post('/away/a', '{')), '302 none', 'one elsewhere');

is(told($client->post('/refused/a', '{}')), '200 none',
   'one of what nginx has refused');
is(told($client->get("/refused/a?$by_get")), '200 none', 'and that by GET');
is(told($client->post('/large/a', '{"a":1}')), '413 none', 'too large');
is(told($client->post('/unknown/a', '{}')), '302 none', 'and elsewhere');
is(told($client->get('/refused/a')), '200 not told', 'but not of a read');
is(told($client->post('/goes-on/a', '{}')), '201 all',
   'and where a bus takes it, that one says it');

is(told($client->post('/text/a', '{}')), '403 none',
   'where the configuration refuses it with a text');
is(told($client->get("/text/a?$by_get")), '403 none', 'and by GET');
is(told($client->get('/text/a')), '403 not told', 'but not of a read');
is(told($client->post('/moved/a', '{}')), '307 not told', 'nor where it is sent on');

# in part: a batch of three where there is room for two

my $r = $client->post('/few/a', "[1]\n[2]\n[3]\n", @batch);

is(told($r), '503 2', 'of a batch, how many');
is($r->body, '{ "message": "Only the first 2 events were stored",'
             . ' "ids": [1,2] }', 'and which');
is($r->header('Retry-After'), undef, 'it is not to be posted again');
is(told($client->post('/few/a', '[4]')), '507 none', 'no room');

$r = $client->post('/fewpage/b', "[1]\n[2]\n", @batch);
is(told($r), '507 none', 'no room, with a page');

# a coding is not undone

$r = $client->post('/bus/a', "\x1f\x8b\x08", 'Content-Encoding' => 'gzip');
is(told($r), '415 none', 'a body with a coding is refused');
is($r->header('Accept-Encoding'), 'identity', 'and which one is not');
is($client->post('/bus/a', '{}', 'Content-Encoding' => 'Identity')->status,
   201, 'this one is none');
is($client->post('/bus/a', '{}', 'Content-Encoding' => '')->status, 201,
   'nor is an empty one');

# what is posted by GET is posted each time

my $last = $client->get('/bus/a')->last_id;

for my $query ("$by_get&callback=f", $by_get) {
    my @ids = map { $client->get("/cached/cached?$query")->id } 1 .. 3;

    is("@ids", join(' ', $last + 1 .. $last + 3), "?$query is in no cache");
    $last += 3;
}

is($client->get("/bus/a.b?$by_get")->header('Cache-Control'), 'no-store',
   'nor is its error');
$r = $client->get("/bus/a?$by_get&callback=f");
is("@{ $r->{headers}{'cache-control'} }", 'no-store', 'once');

# told last, also where a second location tells it anew, or nginx adds headers

is(told($client->post('/again/a', '[1]')), '201 all', 'where a second location tells');

my @key = ('Idempotency-Key' => '"k"', Prefer => 'return=representation');

is(told($client->post('/bus/a', '[1]', @key)), '201 all', 'with a key');
is(told($client->post('/bus/a', '[1]', @key)), '201 all', 'and again');
cmp_ok($told, '>=', 25, 'in many answers');
is("@first", '', 'it is the last header');

$r = $client->post('/added/a', '[1]');
like($r->{head}, qr/\r\nMsgbus-Id: \d+\r\nMsgbus-Stored: all\r\nX-Added: 1\r\n\z/,
     'of the bus: those of the configuration come behind it');

$nginx->quit;
$nginx->no_alerts;

done_testing;
