# What a reload keeps, what it changes, and what readers are told when a log
# begins anew.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Nginx;


Msgbus::Nginx->limit(120);

my $nginx = Msgbus::Nginx->new(
    workers  => 2,
    http     => 'msgbus_zone zone=bus:1m ttl=120s;',
    location => 'location / { msgbus bus; msgbus_require_uuid off; }',
)->start;

my $client = $nginx->client;

my @ids = map { $client->post('/a', qq({"n":$_}))->id } 1 .. 3;

# how a reader stands with its cursor: ids, and whether there was a gap

my $read = sub {
    my ($cursor, $channel) = @_;

    my $r = $client->get(($channel // '/a')
                         . "?echo=true&last-known-id=$cursor");

    return join ' ', $r->status, (map { $_->{id} } @{ $r->events }),
                     $r->gap ? 'gap' : ();
};

is($read->(0), "200 @ids", 'three events are there');


# reload

$nginx->reload;

is($read->(0), "200 @ids", 'a reload keeps the events and their ids');
is($read->($ids[1]), "200 $ids[2]", 'a cursor stays good over a reload');
is($read->($ids[2]), '204', 'a reader who has seen all finds nothing new');

my $four = $client->post('/a', '{"n":4}')->id;

cmp_ok($four, '>', $ids[2], 'ids go on over a reload');
is($read->($ids[2]), "200 $four", 'and the reader sees the next event');

my $body = $client->get('/a?echo=true')->events;

is(join(' ', map { $_->{data} } @$body),
   '{"n":1} {"n":2} {"n":3} {"n":4}', 'the bytes are those that were posted');


# ttl

$nginx->reload(http => 'msgbus_zone zone=bus:1m ttl=1s;');

$nginx->until(4, 'events to grow old',
              sub { $client->get('/a?echo=true')->status == 204 });
pass('a shorter ttl takes effect by a reload');

is($read->($ids[0]), '204 gap', 'who has not seen all is told of the gap');
is($read->($four), '204', 'who had seen all is not');

$nginx->reload(http => 'msgbus_zone zone=bus:1m ttl=120s;');

my $five = $client->post('/a', '{"n":5}')->id;

cmp_ok($five, '>', $four, 'ids go on although the log had run empty');

sleep 2.2;

is($read->($four), "200 $five", 'a longer ttl takes effect by a reload');


# another size

$nginx->reload(http => 'msgbus_zone zone=bus:2m ttl=120s;');

is($read->($four), '204 gap',
   'another size begins an empty log, and old cursors are told of the gap');
is($read->(0), '204', 'a new reader is not');

my $cursor = $client->get("/a?echo=true&last-known-id=$five")->last_id;

is($read->($cursor), '204', 'the gap is told once');

my $six = $client->post('/a', '{"n":6}')->id;

cmp_ok($six, '>', $five, 'no id comes again with another size');
is($read->($cursor), "200 $six", 'the reader goes on with the next event');


# restart

$nginx->quit;
$nginx->start;

is($read->($five), '204 gap',
   'a restart begins an empty log, and old cursors are told of the gap');
is($read->($six, '/never/used'), '204 gap',
   'so they are in a channel that the new log does not know');

my $seven = $client->post('/a', '{"n":7}')->id;

cmp_ok($seven, '>', $six, 'ids do not go back over a restart');
is($read->($six), "200 $seven gap", 'the gap comes with what is new');
is($read->($seven), '204', 'and is told once');


# ids that were chosen by hand, below those of the log before

$nginx->reload(http => 'msgbus_zone zone=bus:1m first_id=1;');

my $r = $client->get("/a?echo=true&last-known-id=$seven");

is(join(' ', $r->status, $r->last_id, $r->gap), '204 0 1',
   'a cursor above all ids is told of the gap, and where to go on');
is($client->post('/a', '{"n":8}')->id, 1, 'first_id is the first id');
is($read->($seven), '204 gap', 'such a cursor sees nothing');
is($read->(0), '200 1', 'the one that it was told does');


$nginx->quit;
$nginx->no_alerts;

done_testing;
