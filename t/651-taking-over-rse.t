# A database that RSE has written: its events are read at once, ids go on from
# its own, and RSE can go on with ours.

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
my @ids = map {
    $mongodb->ask(rse_insert => {
        channel => '/old', data => qq({"n":$_}),
        user_agent => 'Old/1.0 uuid/old', uuid => 'old' })->[0];
} 1 .. 12;

# as much as RSE's counter says: its own ids were lost with their events
$mongodb->ask(set_counter => { c => 5000 });

my $nginx = $mongodb->node->start;

$mongodb->wait_until_up($nginx);

my $client = $nginx->client;
my $r = $client->get('/old?last-known-id=0');

is_deeply([map { "$_->{id} $_->{data} $_->{user_agent}" } @{ $r->events }],
          [map { qq($ids[$_ - 1] {"n":$_} Old/1.0 uuid/old) } 1 .. 12],
          'its events are read');
is($client->get('/old?last-known-id=3')->gap, 0, 'and cursors on them go on');
is(scalar @{ $nginx->client(agent => 'x uuid/old')
                   ->get('/old?last-known-id=0')->events }, 0,
   'a poster does not get its own');

my $new = $client->post('/new', '{}')->id;

cmp_ok($new, '>', $ids[-1], "our first id, $new, is above its newest");

my $next = $mongodb->ask(rse_insert => {
    channel => '/old', data => '{"n":13}',
    user_agent => 'Old/1.0 uuid/old', uuid => 'old' })->[0];

is($next, $new + 1, "RSE's next is the one after");

$mongodb->wait_for_id($next, $nginx);
is($client->get("/old?last-known-id=$ids[-1]")->events->[0]{data}, '{"n":13}',
   'and is read here');

cmp_ok($client->post('/new', '{}')->id, '>', $next, 'and ours is above it');

# as RSE's own indexes were, or what else an administrator has made

my $indexes = $mongodb->ask('indexes');

is_deeply([map { $_->[0] } @{ $indexes->{ttl}{key} }], ['created_at'],
          'the index "ttl" is made');
is($indexes->{ttl}{expireAfterSeconds}, 120, "with the zone's ttl");
is_deeply([map { $_->[0] } @{ $indexes->{get_events}{key} }],
          [qw(channel _id uuid)], 'the index "get_events" is made');

$nginx->quit;
$nginx->no_alerts;

# a ttl that differs

my $other = Msgbus::Mongodb->new;

if ($other->{kind} eq 'uri') {
    $other->start;

} else {
    # another database of the same server
    %$other = (%$mongodb, database => $other->{database}, driver => undef,
               server => undef, servers => [], postgres => undef, dir => undef);
}

$other->ask(rse_insert => { channel => '/old', data => '{}',
                            user_agent => 'x', uuid => 'y' });
$other->ask(create_index => { keys => [['created_at', 1]], name => 'ttl',
                              expireAfterSeconds => 60 });

$nginx = $other->node->start;
$other->wait_until_up($nginx);

my (undef, $report) = $other->health($nginx);

like(join(' ', @{ $report->{warnings} }), qr/ttl index .* differs/,
     'a ttl that differs is warned about');
is($other->ask('indexes')->{ttl}{expireAfterSeconds}, 60,
   'and left as it is');

$nginx->quit;
$nginx->no_alerts;

done_testing;
