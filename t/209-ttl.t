# Events have a time to live, and readers who were too late are told.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Nginx;


Msgbus::Nginx->limit(90);

# so long that what is to be there still is, although the machine is busy

my $ttl = 6;

my $nginx = Msgbus::Nginx->new(
    workers  => 2,
    http     => "msgbus_zone zone=bus:1m ttl=${ttl}s first_id=1;",
    location => 'location / { msgbus bus; msgbus_require_uuid off; }',
)->start;

my $client = $nginx->client;

# status, ids, the next cursor, and whether there was a gap

my $read = sub {
    my ($channel, $cursor) = @_;

    my $r = $client->get("$channel?echo=true&last-known-id=$cursor");

    return join ' ', $r->status, (map { $_->{id} } @{ $r->events }),
                     'next=' . ($r->last_id // 'none'), $r->gap ? 'gap' : ();
};

my $begun = Msgbus::Client::now();

$client->post('/a', "[$_]") for 1 .. 3;     # ids 1 to 3
$client->post('/b', '[1]');                 # id 4

is($read->('/a', 0), '200 1 2 3 next=4', 'events are there at first');

my $posted = Msgbus::Client::now();

$nginx->until($ttl + 10, 'events to expire',
              sub { $read->('/a', 0) =~ /^204/ });

cmp_ok(Msgbus::Client::now() - $begun, '>=', $ttl - 0.1,
       'they are there for as long as ttl says');
cmp_ok(Msgbus::Client::now() - $posted, '<', $ttl + 3 * $Msgbus::Nginx::PATIENCE,
       'and no longer');

$nginx->until(10, 'the last one to expire',
              sub { $read->('/b', 0) =~ /^204/ });

is($read->('/a', 0), '204 next=4',
   'a channel whose events are gone is empty, and names the next cursor');
is($read->('/a', 1), '204 next=4 gap',
   'who has missed events is told of the gap');
is($read->('/a', 2), '204 next=4 gap', 'although it was a single one');
is($read->('/a', 3), '204 next=4', 'who had seen all of the channel is not');
is($read->('/a', 4), '204 next=4', 'nor is who comes with the next cursor');
is($read->('/b', 3), '204 next=4 gap', 'other channels tell their own gap');
is($read->('/b', 4), '204 next=4', 'and not to those who were in time');
is($read->('/c', 4), '204 next=4', 'a channel without events has lost none');

$begun = Msgbus::Client::now();
$client->post('/a', '[5]');                 # id 5

is($read->('/a', 3), '200 5 next=5', 'who was in time goes on without a gap');
is($read->('/a', 2), '200 5 next=5 gap', 'who was not is told with the news');
is($read->('/b', 4), '204 next=5', 'a quiet channel moves its cursor on');

my $e = $client->get('/a?echo=true')->events->[0];

cmp_ok($e->{age}, '<=', Msgbus::Client::now() - $begun + 0.1,
       'age is in seconds');

sleep 2;

my $aged = $client->get('/a?echo=true')->events->[0];

cmp_ok($aged ? $aged->{age} : 'none', '>=', 2, 'and grows');
is($aged && $aged->{created_at}, $e->{created_at}, 'created_at does not');

# an event that comes later stays longer

sleep 1.5;
$client->post('/a', '[6]');                 # id 6

$nginx->until($ttl + 10, 'event 5 to expire',
              sub { $read->('/a', 0) !~ /^200 5/ });

is($read->('/a', 5), '200 6 next=6', 'events expire one by one');

$nginx->quit;
$nginx->no_alerts;

is(scalar $nginx->log(0, 'warn|error|crit'), 0,
   'events that expire are not worth a line in the error log')
    || diag($nginx->log(0, 'warn|error|crit'));

done_testing;
