# msgbus_status tells what has become of each request, in the form that is asked
# for.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Nginx;
use Msgbus::Status;
use Msgbus::Stream;


Msgbus::Nginx->limit(30);

my $odd = "a b,c'{d}=%~";

my $nginx = Msgbus::Nginx->new(
    workers  => 2,
    http     => "msgbus_zone zone=bus:1m max_event_size=100;
                 msgbus_zone \"zone=$odd:1m\" full=reject;
                 msgbus_require_uuid off;",
    location => "location /    { msgbus bus; }
                 location /one/ { msgbus bus; msgbus_max_waiters 1; }
                 location /told/ { msgbus bus; msgbus_max_waiters 1 retry=1s; }
                 location /odd/ { msgbus \"$odd\"; }
                 location /in/  { msgbus bus; deny all; }
                 location /off/ { msgbus bus; msgbus_methods read; }
                 location = /status { msgbus_status; }",
)->start;

my $client = $nginx->client(agent => 'test/1.0');
my $status = Msgbus::Status->new(nginx => $nginx, zone => 'bus');

my @json = ('Content-Type', 'application/x-ndjson');


# --- forms

my %type = (
    json        => 'application/json; charset=utf-8',
    prometheus  => 'text/plain; version=0.0.4; charset=utf-8',
    openmetrics => 'application/openmetrics-text; version=1.0.0; charset=utf-8',
);

sub form {
    my ($query, $accept) = @_;

    my $answer = $client->get("/status$query",
                              $accept ? (Accept => $accept) : ());

    is($answer->status, 200, 'the status is 200') or return '';
    is($answer->header('Cache-Control'), 'no-store', 'it is not kept');
    is($answer->header('Vary'), 'Accept', 'it depends on Accept');

    return $answer->header('Content-Type');
}

is(form("?format=$_"), $type{$_}, "format=$_ asks for it") for sort keys %type;

is(form('?format=json', 'text/plain'), $type{json}, 'and wins over Accept');
is(form(''), $type{json}, 'it is JSON without a wish');
is(form('', '*/*'), $type{json}, 'and for who takes anything');
is(form('', 'text/plain;version=0.0.4'), $type{prometheus},
   'Prometheus text for who accepts text');
is(form('', 'application/openmetrics-text;version=1.0.0;q=0.8,'
            . 'text/plain;version=0.0.4;q=0.5,*/*;q=0.1'), $type{openmetrics},
   'OpenMetrics for a Prometheus that prefers it');
is(form('', 'application/openmetrics-text;q=0.2,text/plain;q=0.5'),
   $type{prometheus}, 'and not for one that does not');

is($client->get('/status?format=xml')->status, 400, 'another form is none');
is($client->post('/status', '[]')->status, 405, 'it is not posted to');
is($client->head('/status')->status, 200, 'HEAD gets the head');
is($client->options('/status')->header('Allow'), 'GET, HEAD, OPTIONS',
   'OPTIONS says so');


# --- posts

$status->counts('nothing has happened', sub { });

$status->counts('an event is published', sub {
    is($client->post('/c', '{"a":1}')->status, 201, 'stored');
}, 'published.events' => 1, 'published.bytes' => 7);

$status->counts('a batch', sub {
    is($client->post('/c', "[1]\n[22]\n", @json)->status, 201, 'stored');
}, 'published.events' => 2, 'published.bytes' => 7, 'published.batches' => 1);

$status->counts('a batch of one is none', sub {
    is($client->post('/c', "[1]\n", @json)->status, 201, 'stored');
}, 'published.events' => 1, 'published.bytes' => 3);

for my $times (1, 2) {
    $status->counts('a key', sub {
        is($client->post('/k', '[123]', 'Idempotency-Key', '"k"')->status, 201,
           'stored');
    }, $times == 1 ? ('published.events' => 1, 'published.bytes' => 5)
                   : ('published.replayed' => 1));
}

$status->counts('a key again, with another body', sub {
    is($client->post('/k', '[9]', 'Idempotency-Key', '"k"')->status, 422,
       'refused');
}, 'refused.key_conflict' => 1);

for (['no JSON', '/c', 'x', [], 400, 'invalid'],
     ['no name', '/c//', '[]', [], 400, 'invalid'],
     ['a coding', '/c', '[]', ['Content-Encoding', 'gzip'], 415, 'invalid'],
     ['a large one', '/c', '["' . 'x' x 100 . '"]', [], 413, 'too_large'],
     ['another origin', '/c', '[]', ['Origin', 'http://x'], 403,
      'unauthorized_origin'],
     ['rules of nginx', '/in/c', '[]', [], 403, 'unauthorized_origin'],
     ['a method that is off', '/off/c', '[]', [], 405, 'other'])
{
    my ($why, $uri, $body, $headers, $code, $reason) = @$_;

    $status->counts("$why is refused", sub {
        is($client->post($uri, $body, @$headers)->status, $code, $why);
    }, "refused.$reason" => 1);
}


# --- reads

sub events {
    my ($page) = @_;

    my ($events) = $page->body =~ /"events":\[(.*)\]\}/s;

    return $events;
}

my ($etag, $bytes);

