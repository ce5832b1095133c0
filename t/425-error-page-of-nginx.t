# An error_page may be a file, an address, or a location, the bus among them,
# for what nginx itself refuses and for what the bus does.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Nginx;


Msgbus::Nginx->limit(60);

my $nginx = Msgbus::Nginx->new(
    http     => 'msgbus_zone zone=bus:1m first_id=1;
                 msgbus_zone zone=full:1m first_id=1000 full=reject
                             max_events=1;
                 msgbus_scope exact parent all;
                 limit_req_zone $arg_limit zone=limit:1m rate=1r/m;',
    location => <<'END',
msgbus_require_uuid off;

location /file/ {
    msgbus bus;
    client_max_body_size 1k;
    error_page 400 403 413 503 /sorry.txt;
    limit_req zone=limit;
    if ($arg_deny) { return 403; }
}

location /named/ {
    msgbus bus;
    client_max_body_size 1k;
    error_page 400 413 = @sorry;
}

location /moved/ {
    msgbus bus;
    client_max_body_size 1k;
    error_page 400 413 http://example.org/sorry;
}

location /recursive/ {
    msgbus bus;
    recursive_error_pages on;
    error_page 400 = @again;
}

location @again {
    error_page 418 =410 @sorry;
    recursive_error_pages on;
    return 418;
}

location @sorry {
    default_type text/plain;
    return 200 "sorry\n";
}

location = /sorry.txt {
    internal;
}

# a bus behind a bus

location /full/ {
    msgbus full;
    error_page 507 = @overflow;
}

location @overflow {
    msgbus bus;
    msgbus_channel $uri;
}

location /twice/ {
    msgbus bus;
    error_page 400 = @twice;
}

location @twice {
    msgbus bus;
    msgbus_channel /twice;
}

location /small/ {
    msgbus bus;
    client_max_body_size 1k;
    error_page 413 = @large;
}

location @large {
    msgbus bus;
    msgbus_channel /large;
    client_max_body_size 10m;
}

location /see/ {
    msgbus bus;
}
END
);

mkdir "$nginx->{dir}/html";
open my $file, '>', "$nginx->{dir}/html/sorry.txt" or die "sorry.txt: $!\n";
print $file "sorry\n";
close $file;

$nginx->start;

my $client = $nginx->client(agent => 'test/1.0');
my $large = '["' . 'x' x 5000 . '"]';

sub told {
    my ($r) = @_;

    return $r->failure ? $r->error : $r->status . ' ' . $r->body;
}

sub events {
    my ($channel) = @_;

    return scalar @{ $client->get($channel)->events };
}

for my $error ([400, '/file/a', '{'], [400, '/file/a?max-events=0'],
               [413, '/file/a', $large], [413, '/file/a', [$large]],
               [403, '/file/a?deny=1'], [403, '/file/a?deny=1', '{}'])
{
    my ($status, $uri, $body) = @$error;
    my $r = $client->request($body ? 'POST' : 'GET', $uri, $body);

    is(told($r), "$status sorry\n", "a file for $status of $uri");
    is($r->header('Content-Type'), 'text/plain', 'as what it is');
}

is($client->get('/file/a?limit=1')->status, 204, 'what the limit allows');
is(told($client->get('/file/a?limit=1')), "503 sorry\n", 'and what not');
is(told($client->request('PUT', '/file/a', '{}')),
   '405 { "message": "Method Not Allowed" }',
   'an error that has no page stays JSON');

is(told($client->post('/named/a', '{')), "200 sorry\n", 'a named location');
is(told($client->post('/named/a', $large)), "200 sorry\n",
   'for what nginx refuses');
is(told($client->post('/named/a', [$large])), "200 sorry\n", 'in chunks');

my $r = $client->post('/moved/a', '{');

is($r->status . $r->header('Location'), '302http://example.org/sorry',
   'another address');
is($client->post('/moved/a', $large)->status, 302, 'for nginx\'s errors too');

is(told($client->post('/recursive/a', '{')), "410 sorry\n",
   'pages of pages');

# nothing was stored

is($client->get('/see/?events=all')->status, 204, 'none of that is stored');

# to the bus

is($client->post('/full/a', '[1]')->id, 1000, 'a bus that has room');
is($client->post('/full/a', '[2]')->id, 1, 'a full one may hand over');
is($client->post('/full/a', ['[', ('3'), ']'])->id, 2, 'a body in chunks too');
is($client->post('/full/a', '["' . 'x' x 40_000 . '"]')->id, 3,
   'and one that went through a file');
is(events('/see/full/a'), 3, 'each once');

is(told($client->post('/twice/a', '{')), '400 { "message": "Invalid JSON" }',
   'what is no JSON is not better the second time');
is($client->get('/see/twice')->status, 204, 'nor stored');
is($client->post('/twice/a.b', '[4]')->id, 4,
   'a channel that cannot be may lead to one that can');
is(events('/see/twice'), 1, 'once');

$r = $client->post('/small/a', $large);

is($r->status, 400, 'a body that nginx has thrown away is not there any more');
is($client->get('/see/large')->status, 204, 'and nothing is stored');
is($client->post('/small/a', '[5]')->status, 201, 'a small one is');

$nginx->quit;
$nginx->no_alerts;

done_testing;
