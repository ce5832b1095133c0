# While a store does not answer, a reader who needs it is told so, and nobody
# else notices: reads of what is in memory go on, and a stream waits, with pings,
# until the store is there again.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Fake;
use Msgbus::Stream;


Msgbus::Nginx->limit(120);

my $fake = Msgbus::Fake->new->start;
my $nginx = $fake->node(
    workers => 1, size => '1m', zone => 'ttl=1d max_events=10',
    more => 'poll 50ms; retry tries=2 delay=300ms;',
    uri => $fake->uri,
    location => 'location / { msgbus bus; } msgbus_scope exact parent all;
                 msgbus_ping 200ms; msgbus_require_uuid off;',
)->start;

$fake->wait_until_up($nginx);

my $client = $nginx->client(agent => 'reader/1.0');
my @ids = map { $client->post('/a', "[$_]")->id } 1 .. 40;

sub got {
    my ($r) = @_;

    return join ' ', map { $_->{data}[0] } @{ $r->json->{events} };
}

is(got($client->get('/a?last-known-id=0')), join(' ', 1 .. 40),
   'what has left memory comes from the database');
is(got($client->get("/a?last-known-id=$ids[4]&max-events=3")), '6 7 8',
   '    from any cursor');
is(got($client->get('/a?last-known-id=0&sort=-1')),
   join(' ', reverse 1 .. 40), '    the newest first, too');

$fake->set(away => 1);

my $t0 = Msgbus::Client::now();
my $asks = $nginx->client(agent => 'reader/1.0');

$asks->connect;
$asks->send($asks->format(GET => '/a?last-known-id=0'));

my $stream = Msgbus::Stream->new(to => "127.0.0.1:$nginx->{port}",
                                 uri => '/a', headers => ['Last-Event-ID', 0]);
$stream->open;

# one that leaves, one that has nothing to do with it

my $left = $nginx->client(agent => 'reader/1.0');

$left->connect;
$left->send($left->format(GET => '/a?last-known-id=1'));
sleep 0.1;
$left->reset;

my $slowest = 0;

for (1 .. 50) {
    my $began = Msgbus::Client::now();

    die 'memory' if got($client->get("/a?last-known-id=$ids[35]"))
                    ne '37 38 39 40';

    my $took = Msgbus::Client::now() - $began;

    $slowest = $took if $took > $slowest;
}

cmp_ok($slowest, '<', 0.5 * $Msgbus::Nginx::PATIENCE,
       'reads of what is in memory do not wait for it');

my $r = $asks->response('GET');

is($r->status, 503, 'who needs the database is refused');
like($r->body, qr/"The store does not answer"/, '    is told why');
cmp_ok($r->header('Retry-After'), '>', 0, '    and when to come back');
cmp_ok(Msgbus::Client::now() - $t0, '<', 8 * $Msgbus::Nginx::PATIENCE,
       '    in the time that a store may take');

$r = $client->get('/a?last-known-id=0&wait=20');
is($r->status, 503, 'who would wait for events is refused, too');

Msgbus::Stream->read_until(10, sub { @{ $stream->{events} } > 3 }, $stream);

is(join(' ', map { defined $_->{data} ? 'data' : $_->{id} }
             @{ $stream->{events} }[0 .. 3]), '0 0 0 0',
   'a stream is pinged, and its pings name its cursor');

$fake->set(away => 0);

Msgbus::Stream->read_until(15, sub { $stream->{n} >= 40 }, $stream);

is(join(' ', $stream->posted), join(' ', map { "[$_]" } 1 .. 40),
   'when the database is back it goes on');
is(scalar $stream->gaps, 0, '    without a gap');

$fake->until(10, 'pages to be there again', sub {
    return $client->get('/a?last-known-id=0')->status == 200;
});

is(got($client->get('/a?last-known-id=0')), join(' ', 1 .. 40),
   'and so do pages');

# a shutdown does not wait for it

$fake->set(away => 1);
$asks->send($asks->format(GET => '/a?last-known-id=0'));

$t0 = Msgbus::Client::now();
$nginx->quit;
cmp_ok(Msgbus::Client::now() - $t0, '<', 8 * $Msgbus::Nginx::PATIENCE,
       'who asks holds no shutdown up for longer');

$nginx->no_alerts;

done_testing;
