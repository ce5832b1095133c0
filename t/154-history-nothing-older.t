# A store is not asked for what it can not have: what has left memory by its
# age, and what it had no more when it was asked before.  So readers from the
# beginning need no database where all within the ttl is in memory.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Fake;


Msgbus::Nginx->limit(60);

my $fake = Msgbus::Fake->new->start;
my $nginx = $fake->node(
    workers => 1, size => '1m', zone => 'ttl=4s', uri => $fake->uri,
    location => 'location / { msgbus bus; } msgbus_scope exact parent all;
                 location /rse/ { msgbus bus; msgbus_rse on; }
                 msgbus_require_uuid off;',
)->start;

$fake->wait_until_up($nginx);

my $client = $nginx->client(agent => 'reader/1.0');

sub said {
    my ($uri) = @_;

    my $r = $client->get($uri);

    return join ' ', $r->status, $r->gap ? 'gap' : (),
                     $r->status == 200
                     ? map { $_->{data}[0] } @{ $r->json->{events} } : ();
}

my $from = '?echo=true&last-known-id=0';

# one question tells what there was before this nginx, and is enough

$client->post('/a', '[1]');
is(said("/a$from"), '200 1', 'all there is');

$fake->set(away => 1);

is(said("/a$from"), '200 1', 'the same without the database');
is(said("/never$from"), '204', '    of another channel, too');
is(said("/$from&events=all"), '200 1', '    and of the whole bus');

$fake->set(away => 0);
$fake->wait_until_up($nginx);

my $old = $client->post('/a', '[2]')->id;

sleep 3;
$client->post('/a', '[3]');
sleep 1.6;

is(said("/a$from"), '200 3', 'what is too old has left memory');

$fake->set(away => 1);

is(said("/a$from"), '200 3', '    and is not asked for');
is(said('/rse/a?echo=true'), '200 3', '    by a client of RSE either');
is(said("/a$from&sort=-1"), '200 3', '    nor the newest first');
is(said('/a?echo=true&last-known-id=' . ($old - 1)), '200 gap 3',
   '    who has not seen it is told of the gap');

$nginx->quit;
$nginx->no_alerts;

done_testing;
