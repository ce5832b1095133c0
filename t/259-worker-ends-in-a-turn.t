# A worker that is to end, by a reload or an upgrade, ends its streams and long
# polls first, also in the middle of a crowd's heartbeats, or when the time of a
# crowd is over: these go in turns, and nginx's worker waits for timers, but not
# for posted events.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw( sleep );

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


# all are due at once, and so is the end: the worker has stood still meanwhile

my ($worker) = $nginx->worker_pids;
my @polls = map { $nginx->client(agent => 'r/1.0', timeout => 20) } 1 .. 300;

$nginx->stop_worker($worker);

for my $poll (@polls) {
    $poll->connect and die "connect\n";
    $poll->send($poll->format(GET => '/c?last-known-id=latest&wait=3'));
}

kill CONT => $worker;
$nginx->wait_for_readers(scalar @polls);
$nginx->stop_worker($worker);
sleep 3.1;
kill QUIT => $worker;
kill CONT => $worker;
$nginx->wait_for_end_of([$worker], 20);

is(scalar(grep { $_->response('GET')->status == 204 } @polls), scalar @polls,
   'each long poll has its answer');

$nginx->quit;
$nginx->no_alerts;

done_testing;
