# The wall clock is set while events wait: an hour ahead, for a moment, and an
# hour back.  It is what created_at shows, and nothing else goes by it: events
# leave when they have been there for their ttl, and not before.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Clocks;
use Msgbus::Nginx;


Msgbus::Nginx->limit(90);

my $hour = 3600;

my $nginx = Msgbus::Nginx->new(
    workers  => 1,
    http     => 'msgbus_zone zone=bus:1m ttl=4s first_id=1;
                 msgbus_zone zone=full:1m ttl=4s max_events=1 full=reject
                             first_id=1;',
    location => 'msgbus_require_uuid off;
                 location /bus/ { msgbus bus; }
                 location /full/ { msgbus full; }',
);

my $clocks = Msgbus::Clocks->new($nginx)->start;

plan skip_all => 'another library is preloaded' if !$clocks->works;

my $client = $nginx->client;

# nginx looks at the clock with each turn of its event loop

sub set_clock {
    my ($seconds) = @_;

    $clocks->wall($seconds);

    $client->get('/bus/none') for 1 .. 3;

    return;
}


sub event {
    my ($channel, $id) = @_;

    my $r = $client->get("$channel?echo=true&last-known-id=" . ($id - 1));

    return $r->events->[0];
}


# ahead, for a moment

my $begun = Msgbus::Nginx::now();
my $before = $client->post('/bus/a', '[1]')->id;

set_clock($hour);

my $ahead = $client->post('/bus/b', '[2]')->id;

is($client->post('/full/a', '[1]')->status, 201, 'a bus is full');
ok(event('/bus/a', $before),
   'what was posted before the clock was set is still there');

set_clock(0);

my $after = $client->post('/bus/c', '[3]')->id;
my @shown = map { event("/bus/$_->[0]", $_->[1])->{created_at} }
                [a => $before], [b => $ahead], [c => $after];

is(substr($shown[0], 0, 13), substr($shown[2], 0, 13),
   'the time of an event is that of the clock, also when it is right again')
    if substr($shown[0], 14, 2) < 59;
isnt(substr($shown[0], 0, 13), substr($shown[1], 0, 13),
     'and that of a clock that is wrong');

sleep 1.5;

my $spent = Msgbus::Nginx::now() - $begun;

cmp_ok(event('/bus/b', $ahead)->{age}, '>=', 1,
       'an event of the future grows old like the others');

# back

set_clock(-$hour);

is(event('/bus/a', $before)->{age} >= 1, 1, 'so does one of the past');

my $left = Msgbus::Nginx::now() - $begun;

$nginx->until(15, 'all to leave', sub {
    return !grep { event("/bus/$_->[0]", $_->[1]) }
                 [a => $before], [b => $ahead], [c => $after];
});

cmp_ok(Msgbus::Nginx::now() - $begun, '>', 3.5, 'they leave after their ttl');

my $r;

$nginx->until(15, 'room again', sub {
    $r = $client->post('/full/a', '[2]');
    return $r->status == 201;
});

is($r->status, 201, 'and a bus that is full takes events again');

$nginx->quit;
$nginx->no_alerts;

done_testing;
