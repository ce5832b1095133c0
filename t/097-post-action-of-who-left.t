# A post_action that takes its time runs to its end when a client has left, and
# the request that was held is not woken any more.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Socket::INET;
use Test::More;

use Msgbus::Nginx;


Msgbus::Nginx->limit(60);

# a backend that takes connections, and says nothing
my $backend = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 64)
    or die "no backend: $@\n";
my $port = $backend->sockport;

my $nginx = Msgbus::Nginx->new(
    http     => 'msgbus_zone zone=bus:1m first_id=1;
                 msgbus_require_uuid off;
                 msgbus_ping 100ms;
                 log_format action "$status $uri";',
    location => "location /bus/     { msgbus bus; post_action \@told; }
                 location \@told    { proxy_pass http://127.0.0.1:$port;
                                      proxy_read_timeout 1s;
                                      access_log action.log action; }
                 location = /health { msgbus_health bus; }",
)->start;

my ($worker) = $nginx->worker_pids;
my $poster = $nginx->client(agent => 'poster/1.0');

for my $accept ('*/*', 'text/event-stream', 'application/x-ndjson') {
    my @leavers = map { $nginx->client(agent => 'reader/1.0') } 1 .. 3;

    $_->send($_->format(GET => '/bus/c?wait=20&last-known-id=latest', undef,
                        Accept => $accept)) for @leavers;
    $nginx->wait_for_readers(3);
    $_->close for @leavers;

    select undef, undef, undef, 0.1;

    # this would wake them
    my $event = $nginx->client(agent => 'poster/1.0');

    $event->send($event->format(POST => '/bus/c', '{}'));
    is($event->response('POST')->status, 201, 'an event is posted');
    $event->close;

    is($nginx->until(5, 'nobody to wait', sub {
        return $nginx->client->get('/health?verbose=true')->body
               =~ /"waiting_readers":0\b/;
    }) < 1 * $Msgbus::Nginx::PATIENCE, 1,
       "$accept: who left waits no more, while post_action runs");
}

$nginx->until(10, 'each post_action to end', sub {
    return 9 <= grep { /\S/ }
                split /\n/, Msgbus::Nginx::slurp("$nginx->{dir}/action.log");
});
pass('each has had its post_action, to its end');
is(join(' ', $nginx->worker_pids), $worker, 'the worker is the same');

$nginx->quit;
$nginx->no_alerts;

done_testing;
