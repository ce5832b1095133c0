# All places for channels are taken, and the oldest events are those of one busy
# channel: their leaving gives no place free.  With full=evict a post to a new
# channel is stored all the same, and the oldest events leave for it.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Nginx;


Msgbus::Nginx->limit(90);

my $nginx = Msgbus::Nginx->new(
    workers  => 1,
    http     => 'msgbus_zone zone=bus:256k ttl=600s first_id=1;
                 keepalive_requests 1000000;',
    location => 'location / { msgbus bus; msgbus_require_uuid off; }',
)->start;

my $client = $nginx->client;

sub post_all {
    my %status;

    $status{ $_->status }++ for $client->pipeline(map { [POST => @$_] } @_);

    return \%status;
}

# 150 of one channel, then nearly as many channels as there are places for

post_all(map { ['/busy', '[1]'] } 1 .. 150);
post_all(map { ["/c$_", '[1]'] } 1 .. 70);

my $first = $client->get('/busy?echo=true&last-known-id=0&max-events=1')
                   ->events->[0]{id};

my $status = post_all(map { ["/new$_", '[1]'] } 1 .. 60);

is_deeply($status, { 201 => 60 }, 'posts to 60 new channels are stored');

my @lost = grep {
    !@{ $client->get("/new$_?echo=true&last-known-id=0")->events }
} 1 .. 60;

is(scalar @lost, 0, 'and all of them are there');

# the busy channel's have left for them, and are told of

my $r = $client->get("/busy?echo=true&last-known-id=$first");

ok($r->gap, 'and whoever has not seen them is told');

$nginx->quit;
$nginx->no_alerts;

done_testing;
