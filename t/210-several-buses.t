# Every zone is a bus of its own, with its own ids, channels, ttl and fate.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Nginx;


Msgbus::Nginx->limit(60);

my $zones = 'msgbus_zone zone=a:1m first_id=1;
             msgbus_zone zone=b:1m first_id=1000 full=reject;';

my $nginx = Msgbus::Nginx->new(
    workers  => 2,
    http     => "$zones msgbus_zone zone=c:1m first_id=1 ttl=1s;",
    location => 'msgbus_require_uuid off;
                 location /a/ { msgbus a; }
                 location /b/ { msgbus b; }
                 location /c/ { msgbus c; }
                 location /also-a/ { msgbus a; }',
)->start;

my $client = $nginx->client;

my $read = sub {
    my ($channel, $cursor) = @_;

    my $r = $client->get("$channel?echo=true&max-events=3"
                         . "&last-known-id=$cursor");

    return join ' ', $r->status,
                     (map { $_->{id} . substr $_->{data}, 0, 8 }
                          @{ $r->events }),
                     $r->gap ? 'gap' : ();
};

is($client->post('/a/x', '["a"]')->id, 1, 'a bus has its own ids');
is($client->post('/b/x', '["b"]')->id, 1000, 'so has another');
is($client->post('/a/x', '["a2"]')->id, 2, 'and each goes on with its own');
is($client->post('/c/x', '["c"]')->id, 1, 'a third begins with 1 again');

is($read->('/a/x', 0), '200 1["a"] 2["a2"]', 'a channel belongs to a bus');
is($read->('/b/x', 0), '200 1000["b"]', 'the same name on another is another');

is($read->('/also-a/x', 0), '200 1["a"] 2["a2"]',
   'two locations can show one bus');

is($client->get('/a/x?echo=true&last-known-id=0')->last_id, 2,
   'cursors of one bus do not follow the other');

# one is full

my $event = '["large"' . ' ' x 1000 . ']';

$client->pipeline(([POST => '/a/x', $event]) x 100) for 1 .. 30;

like($read->('/a/x', 1), qr/^200 .* gap$/, 'one bus is full and drops events');
is($read->('/b/x', 999), '200 1000["b"]', 'the other keeps its own');

my $answer;

for (1 .. 3000) {
    $answer = $client->post('/b/x', $event);
    last if $answer->status != 201;
}

is($answer->status, 507, 'one bus rejects what it has no room for');
is($client->post('/a/x', '["a3"]')->status, 201, 'the other takes it');

# one is quick to forget

$nginx->until(5, 'events to expire', sub { $read->('/c/x', 0) eq '204' });

is($read->('/b/x', 999), '200 1000["b"] 1001["large" 1002["large"',
   'the ttl of one bus is not that of another');

# one begins anew

my $a3 = $client->get('/a/x?echo=true&sort=-1')->last_id;

$nginx->reload(http => "$zones msgbus_zone zone=c:2m first_id=1;");

is($read->('/a/x', $a3), '204', 'when one bus begins anew by another size');
is($read->('/b/x', 999), '200 1000["b"] 1001["large" 1002["large"',
   'the others go on');

$nginx->quit;
$nginx->no_alerts;

done_testing;
