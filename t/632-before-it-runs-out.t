# Before a zone, its places for channels or the connections of a worker run out,
# the error log says so, and what to set.  A zone that is full for good, because
# events leave by their ttl as fast as others come, is no cause for a warning; nor
# is one with a store, which has what has left the zone.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Clocks;
use Msgbus::Nginx;


Msgbus::Nginx->limit(60);

my $nginx = Msgbus::Nginx->new(
    workers => 1,
    connections => 40,
    http => 'msgbus_zone zone=steady:128k ttl=1000s;
             msgbus_zone zone=evict:128k ttl=1000s;
             msgbus_zone zone=reject:128k ttl=1000s full=reject;
             msgbus_zone zone=few:1m ttl=1000s max_events=20 full=reject;
             msgbus_zone zone=asked:1m ttl=1000s max_events=20;
             msgbus_zone zone=names:128k ttl=1000s;
             msgbus_journal disk { path journal; }
             msgbus_zone zone=stored:256k ttl=1000s store=disk;',
    location => join('', map { "location /$_/ { msgbus $_; }\n" }
                         qw(steady evict reject few asked names stored))
                . 'msgbus_require_uuid off;
                   location = /report { msgbus_health stored; }
                   location = /status { msgbus_status; }',
);

my $clocks = Msgbus::Clocks->new($nginx)->start;

plan skip_all => 'another library is preloaded' if !$clocks->works;

my $client = $nginx->client;
my $data = '{"s":"' . 'x' x 300 . '"}';

# posts until so much of a zone of 128k is taken; by what the zone took to be full

sub fill {
    my ($zone, $n) = @_;

    $client->post("/$zone/a", $data)->status == 201 or die "no room in $zone\n"
        for 1 .. $n;

    return;
}

sub lines { return $nginx->log(0, 'warn|crit', $_[0]) }

sub hears {
    my ($text) = @_;

    $nginx->until(10, "a line: $text", sub { return lines($text) > 0 });

    return pass("a line: $text");
}

# how many it holds: the one that rejects says it

my $holds = 0;

$holds++ while $client->post('/reject/a', $data)->status == 201;

note("$holds events of 300 bytes fit");

fill(steady => int($holds / 2));
$clocks->ahead(990);
fill(steady => int($holds * 0.95) - int($holds / 2));
fill(evict => int($holds * 0.95));
fill(asked => 40);

hears('msgbus zone "evict" is 9\d% full, at this pace events leave it after '
      . '\d+s and not after their ttl: set zone=evict:2m or a shorter ttl');

# with a store, nothing is wrong with it

my ($stored, $first) = (0);

$nginx->until(15, 'the journal', sub {
    return $first = $client->post('/stored/a', '{}')->id;
});

while ($stored < 20) {
    $client->post('/stored/a', $data);
    $stored = $client->get('/status?format=json')->json
                     ->{zones}{stored}{zone}{evicted};
}

is($client->get('/stored/a?last-known-id=0&max-events=1&echo=true')
          ->json->{events}[0]{id}, $first,
   'what has left the zone is read from its store');

# channels

sub zone {
    my ($name) = @_;

    return $client->get('/status?format=json')->json->{zones}{$name}{zone};
}

my $places = zone('names')->{places};

cmp_ok($places, '>', 20, "a zone has places for channels: $places");
$client->post("/names/a$_", '{}') for 1 .. int($places * 0.92);

hears('msgbus zone "names" has events in \d+ of the ' . $places . ' channels that '
      . 'it can hold, at this pace events leave it after \d+s and not after their '
      . 'ttl: set zone=names:2m or a shorter ttl');

is(zone('names')->{places_used}, int($places * 0.92), 'which are told');
is(zone('names')->{evicted}, 0, 'and nothing has left yet');
is(zone('names')->{ttl}, 1000, 'as is the ttl');
is(zone('few')->{events_max}, 20, '    and the most events');

$client->post('/few/a', '{}') for 1 .. 19;

hears('msgbus zone "few" has (?:18|19) of its 20 events, and refuses posts when '
      . 'it has all: set max_events=40 or a shorter ttl');

$clocks->ahead(995);

ok(!lines('"evict": \d+ events left it'), 'nothing has left the zone yet');

# idle connections count only where they are not to be closed

my @idle = map { my $c = $nginx->client; $c->get('/none'); $c } 1 .. 30;

is($nginx->client->get('/none')->status, 404, 'many clients are idle');

sleep 1.5;

ok(!lines('msgbus: .*worker_connections'), '    which is no cause for a warning');

$_->close for @idle;

my @readers = map {
    my $c = $nginx->client;

    $c->connect;
    $c->send($c->format(GET => '/steady/b?wait=60&last-known-id=latest'));
    $c;
} 1 .. 30;

hears('msgbus: \d+ of the 40 worker_connections of a worker are in use, and it '
      . 'takes no client when all are: set worker_connections 80');

is(scalar(lines('zone "steady"')), 0,
   'events that leave by their ttl as fast as they come are no cause');
is(scalar(lines('zone "asked"')), 0, '    and neither is max_events');
is(scalar(lines('zone "stored"')), 0, '    and neither is a zone with a store');
is_deeply($client->get('/report?verbose=true')->json->{warnings}, [],
          '    of which no warning is told');

$_->close for @readers;

# it may have warned when it was full, and may do it again a minute later

$clocks->ahead(1100);

my $full = $nginx->log_size;

$nginx->until(10, 'events to expire', sub {
    return $client->post('/reject/a', $data)->status == 201;
});

# a moment later: it would be full at once, if it went on like this

$client->post('/reject/a', $data) for 2 .. int($holds * 0.95);

$nginx->until(10, 'a line', sub {
    return $nginx->log($full, 'warn',
                       'msgbus zone "reject" is 9\d% full, and refuses posts '
                       . 'when it is full: set zone=reject:2m or a shorter ttl');
});

pass('a zone that refuses posts warns of that');

$nginx->no_alerts;

done_testing;
