# Each answer that docs/openapi.yaml describes is one that the server gives, with
# each of its headers and each type of its body; and none that it gives here is
# another one.  Full zones, limits, a key that is under way, and a database that is
# away are among what it takes.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP ();
use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Fake;
use Msgbus::Library;
use Msgbus::Nginx;


Msgbus::Library->need('openapi/schemathesis');
Msgbus::Nginx->limit(90);

my $root = "$FindBin::Bin/..";
my $check = "$root/.cache/clients/openapi/schemathesis/run answers";
my $json = JSON::PP->new->utf8->canonical;

my @bus = ('/bus/{channel}', '/bus/', '/bus/health');
my @told = ('/channels', '/status');


# a location like each of the description's, behind a guard

sub guarded {
    my ($name, $guard) = @_;

    return "location /$name/ { msgbus bus; msgbus_scope exact many; $guard }
            location = /$name/channels { msgbus_channels bus; $guard }
            location = /$name/status { msgbus_status; $guard }\n";
}

my $fake = Msgbus::Fake->new->start;
my $store = $fake->node(
    workers => 1,
    more => 'poll 20ms; retry tries=2 delay=300ms;',
    location => 'location /bus/ { msgbus bus; msgbus_scope exact many;
                                  msgbus_jsonp on; msgbus_fresh_reads on; }
                 location = /health { msgbus_health bus; }',
)->start;

my $nginx = Msgbus::Nginx->new(
    workers => 1,
    http => 'msgbus_zone zone=bus:8m;
             msgbus_zone zone=few:1m max_events=1 full=reject;
             msgbus_zone zone=small:1m max_event_size=100;
             limit_req_zone $server_port zone=one:64k rate=1r/m;
             limit_req_status 429;
             large_client_header_buffers 4 4k;',
    location => guarded('401', 'auth_request /status/401;')
                . guarded('403', 'deny all;')
                . guarded('429', 'limit_req zone=one;')
                . guarded('500', 'auth_request /status/500;')
                . 'location /status/ {
                       if ($uri ~ /(...)$) { set $code $1; }
                       if ($code = 401) { return 401; }
                       return 500;
                   }
                   location /bus/ {
                       msgbus bus;
                       msgbus_scope exact many;
                       msgbus_jsonp on;
                       client_max_body_size 8k;
                   }
                   location /read/ { msgbus bus; msgbus_methods read;
                                     msgbus_scope exact many; }
                   location /write/ { msgbus bus; msgbus_methods publish;
                                      msgbus_scope exact many; }
                   location /except/ {
                       msgbus bus;
                       msgbus_jsonp on;
                       msgbus_scope exact many;
                       limit_except GET { deny all; }
                   }
                   location /few/ { msgbus few; msgbus_jsonp on; }
                   location /small/ { msgbus small; msgbus_jsonp on; }
                   location /none/ { msgbus bus; msgbus_max_waiters 1;
                                     msgbus_scope exact many; }
                   location = /health { msgbus_health bus; }
                   location = /channels { msgbus_channels bus; }
                   location = /status { msgbus_status; }',
)->start;

my (@answers, %clients);


# A request for what the description calls $path.  The answer, which is kept.

sub ask {
    my ($server, $path, $method, $uri, $body, @headers) = @_;

    my $client = $clients{$server} //= $server->client(agent => 'contract/1.0');

    return kept($path, $method,
                $client->request($method, $uri, $body, @headers));
}


sub kept {
    my ($path, $method, $r) = @_;

    die "$method $path: " . $r->error . "\n" if !$r->status;

    push @answers, { path => $path, method => $method, status => 0 + $r->status,
                     headers => $r->{headers} // {},
                     $r->{stream} ? () : (body => $r->body) };
    return $r;
}


# A request that is sent, on a connection of its own.

sub sent {
    my ($server, $method, $uri, $body, @headers) = @_;

    my $client = $server->client(agent => 'contract/1.0');

    $client->connect(Msgbus::Client::now() + 10);
    $client->send($client->format($method, $uri, $body, @headers));

    return $client;
}


