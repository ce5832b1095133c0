# post_action runs after the answer, and publishes nothing a second time.

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
                 msgbus_scope exact parent all;
                 msgbus_jsonp on;
                 log_format backend '\$request_method \$uri \$request_body';
                 server {
                     listen 127.0.0.1:$backend;
                     access_log backend.log backend;
                     location / { return 200; }
                 }",
    location => <<"END",
msgbus_require_uuid off;

location /same/ {
    msgbus bus;
    post_action \@same;
}

location \@same {
    msgbus bus;
    msgbus_channel /after;
}

location /read/ {
    msgbus bus;
    post_action /bus/a;
}

location /wait/ {
    msgbus bus;
    post_action /bus/a?wait=20&last-known-id=latest;
}

location /tell/ {
    msgbus bus;
    post_action \@tell;
}

location \@tell {
    proxy_pass http://127.0.0.1:$backend;
}

location /loop/ {
    msgbus bus;
    post_action \@loop;
}

location \@loop {
    msgbus bus;
    msgbus_channel /after;
    post_action \@same;
}

location /bus/ {
    msgbus bus;
}
END
)->start;

my $client = $nginx->client(agent => 'test/1.0');

sub count {
    my ($channel) = @_;

    return scalar @{ $client->get("/bus$channel")->events };
}

my @bodies = ('{"n":1}', ['{"n"', ':1}'], '["' . 'x' x 40_000 . '"]',
              [('["' . 'x' x 40_000), '"]']);
my $n = 0;

for my $location (qw(same read wait tell loop)) {
    for my $body (@bodies) {
        is($client->post("/$location/$location", $body)->id, ++$n,
           "a POST at /$location/");
    }

    is($client->get("/$location/$location?method=POST&post-data=[]&callback=f")
              ->body, 'f({});', 'one by JSONP');
    $n++;

    is(count("/$location"), @bodies + 1, 'each is there once');
    is($client->get("/$location/$location")->status, 200, 'a GET');
    is($client->head("/$location/$location")->status, 200, 'a HEAD');
    is($client->post("/$location/$location", '{')->status, 400,
       'what is no JSON');
    is($client->get("/$location/empty")->status, 204, 'an empty one');
    is($client->get("/$location/empty?wait=1")->status, 204, 'one that waits');
}

is($client->get('/bus/after')->status, 204,
   'nothing was stored after an answer');
is($client->get('/bus/?events=all')->last_id, $n, 'anywhere');

my @seen;

$nginx->until(5, 'the backend to be told', sub {
    @seen = grep { /^POST / }
            split /\n/, Msgbus::Nginx::slurp("$nginx->{dir}/backend.log");
    return @seen >= @bodies;
});

is(scalar grep({ m{^POST /tell/tell } } @seen), scalar @seen,
   'a backend is told of each POST');

my @answers = $client->pipeline(map { [POST => '/same/pipe', "[$_]"],
                                      [GET => '/same/pipe?max-events=1'] }
                                1 .. 50);

is(join(' ', map { $_->status } @answers), join(' ', (201, 200) x 50),
   'a hundred requests in one go');
is(count('/pipe'), 50, 'each stored once');
is($client->get('/bus/after')->status, 204, 'and only there');

is(() = $nginx->worker_pids, 1, 'the worker is alive');
$nginx->quit;
$nginx->no_alerts;

done_testing;
