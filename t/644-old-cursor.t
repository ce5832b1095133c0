# A cursor older than the log of a node gets the rest from the database; where
# it is not asked he is told of the gap, also after a start, which fills the log
# from the database.

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
my $nginx = $mongodb->node(
    zone     => 'ttl=120s max_events=20',
    location => 'location / { msgbus bus; }
                 location /log/ { msgbus bus; msgbus_history off; }',
)->start;

$mongodb->wait_until_up($nginx);

my $client = $nginx->client;
my @ids = map { $client->post('/a', qq({"n":$_}))->id } 1 .. 50;


sub read_after {
    my ($cursor, $uri) = @_;

    $uri //= '/a';

    my $r = $client->get("$uri?echo=true&last-known-id=$cursor");

    return join ' ', $r->gap ? 'gap' : 'ok', scalar @{ $r->events },
                     @{ $r->events } ? $r->events->[0]{id} : '';
}


is(read_after($ids[49]), 'ok 0 ', 'a reader who has all');
is(read_after($ids[39]), "ok 10 $ids[40]", 'one who is behind');
is(read_after($ids[9]), "ok 40 $ids[10]", 'one who is behind the log');
is(read_after($ids[9], '/log/a'), "gap 20 $ids[30]",
   '    and gets what the log has');
is($mongodb->ask(count => { channel => '/a' }), 50,
   'the database has them all, for it drops by age only');

$nginx->quit;
$nginx->start;
$mongodb->wait_until_up($nginx);
$client = $nginx->client;

is(read_after($ids[39]), "ok 10 $ids[40]", 'after a start: who is behind');
is(read_after($ids[9]), "ok 40 $ids[10]", 'after a start: behind the log');
is(read_after($ids[9], '/log/a'), "gap 20 $ids[30]",
   '    and gets what the log has');

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
