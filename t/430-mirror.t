# A mirror of a POST does not publish it: the copy of a request may read.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Nginx;


Msgbus::Nginx->limit(60);

my $backend = Msgbus::Nginx::free_port();

my $nginx = Msgbus::Nginx->new(
    http     => "msgbus_zone zone=bus:1m first_id=1;
                 msgbus_jsonp on;
                 msgbus_require_uuid off;
                 log_format backend '\$request_method \$uri \$request_length';
                 server {
                     listen 127.0.0.1:$backend;
                     access_log backend.log backend;
                     location / {
                         proxy_pass http://127.0.0.1:$backend/sink/;
                     }
                     location /sink/ { access_log off; return 200 sink; }
                 }",
    location => <<"END",
location /bus/ { msgbus bus; }

# to the bus

location /app/ {
    mirror /copy;
    proxy_pass http://127.0.0.1:$backend;
}

location /page/ {
    mirror /copy;
    mirror /copy2;
    proxy_pass http://127.0.0.1:$backend;
}

location /copy {
    internal;
    msgbus bus;
    msgbus_channel /copied;
}

# from the bus

location /told/ {
    msgbus bus;
    mirror /tell;
}

location = /tell {
    internal;
    proxy_pass http://127.0.0.1:$backend\$request_uri;
}

# both

location /both/ {
    msgbus bus;
    mirror /copy;
    mirror_request_body off;
}
END
)->start;

my $client = $nginx->client(agent => 'test/1.0');
my $large = '["' . 'x' x 40_000 . '"]';
my @bodies = ('[1]', ['[', '1]'], $large, [$large]);

for my $location (qw(app page)) {
    for my $body (@bodies, '[') {
        is($client->post("/$location/a", $body)->body, 'sink',
           "a POST that is mirrored to the bus, at /$location/");
    }

    is($client->get("/$location/a")->body, 'sink', 'a GET');
    is($client->get("/$location/a?wait=20&last-known-id=latest")->body, 'sink',
       'one that would wait');
    is($client->get("/$location/a?method=POST&post-data={}&callback=f")->body,
       'sink', 'one that would post');
}

is($client->get('/bus/copied')->status, 204, 'nothing of them is stored');

my $n = 0;

for my $location (qw(told both)) {
    for my $body (@bodies) {
        is($client->post("/$location/$location", $body)->id, ++$n,
           "a POST to the bus that is mirrored, at /$location/");
    }

    my $r = $client->get("/bus/$location");

    is(scalar @{ $r->events }, @bodies, 'is stored once');
    is($r->events->[-1]{data}, $large, 'as it came');
    is($client->get("/$location/$location")->status, 200, 'a GET');
    is($client->post("/$location/$location", '[')->status, 400,
       'what is no JSON');
}

my @seen;

$nginx->until(5, 'copies', sub {
    @seen = grep { m{^POST /told/told } }
            split /\n/, Msgbus::Nginx::slurp("$nginx->{dir}/backend.log");
    return @seen >= @bodies + 1;
});

is(@seen, @bodies + 1, 'each of them was mirrored');
is($client->get('/bus/copied')->status, 204,
   'and nothing but what was posted is stored');

my $began = $client->now;

is($client->get('/both/none?wait=1')->status, 204, 'who waits, waits');
cmp_ok($client->now - $began, '>', 0.9, 'its copy does not');

is(() = $nginx->worker_pids, 1, 'the worker is alive');
$nginx->quit;
$nginx->no_alerts;

done_testing;
