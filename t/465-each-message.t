# Each message in the table of errors in docs/http-api.md is one that the bus
# answers, with its status; those of a store that fails are in the tests that this
# one names.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Fake;
use Msgbus::Nginx;


Msgbus::Nginx->limit(60);

# a number of events or of a line stands for any

sub any { return $_[0] =~ s/\b\d+(?= events)|(?<=line )\d+/N/gr }

my ($table) = Msgbus::Nginx::slurp("$FindBin::Bin/../docs/http-api.md")
              =~ /^\| status \| message \| when \|\n(.*?)\n\n/ms
    or die "http-api.md has no table of errors\n";
my %told;

for my $row (split /\n/, $table) {
    my ($status, $messages) = $row =~ /^\| ([\d, ]+) \| (.*?) \| / or next;

    $told{"$status " . any($1)} = 1 while $messages =~ /`([^`]+)`/g;
}

# what others provoke: the test, and how it names the message

my %elsewhere = (
    '503 Only the first N events were stored'     => ['093', 'Only the first 2 events'],
    '503 The store does not answer, nothing was stored' => ['463', 'without a database'],
    '503 The store does not answer, it may have been stored'
                                                  => ['463', 'may have been stored'],
    '503 Too many events wait for the store'      => ['930', 'Too many events wait'],
    '503 The store does not answer'               => ['688', 'a fresh read is refused'],
    '503 The store can not read what is asked for' => ['689', 'can not read'],
    '503 A subrequest can not wait for the store' => ['129', 'subrequest can not wait'],
    '503 The store has not answered yet'          => ['135', 'has not answered'],
    '503 Service Unavailable'                     => ['463', '/bus/health'],
    '409 A POST with this Idempotency-Key is under way' => ['658', 'is under way'],
    '422 The store refuses the event, nothing was stored' => ['463', 'poison'],
    '422 The store refuses N events, the others it has' => ['463', 'poison'],
    '400 No Idempotency-Key is taken here'        => undef,    # another build
);

for my $message (sort keys %elsewhere) {
    my ($number, $text) = @{ $elsewhere{$message} // next };
    my ($file) = glob "$FindBin::Bin/$number-*.t";

    like(Msgbus::Nginx::slurp($file), qr/\Q$text\E/, "t/$number: $message");
}


my $nginx = Msgbus::Nginx->new(
    workers => 1,
    http => 'msgbus_zone zone=bus:8m;
             msgbus_zone zone=few:1m max_events=1 full=reject;',
    location => 'location / {
                     msgbus bus;
                     msgbus_scope exact parent all many;
                     msgbus_jsonp on;
                     msgbus_max_depth 2;
                     client_max_body_size 8k;
                 }
                 location /none/    { msgbus bus; msgbus_scope many;
                                      msgbus_channel $none; }
                 location /exact/   { msgbus bus; }
                 location /uuid/    { msgbus bus; msgbus_require_uuid on; }
                 location /some/    { msgbus bus; msgbus_scope exact many;
                                      msgbus_many_below /a; }
                 location /few/     { msgbus few; }
                 location /wait/    { msgbus bus; msgbus_max_waiters 1; }
                 location /part/    { proxy_pass http://127.0.0.1:1;
                                      proxy_request_buffering off;
                                      error_page 502 = @bus; }
                 location @bus      { msgbus bus; msgbus_channel /part; }
                 location /500/     { msgbus bus; auth_request /code; }
                 location = /code   { return 500; }
                 location = /channels { msgbus_channels bus; }
                 location = /status { msgbus_status; }' =~ s/\$none/\/x/r,
)->start;

my $client = $nginx->client(agent => 'messages/1.0');
my %seen;


sub ask {
    my ($method, $uri, $body, @headers) = @_;

    return heard($client->request($method, $uri, $body, @headers));
}


sub heard {
    my ($r) = @_;

    my ($message) = ($r->body // '') =~ /"message": "([^"]+)"/ or return;

    return $seen{ $r->status . ' ' . any($message) } = 1;
}


my @batch = ('Content-Type' => 'application/x-ndjson');
my @stream = (Accept => 'text/event-stream');

ask(POST => $_, '{}') for '/a.b', '/a?callback=-', '/uuid/a', '/few/a', '/few/a',
                          '/500/a';
ask(POST => '/a', $_) for '{', '[[[]]]', '{"a":"' . 'x' x 9000 . '"}';
ask(POST => '/a', $_, @batch) for "{}\n{\n", "{}\n[[[]]]\n", "\n";
ask(POST => '/a', '{}', 'Idempotency-Key' => $_)
    for '', 'x' x 256, "a\tb", '"a', '"a" b', '"a\\b"';
ask(POST => '/a', '{}', ('Idempotency-Key' => 'a') x 2);
ask(POST => '/a', $_, 'Idempotency-Key' => 'k') for '{}', '[]';
ask(POST => '/a', '{}', Origin => 'http://elsewhere');
ask(POST => '/a', '{}', 'Content-Encoding' => 'gzip');
ask(PUT => '/a', '{}');

ask(GET => $_) for map({ "/a?$_" }
                       'method=POST', 'last-known-id=x', 'max-events=0', 'wait=x',
                       'wait=1&sort=-1', 'channels=/b'),
                   map({ "/?channels=$_" } 'a', join(',', map { "/$_" } 1 .. 33)),
                   '/exact/a?method=POST&post-data={}', '/exact/a?events=all',
                   '/exact/a?events=parent', '/exact/?channels=/a',
                   '/some/?channels=/a/*', '/some/?channels=/b', '/none/a',
                   '/status?format=x',
                   map { "/channels?$_" } 'prefix=x', 'after=x', 'limit=x';
ask(GET => "/a?$_", undef, @stream) for 'last-event-id=x', 'sort=-1';

$client = $nginx->client(agent => undef);
ask(POST => '/uuid/a', '{}');

# a proxy has read a part of the body

my $part = $nginx->client;

$part->connect(Msgbus::Client::now() + 10);
$part->send("POST /part/ HTTP/1.1\r\nHost: bus\r\nContent-Length: 9\r\n\r\n[1,");
heard($part->response);

# one waits already

my $waits = $nginx->client;

$waits->connect(Msgbus::Client::now() + 10);
$waits->send($waits->format('GET', '/wait/b?wait=9', undef));
$nginx->wait_for_readers(1);
ask(GET => '/wait/b?wait=9');
$waits->close;

$nginx->quit;
$nginx->no_alerts;


# more questions to the store than it is asked at a time

my $fake = Msgbus::Fake->new->start;
my $store = $fake->node(workers => 1, size => '1m', zone => 'ttl=1d max_events=10',
                        more => 'poll 20ms; retry tries=2 delay=200ms;')->start;

$fake->wait_until_up($store);

my @ids = map { $store->client->post('/a', "[$_]")->id } 1 .. 80;

$fake->set(late => 1);

my @clients = map {
    my $asks = $store->client(agent => 'reader/1.0');

    $asks->connect(Msgbus::Client::now() + 10);
    $asks->send($asks->format('GET', "/a?last-known-id=$_", undef));
    $asks;
} @ids[0 .. 67];

my ($refused) = grep { ($_->response->body // '') =~ /Too many readers ask the store/ }
                reverse @clients;

$seen{'503 Too many readers ask the store'} = 1 if $refused;
$fake->set(late => 0);

# of a batch one event is stored, one is refused for good, and one for now

$fake->set(refused => [['poison', 121, {}], ['later', 91, {}]]);
$store->until(15, 'a batch to be stored in part', sub {
    heard($store->client->post('/b', "[1]\n[\"poison\"]\n[\"later\"]\n", @batch));

    return $seen{'503 Only N events are known to be stored'};
});

$store->quit;
$store->no_alerts(qr/ \[(?:crit|error)\] /);

delete @told{ keys %elsewhere };

is(join("\n", grep { !$seen{$_} } sort keys %told), '',
   'each message of the table was an answer');
is(join("\n", grep { !$told{$_} && !exists $elsewhere{$_} } sort keys %seen), '',
   'and each answer is in the table');

done_testing;
