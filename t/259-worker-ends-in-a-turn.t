# A worker that is to end, by a reload or an upgrade, ends its streams first,
# also in the middle of a crowd's heartbeats: these go in turns, and nginx's
# worker waits for timers, but not for posted events.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Nginx;


Msgbus::Nginx->limit(60);

my $many = 500;

my $nginx = Msgbus::Nginx->new(
    workers     => 1,
    connections => 2048,
    http        => 'msgbus_zone zone=bus:8m;
                    msgbus_require_uuid off;
                    msgbus_park off;
                    msgbus_ping 10ms;',
    location    => 'location / { msgbus bus; }',
)->start;

my $ended = 0;

# its end is at any moment of a round

for my $time (1 .. 5) {
    my @streams = map { $nginx->client(agent => 'r/1.0', timeout => 20) }
                  1 .. $many;

    for my $stream (@streams) {
        $stream->connect and die "connect\n";
        $stream->send("GET /c?last-known-id=latest HTTP/1.1\r\nHost: bus\r\n"
                      . "User-Agent: r\r\nAccept: text/event-stream\r\n\r\n");
    }

    $nginx->wait_for_readers($many);

    my @old = $nginx->worker_pids;

    kill QUIT => @old;
    $nginx->wait_for_end_of(\@old, 20);
    $nginx->until(20, 'a new worker', sub { $nginx->worker_pids == 1 });

    for my $stream (@streams) {
        $stream->read_some until $stream->is_closed;
        $ended += $stream->{in} =~ /\r\n0\r\n\r\n\z/;
        $stream->close;
    }
}

is($ended, 5 * $many, 'each stream has its end');

$nginx->quit;
$nginx->no_alerts;

done_testing;
