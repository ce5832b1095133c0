# Where nothing in a database is younger than the ttl, and it has yet to leave,
# all of it counts as forgotten: a reader who has not seen it is told of a gap.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Fake;


Msgbus::Nginx->limit(60);

my $fake = Msgbus::Fake->new->start;
my $nginx = $fake->node(
    workers => 1, size => '1m', zone => 'ttl=1h max_events=10',
    uri => $fake->uri,
    location => 'location / { msgbus bus; } msgbus_require_uuid off;',
)->start;

$fake->wait_until_up($nginx);

my $client = $nginx->client(agent => 'reader/1.0');
my @ids = map { $client->post('/a', "[$_]")->id } 1 .. 40;

my $uri = "/a?last-known-id=$ids[4]";
my $r = $client->get($uri);

is($r->json->{events}[0]{data}[0], 6, 'what memory has lost the database has');
is($r->gap, 0, '    and there is no gap');

$fake->change({}, {
    created_at => Msgbus::Fake::date((time - 2 * 3600) * 1000),
});

is($client->get($uri)->gap, 1, 'once all of it is too old, there is');
is($client->get("$uri&sort=-1")->gap, 1, '    and with the newest first');

$nginx->quit;
$nginx->no_alerts;

done_testing;
