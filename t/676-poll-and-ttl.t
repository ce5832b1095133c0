# However rare looks at the database are asked for, a node looks often enough for
# the ttl: an id that nobody has used is no gap.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(time);

use Msgbus::Fake;


Msgbus::Nginx->limit(60);

my $ttl = 6;

my $fake = Msgbus::Fake->new->start;
my $nginx = $fake->node(zone => "ttl=${ttl}s", more => 'poll 1h;')->start;

$fake->wait_until_up($nginx);

my $client = $nginx->client;
my $id = $client->post('/a', '{"n":1}')->id;

# an id is left out, and nobody posts here

$fake->put($fake->event($id + 2, data => '{"n":2}'));

my $begin = time;

$fake->until($ttl, 'it to be seen', sub {
    return $client->get('/a?echo=true&last-known-id=0')->last_id == $id + 2;
});

cmp_ok(time - $begin, '<', $ttl / 2, 'another node\'s event comes in time');

my $r = $client->get("/a?echo=true&last-known-id=$id");

ok(!$r->gap, 'and there is no gap before it');

$nginx->quit;
$nginx->no_alerts;

done_testing;