$status->counts('a page', sub {
    my $page = $client->get('/c?last-known-id=0');

    $etag = $page->header('ETag');
    $bytes = length events($page);
    is(scalar @{ $page->json->{events} }, 4, 'of four events');
}, 'reads.page' => 1, 'delivered.events' => 4,
   'delivered.bytes' => sub { $bytes });

$status->counts('HEAD of it', sub {
    is($client->head('/c?last-known-id=0')->status, 200, 'no body');
}, 'reads.page' => 1);

$status->counts('one that is not modified', sub {
    is($client->get('/c?last-known-id=0', 'If-None-Match', $etag)->status, 304,
       'no body');
}, 'reads.not_modified' => 1);

$status->counts('no event', sub {
    is($client->get('/none')->status, 204, 'no body');
}, 'reads.empty' => 1);

$status->counts('a wait in vain', sub {
    is($client->get('/none?wait=1')->status, 204, 'no body');
}, 'reads.empty' => 1, 'readers_total.accepted' => 1);

$status->counts('a cursor of nobody', sub {
    ok($client->get('/c?last-known-id=1')->gap, 'a gap is told');
}, 'reads.page' => 1, gaps => 1, 'delivered.events' => 4,
   'delivered.bytes' => sub { $bytes });

$status->counts('a wrong parameter', sub {
    is($client->get('/c?max-events=x')->status, 400, 'refused');
}, 'reads.refused' => 1);

$status->counts('rules of nginx for a read', sub {
    is($client->get('/in/c')->status, 403, 'refused');
}, 'reads.refused' => 1);

$status->counts('health is no read', sub {
    is($client->get('/health')->status, 200, 'well');
});


# --- subscribers

$status->counts('a wait', sub {
    my $waits = $nginx->client(agent => 'test/1.0');

    $waits->connect;
    $waits->send($waits->format(GET => '/w?wait=10', undef));
    $nginx->wait_for_readers(1);

    is_deeply($status->now->{readers}, { long_poll => 1, sse => 0, ndjson => 0,
                                         parked => 1 }, 'waits');

    is($client->post('/w', '[]')->status, 201, 'stored');
    my $page = $waits->response('GET');
    $bytes = length events($page);
}, 'reads.long_poll' => 1, 'readers_total.accepted' => 1,
   'published.events' => 1, 'published.bytes' => 2, 'delivered.events' => 1,
   'delivered.bytes' => sub { $bytes });

for my $sse (1, 0) {
    my $kind = $sse ? 'sse' : 'ndjson';

    $status->counts("a stream: $kind", sub {
        my $stream = Msgbus::Stream->new(to => $client->{to}, sse => $sse,
                                         uri => "/s?last-known-id=latest");

        $stream->open;
        $nginx->wait_for_readers(1);

        is($status->now->{readers}{$kind}, 1, 'it is there');

        is($client->post('/s', '[1]')->status, 201, 'stored') for 1, 2;

        Msgbus::Stream->read_until(5, sub { $stream->{n} == 2 }, $stream);

        $bytes = 0;
        $bytes += length($_->{block}) + $sse
            for grep { defined $_->{data} } @{ $stream->{events} };

        $stream->close;
        $nginx->until(5, 'it has gone',
                      sub { $status->now->{readers}{$kind} == 0 });
    }, "reads.$kind" => 1, 'readers_total.accepted' => 1,
       'published.events' => 2, 'published.bytes' => 6,
       'delivered.events' => 2, 'delivered.bytes' => sub { $bytes });
}

$status->counts('one too many', sub {
    my $first = Msgbus::Stream->new(to => $client->{to}, uri => '/one/new');

    $first->open;
    $nginx->wait_for_readers(1);

    is($client->get('/one/new?wait=9')->status, 503, 'no wait');
    is($client->get('/one/new', Accept => 'text/event-stream')->status, 503,
       'no stream');
    is($client->get('/told/new', Accept => 'text/event-stream')->status, 200,
       'which is told to come back');

    $first->close;
    $nginx->until(5, 'it has gone',
                  sub { $status->now->{readers}{sse} == 0 });
}, 'reads.sse' => 1, 'reads.refused' => 3, 'readers_total.accepted' => 1,
   'readers_total.refused' => 3);


# --- and the rest of it

my $now = $status->all;

is_deeply([ sort keys %{ $now->{zones} } ], [ sort 'bus', $odd ],
          'all zones are told of, by their names');
is($now->{zones}{bus}{store}, undef, 'there is no store');
is($now->{zones}{bus}{zone}{events}, 10, 'so many events are there');
is($now->{zones}{bus}{zone}{channels}, 4, 'in so many channels');
cmp_ok($now->{zones}{bus}{zone}{used}, '<', $now->{zones}{bus}{zone}{bytes},
       'which have room');
is(scalar @{ $now->{workers} }, 2, 'both workers are told of');
is_deeply([ sort map { $_->{pid} } @{ $now->{workers} } ],
          [ sort $nginx->worker_pids ], 'by their pids');
is($now->{workers}[1]{connections_max}, $nginx->{connections},
   'with what they may have');
cmp_ok($now->{time} - $now->{started}, '>=', 0, 'and since when');

$nginx->quit;
$nginx->no_alerts;

done_testing;
