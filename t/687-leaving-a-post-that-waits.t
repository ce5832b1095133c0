# A poster may leave while its post waits for the database: nothing is left of
# the request then, however long the database is away.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Fake;
use Msgbus::Http2;


Msgbus::Nginx->limit(90);

my $fake = Msgbus::Fake->new->start;
my $port = Msgbus::Nginx::free_port();

my $nginx = $fake->node(
    workers  => 1,
    listen   => ["127.0.0.1:$port http2"],
    more     => 'retry tries=120 delay=500ms;',
    location => 'location /bus/     { msgbus bus; }
                 location /after/   { msgbus bus; post_action @after; }
                 location @after    { return 200; }
                 location = /health { msgbus_health bus; }
                 location = /status { stub_status; }
                 lingering_timeout 200ms;
                 keepalive_timeout 200ms;',
)->start;

$fake->wait_until_up($nginx);

my $client = $nginx->client;

is($client->post('/bus/a', '{}')->status, 201, 'the database is there');
$client->get('/status');

my $sockets = $nginx->open_sockets;

$fake->set(away => 1);


sub requests {
    my ($writing) = $client->get('/status')->body =~ /Writing: (\d+)/;

    return $writing - 1;
}


# They wait for a minute, if nobody leaves.

sub nothing_is_left {
    my ($title) = @_;

    my $left = '';
    my $is_gone = eval {
        $nginx->until(3, 'what was left to be gone', sub {
            $left = requests() . ' requests, '
                    . ($nginx->open_sockets - $sockets) . ' connections';

            return $left eq '0 requests, 0 connections';
        });
        1;
    };

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    return ok($is_gone, $title) || diag("left: $left");
}


for my $way (qw( close reset )) {
    for my $place (qw( /bus /after )) {

        # at once, so that the goodbye may be there before the request is held

        for (1 .. 10) {
            my $leaver = $nginx->client;

            $leaver->send($leaver->format(POST => "$place/a", '{"n":1}'));
            $leaver->$way;
        }

        nothing_is_left("$way at once, at $place");

        my @leavers = map { $nginx->client } 1 .. 10;

        $_->send($_->format(POST => "$place/a", '{"n":1}')) for @leavers;
        $nginx->until(5, 'ten posts to wait', sub { requests() == 10 });
        $_->$way for @leavers;

        nothing_is_left("$way while it waits, at $place");
    }
}

for my $place (qw( /bus /after )) {
    my $h2 = Msgbus::Http2->new(to => "127.0.0.1:$port");
    my @ids;

    for (1 .. 10) {
        my $id = $h2->headers(POST => "$place/a", [], 0);

        $h2->data($id, '{"n":1}', 1);
        push @ids, $id;
    }

    $nginx->until(5, 'ten streams to wait', sub { requests() >= 10 });
    $h2->reset($_) for @ids;
    $h2->leave('close');

    nothing_is_left("a reset of each stream, at $place");
}

$fake->set(away => 0);

$nginx->until(15, 'a post to be stored', sub {
    return $nginx->client->post('/bus/a', '{"n":2}')->status == 201;
});

pass('and the database serves who comes then');

done_testing();