# The head of a stream, which goes on as long as the client is there.

sub stream {
    my ($server, $path, $uri, @headers) = @_;

    my $client = sent($server, 'GET', $uri, undef, @headers);
    my $r = bless { interim => [], head => '', body => '', error => '',
                    stream => 1 }, 'Msgbus::Response';

    $client->read_head($r, Msgbus::Client::now() + 10);
    kept($path, 'GET', $r);

    return $client;
}


my @key = ('Idempotency-Key' => '"k"');
my @batch = ('Content-Type' => 'application/x-ndjson');
my @shown = (Prefer => 'return=representation');
my $post = 'method=POST&post-data=';
my $big = '{"a":"' . 'x' x 9000 . '"}';

# --- posts, by both ways

for my $headers ([], \@shown, \@key, [@shown, 'Idempotency-Key' => '"shown"'],
                 [@shown, 'Idempotency-Key' => '"shown"'], \@key)
{
    ask($nginx, $bus[0], 'POST', '/bus/a', '{"n":1}', @$headers);
    ask($nginx, $bus[0], 'POST', '/bus/a?callback=f', '{"n":1}',
        map { s/^"/"f/r } @$headers);
    ask($nginx, $bus[0], 'GET', "/bus/a?$post\[1]", undef,
        map { s/^"/"g/r } @$headers);
    ask($nginx, $bus[0], 'GET', "/bus/a?$post\[1]&callback=f", undef,
        map { s/^"/"h/r } @$headers);
}

ask($nginx, $bus[0], 'POST', '/bus/a', "[1]\n[2]\n", @batch);

ask($nginx, $bus[0], 'POST', '/bus/a', '{');
ask($nginx, $bus[0], 'GET', "/bus/a?$post\{", undef);
ask($nginx, $bus[0], 'POST', '/bus/a', '{}', Origin => 'http://elsewhere');
ask($nginx, $bus[0], 'GET', "/except/a?$post\{}", undef);
ask($nginx, $bus[0], 'GET', "/none/a?$post\{}", undef);
ask($nginx, $bus[0], 'GET', "/small/a?$post\[1" . ',1' x 99 . ']', undef);
ask($nginx, $bus[0], 'GET', "/bus/a?$post\{}", undef,
    'Content-Encoding' => 'gzip');
ask($nginx, $bus[0], 'GET', "/$_/a?$post\{}", undef)
    for qw(401 403 429 429 500);
ask($nginx, $bus[0], 'POST', '/read/a', '{}');
ask($nginx, $bus[0], 'POST', '/bus/a', $big);
ask($nginx, $bus[0], 'POST', '/bus/a', '{}', 'Content-Encoding' => 'gzip');
ask($nginx, $bus[0], 'POST', '/bus/a', '{"n":2}', @key);
ask($nginx, $bus[0], 'GET', "/bus/a?$post\[2]", undef, 'Idempotency-Key' => '"gk"');
ask($nginx, $bus[0], 'POST', "/$_/a", '{}') for qw(401 403 429 429 500);
ask($nginx, $bus[0], 'POST', '/few/a', '[1]') for 1 .. 2;
ask($nginx, $bus[0], 'GET', "/few/a?$post\[1]", undef);

# --- reads, of a channel and of several

my ($newest) = ask($nginx, $bus[0], 'GET', '/bus/a', undef)->last_id;

