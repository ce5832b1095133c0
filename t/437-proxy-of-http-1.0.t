# A proxy that speaks HTTP/1.0, as nginx does unless told otherwise, is a client
# like any other.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Nginx;


Msgbus::Nginx->limit(60);

my $bus = Msgbus::Nginx::free_port();

my $nginx = Msgbus::Nginx->new(
    http     => "msgbus_zone zone=bus:16m first_id=1;
                 msgbus_require_uuid off;
                 gzip on;
                 gzip_types application/json;
                 gzip_proxied any;
                 server {
                     listen 127.0.0.1:$bus;
                     location / { msgbus bus; }
                 }",
    location => "location / { gzip off; proxy_pass http://127.0.0.1:$bus; }
                 location /streamed/ {
                     gzip off;
                     proxy_pass http://127.0.0.1:$bus/;
                     proxy_buffering off;
                     proxy_request_buffering off;
                 }
                 location /cached/ {
                     proxy_pass http://127.0.0.1:$bus/;
                     proxy_cache_valid any 1h;
                     proxy_cache cache;
                     add_header X-Cached \$upstream_cache_status;
                 }",
);

$nginx->{http} .= "proxy_cache_path $nginx->{dir}/cache keys_zone=cache:1m;";
$nginx->start;

my $client = $nginx->client(agent => 'test/1.0');
my $large = '["' . 'x' x 500_000 . '"]';
my $n = 0;

for my $way ('', '/streamed') {
    for my $body ('[1]', ['[', '1]'], $large, [unpack '(a70000)*', $large]) {
        is($client->post("$way/a$n", $body)->id, ++$n, "$way: a POST");

        my $channel = $n - 1;
        my $r = $client->get("$way/a$channel");

        ok($r->events->[0]{data} eq (ref $body ? join '', @$body : $body),
           'a GET shows it');
        is($r->last_id, $n, 'with its cursor');
        is($r->header('Transfer-Encoding'), undef, 'in one piece');
    }

    is($client->get("$way/a0?last-known-id=1")->status, 204, 'an empty one');
    is($client->head("$way/a0")->status, 200, 'a HEAD');
    is($client->options("$way/a0")->status, 204, 'OPTIONS');

    my $r = $client->post("$way/a0", '[');

    is($r->status . $r->body, '400{ "message": "Invalid JSON" }', 'an error');

    my $waiting = $nginx->client(agent => 'waiting/1.0');

    $waiting->send($waiting->format(GET =>
                                    "$way/b?last-known-id=latest&wait=20"));
    $nginx->wait_for_readers(1);
    is($client->post('/b', '["waited"]')->id, ++$n, 'a POST');
    is($waiting->response->events->[0]{data}, '["waited"]',
       'wakes who waits');
    is($client->get("$way/b?last-known-id=$n&wait=1")->status, 204,
       'or the time is over');

    # what the bus compresses has no length

    $r = $client->get("$way/a2", 'Accept-Encoding' => 'gzip');

    is($r->status, 200, 'compressed');
}

# a cache in front has to ask

for my $time (1 .. 2) {
    my $r = $client->get('/cached/b');

    is($r->status, 200, 'through a cache');
    is($r->header('X-Cached'), 'MISS', 'that keeps nothing of it');
}

$nginx->quit;
$nginx->no_alerts;

done_testing;
