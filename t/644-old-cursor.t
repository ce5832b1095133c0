# A cursor older than the log of a node is told of the gap; one that the log
# has is not, also after a start, which fills the log from the database.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Law;
use Msgbus::Mongodb;


Msgbus::Nginx->limit(60);

my $mongodb = Msgbus::Mongodb->new->start;
my $nginx = $mongodb->node(zone => 'ttl=120s max_events=20')->start;

$mongodb->wait_until_up($nginx);

my $client = $nginx->client;
my @ids = map { $client->post('/a', qq({"n":$_}))->id } 1 .. 50;


sub read_after {
    my ($cursor) = @_;

    my $r = $client->get("/a?echo=true&last-known-id=$cursor");

    return join ' ', $r->gap ? 'gap' : 'ok', scalar @{ $r->events },
                     @{ $r->events } ? $r->events->[0]{id} : '';
}


is(read_after($ids[49]), 'ok 0 ', 'a reader who has all');
is(read_after($ids[39]), "ok 10 $ids[40]", 'one who is behind');
is(read_after($ids[9]), "gap 20 $ids[30]", 'one who is behind the log');
is($mongodb->ask(count => { channel => '/a' }), 50,
   'the database has them all, for it drops by age only');

$nginx->quit;
$nginx->start;
$mongodb->wait_until_up($nginx);
$client = $nginx->client;

is(read_after($ids[39]), "ok 10 $ids[40]", 'after a start: who is behind');
is(read_after($ids[9]), "gap 20 $ids[30]", 'after a start: behind the log');

# with room for all

$nginx->quit;
$nginx->configure(http => $mongodb->http);
$nginx->start;
$mongodb->wait_until_up($nginx);
$client = $nginx->client;

is(read_after($ids[9]), "ok 40 $ids[10]",
   'a larger log has what the database has');

$nginx->quit;
$nginx->no_alerts;

done_testing;