for ([$bus[0], 'a?'], [$bus[1], '?channels=/a&']) {
    my ($path, $uri) = @$_;

    my $etag = ask($nginx, $path, 'GET', "/bus/$uri", undef)->header('ETag')
               // die "a page has no ETag\n";

    for my $method ('GET', 'HEAD') {
        my $ask = sub { ask($nginx, $path, $method, $_[0], undef, @_[1 .. $#_]) };

        $ask->("/bus/$uri", 'If-None-Match' => $etag);
        $ask->("/bus/$uri", 'If-Match' => '"another"');
        $ask->("/bus/${uri}last-known-id=1");
        $ask->("/bus/${uri}last-known-id=1", 'If-None-Match' => $etag);
        $ask->("/bus/${uri}last-known-id=$newest");
        $ask->("/bus/${uri}last-known-id=" . ($newest + 1));
        $ask->("/bus/${uri}callback=f");
        $ask->("/bus/${uri}", Prefer => 'wait=1');
        $ask->("/bus/${uri}", Prefer => 'wait=1', 'If-None-Match' => $etag);
        $ask->("/bus/${uri}last-known-id=1", Prefer => 'wait=1');
        $ask->("/bus/${uri}last-known-id=yesterday");
        $ask->("/bus/${uri}x=" . 'x' x 5000);
        $ask->("/$_/$uri") for qw(401 403 429 429 500 write);
    }

    ask($nginx, $path, 'OPTIONS', "/bus/$uri", undef);

    stream($nginx, $path, "/bus/$uri", Accept => $_)->close
        for 'text/event-stream', 'application/x-ndjson';
}

# --- too many wait; one gets what it waits for, and one nothing

my $waits = sent($nginx, 'GET', "/none/a?last-known-id=$newest", undef,
                 Prefer => 'wait=9');

$nginx->wait_for_readers(1);
ask($nginx, $bus[0], 'GET', "/none/a?last-known-id=$newest&wait=9", undef);
ask($nginx, $bus[1], 'GET', "/none/?channels=/a&last-known-id=$newest&wait=9",
    undef);
$waits->close;
$nginx->wait_for_readers(0);

for ([$bus[0], 'a?'], [$bus[1], '?channels=/a&']) {
    my ($path, $uri) = @$_;

    $waits = sent($nginx, 'GET', "/bus/${uri}last-known-id=latest", undef,
                  Prefer => 'wait=9');
    $nginx->wait_for_readers(1);
    $clients{$nginx}->post('/bus/a', '[]');
    kept($path, 'GET', $waits->response);

    ask($nginx, $path, 'GET', "/bus/${uri}last-known-id=latest", undef,
        Prefer => 'wait=1');
}

# --- what is told

for my $method ('GET', 'HEAD', 'OPTIONS') {
    my $ask = sub { ask($nginx, $_[0], $method, $_[1], undef, @_[2 .. $#_]) };

    $ask->($bus[2], '/bus/health');
    $ask->($bus[2], '/health?verbose=true');

    for my $at ($method eq 'OPTIONS' ? '' : qw(/401 /403 /429 /429 /500)) {
        $ask->($bus[2], "$at/health") if $at ne '';
        $ask->($told[0], "$at/channels");
        $ask->($told[1], "$at/status");
    }

    next if $method eq 'OPTIONS';

    stream($nginx, $bus[0], '/bus/a', Accept => 'text/event-stream')->close
        if $method eq 'GET';
    ask($nginx, $bus[0], $method, '/bus/a', undef,
        Accept => 'text/event-stream') if $method eq 'HEAD';
    ask($nginx, $bus[1], $method, '/bus/?channels=/a', undef,
        Accept => 'text/event-stream') if $method eq 'HEAD';

    $ask->($told[0], '/channels?limit=1');
    $ask->($told[0], '/channels?limit=none');
    $ask->($told[1], "/status?format=$_")
        for qw(json prometheus openmetrics html another);
}

for my $method ('POST', 'PUT', 'DELETE', 'PATCH') {
    ask($nginx, $bus[0], $method, '/bus/a', '{}') if $method ne 'POST';
    ask($nginx, $bus[1], $method, '/bus/', '{}') if $method ne 'POST';
    ask($nginx, $bus[2], $method, '/bus/health', '{}');
    ask($nginx, $told[0], $method, '/channels', '{}');
    ask($nginx, $told[1], $method, '/status', '{}');
}

$nginx->quit;
$nginx->no_alerts;


# --- a database: what it refuses, and what happens while it is away

$fake->wait_until_up($store);
$fake->set(refused => [['poison', 121, {}]]);

ask($store, $bus[0], 'POST', '/bus/a', '["poison"]');
ask($store, $bus[0], 'GET', "/bus/a?$post" . '["poison"]', undef);
ask($store, $bus[0], 'POST', '/bus/a', "[1]\n[\"poison\"]\n", @batch);
ask($store, $bus[0], 'POST', '/bus/a', '[0]', @key);
ask($store, $bus[2], 'GET', '/health?verbose=true', undef);

# it stores what comes, and says nothing

$fake->set(unreadable => 1);
$fake->set(mute => 1);

my $first = sent($store, 'POST', '/bus/b', '[1]', 'Idempotency-Key' => '"b"');

for my $method ('POST', 'GET') {
    $store->until(10, 'the same post to wait', sub {
        my $r = $store->client(agent => 'contract/1.0')->request(
            $method, $method eq 'POST' ? '/bus/b' : "/bus/b?$post\[1]",
            $method eq 'POST' ? '[1]' : undef, 'Idempotency-Key' => '"b"');

        return $r->status == 409 && kept($bus[0], $method, $r);
    });
}

my $unsure = kept($bus[0], 'POST', $first->response);

is($unsure->status . ' ' . $unsure->header('Msgbus-Stored'), '503 unknown',
   'a post may have been stored');

$fake->set(mute => 0);
$fake->set(unreadable => undef);
$fake->set(away => 1);

$store->until(10, 'the database to be away', sub {
    return ($fake->health($store))[0] == 503;
});

for (['POST', '', '{}'], ['POST', '', "[1]\n[2]\n", @batch],
     ['POST', '', '[3]', 'Idempotency-Key' => '"c"'], ['GET', "?$post\[1]"],
     ['GET', ''], ['HEAD', ''])
{
    my ($method, $query, $body, @headers) = @$_;
    my $r = ask($store, $bus[0], $method, "/bus/c$query", $body, @headers);

    is($r->status . ' ' . ($r->header('Retry-After') // 'none'), '503 1',
       "$method without a database");
}

ask($store, $bus[1], $_, '/bus/?channels=/c', undef) for 'GET', 'HEAD';

for my $method ('GET', 'HEAD') {
    ask($store, $bus[2], $method, '/bus/health', undef);
    ask($store, $bus[2], $method, '/health?verbose=true', undef);
}

$store->quit;
$store->no_alerts(qr/ \[(?:crit|error)\] /);


# --- the comparison

my $file = "$nginx->{dir}/answers";

sub compared {
    my ($description) = @_;

    open my $out, '>', $file or die "$file: $!\n";
    print $out $json->encode($_), "\n" for @answers;
    close $out or die "$file: $!\n";

    return scalar `timeout 50 $check $description $file 2>&1`;
}

is(compared("$root/docs/openapi.yaml") =~ s/^answers: \d+\n//mr, '',
   'all answers are described, and all that is described was an answer');


# a description that is another one is found out

my $text = Msgbus::Nginx::slurp("$root/docs/openapi.yaml");

$text =~ s/^        '507':\n/        '508':\n/m
    && $text =~ s/const: nosniff/const: sniff/
    && $text =~ s/required: \[name, reachable,/required: [name, far,/
    or die "openapi.yaml has no 507\n";

my $other = "$nginx->{dir}/openapi.yaml";

open my $out, '>', $other or die "$other: $!\n";
print $out $text;
close $out or die "$other: $!\n";

my $said = compared($other);

like($said, qr/^$_/m, "a difference is found out: $_")
    for 'POST \S+: 507: is not described', 'not seen: \S+ POST 508',
        'GET \S+: 200: x-content-type-options: "nosniff"',
        'GET /bus/health: 200: body: .*"far" is a required property';

done_testing;
