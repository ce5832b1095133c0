# A binary upgrade (USR2) starts a master with a memory of its own: the log
# begins anew, and no reader takes it for the old one.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Nginx;


Msgbus::Nginx->limit(60);

my $nginx = Msgbus::Nginx->new(
    workers  => 2,
    daemon   => 'on',
    http     => 'msgbus_zone zone=bus:1m ttl=120s;',
    location => 'location / { msgbus bus; msgbus_require_uuid off; }',
)->start;

my $client = $nginx->client;
my @ids = map { $client->post('/a', "[$_]")->id } 1 .. 3;

$nginx->upgrade;

my $r = $client->get("/a?echo=true&last-known-id=$ids[2]");

is($r->status, 204, 'the new binary begins an empty log');
ok($r->gap, 'and tells old cursors of the gap');

my $next = $client->post('/a', '[4]')->id;

cmp_ok($next, '>', $ids[2], 'its ids do not go back');

$r = $client->get('/a?echo=true&last-known-id=' . $r->last_id);

is(join(' ', map { "$_->{id}$_->{data}" } @{ $r->events }), "$next\[4]",
   'the reader goes on');
ok(!$r->gap, 'and the gap is told once');

$nginx->quit;
$nginx->no_alerts;

done_testing;
