# A channel may be what auth_request asks, and what it guards.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Nginx;


Msgbus::Nginx->limit(60);

my $nginx = Msgbus::Nginx->new(
    http     => 'msgbus_zone zone=bus:1m first_id=1;
                 msgbus_jsonp on;
                 msgbus_require_uuid off;',
    location => <<'END',
location /bus/ {
    msgbus bus;
}

# a bus that asks itself
location /guarded/ {
    msgbus bus;
    auth_request /gate;
}

location = /gate {
    internal;
    msgbus bus;
    msgbus_channel /gate/$http_x_name;
}

# files that ask it
location /file {
    auth_request /gate;
    alias html/;
}

# one that waits, or posts, does neither
location /waits/ {
    msgbus bus;
    auth_request /wait;
}

location = /wait {
    rewrite ^ /bus/gate?wait=20&last-known-id=latest? last;
}

location /posts/ {
    msgbus bus;
    auth_request /post;
}

location = /post {
    rewrite ^ "/bus/gate?method=POST&post-data={}&callback=f?" last;
}
END
);

mkdir "$nginx->{dir}/html";
open my $file, '>', "$nginx->{dir}/html/a.txt" or die "a.txt: $!\n";
print $file "file\n";
close $file;

$nginx->start;

my $client = $nginx->client(agent => 'test/1.0');
my @a = ('X-Name' => 'a');
my $large = '["' . 'x' x 40_000 . '"]';

# 204 and 200 both let in

for my $time (1 .. 2) {
    is($client->post('/guarded/a', $_, @a)->status, 201, 'a POST')
        for '[1]', ['[', '1]'], $large, [$large];

    my $r = $client->get('/guarded/a?max-events=1', @a);

    is($r->status, 200, 'a GET');
    is(scalar @{ $r->events }, 1, 'reads its own channel');
    is(@{ $r->{headers}{'msgbus-last-id'} }, 1, 'and one cursor');
    is(@{ $r->{headers}{'cache-control'} }, 1, 'with one of each header');

    is($client->get('/file/a.txt', @a)->body, "file\n", 'a file');

    is($client->post('/bus/gate/a', '{"open":1}')->status, 201, 'the gate')
}

# what the bus refuses lets nobody in

for my $name ('a.b', '') {
    my $r = $client->post('/guarded/no', '[1]', 'X-Name' => $name);

    is($r->status, 500, 'a gate that answers 400');
    is($r->body, '{ "message": "Internal Server Error" }', 'is an error');
    is($client->get('/file/a.txt', 'X-Name' => $name)->status, 500,
       'for files too');
}

is($client->get('/bus/no')->status, 204, 'and nothing is stored');

my $began = $client->now;

is($client->post('/waits/a', '[2]')->status, 201, 'a gate does not wait');
cmp_ok($client->now - $began, '<', 5 * $Msgbus::Nginx::PATIENCE, 'at all');
isnt($client->post('/posts/no', '[2]')->status, 201, 'nor does it post');
is($client->get('/bus/gate')->status, 204, 'anything');
is($client->get('/bus/no')->status, 204, 'anywhere');

is(() = $nginx->worker_pids, 1, 'the worker is alive');
$nginx->quit;
$nginx->no_alerts;

done_testing;
