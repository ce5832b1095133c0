# A ping never names an id above an event that its reader has yet to get.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Nginx;
use Msgbus::Stream;


Msgbus::Nginx->limit(60);

my $n = 400;
my $posts = 60;

my $nginx = Msgbus::Nginx->new(
    http     => 'msgbus_zone zone=bus:1m first_id=1; msgbus_ping 20ms;',
    location => 'location / { msgbus bus; msgbus_require_uuid off; }',
)->start;

# more than are woken in one turn of the event loop, and pings in between

my @streams = map {
    my $stream = Msgbus::Stream->new(to => "127.0.0.1:$nginx->{port}",
                                     uri => '/c');
    $stream->open;
    $stream;
} 1 .. $n;

my $poster = $nginx->client(agent => 'poster');

for my $k (1 .. $posts) {
    $poster->post('/c', "[$k]");
    Msgbus::Stream->read_until(0.02, sub { 0 }, @streams);
}

ok(Msgbus::Stream->read_until(20,
       sub { !grep { $_->{n} < $posts } @streams }, @streams),
   'all events come to all');

my ($back, $twice, $pings) = (0, 0, 0);

for my $stream (@streams) {
    my $newest = 0;

    for my $event (grep { defined $_->{id} } @{ $stream->{events} }) {
        $pings += !$event->{data};
        $back++ if $event->{id} < $newest;
        $twice++ if $event->{data} && $event->{id} == $newest;

        $newest = $event->{id};
    }
}

is($back, 0, 'no id is below one that was named before');
is($twice, 0, 'nor is an event that of a ping before it');
cmp_ok($pings, '>', $n, 'there were pings');

$_->reset for @streams;
$nginx->quit;
$nginx->no_alerts;

done_testing;
