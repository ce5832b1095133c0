# Sixteen clients post the same thousand keys at once to two nodes of a
# database, and retry whatever they are told, while workers are killed, nodes
# reloaded, connections cut, and the database stands still: each key is stored
# once, and each client is told the same id, whichever node it has asked.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Mongodb;
use Msgbus::Retry;


Msgbus::Nginx->limit(240);

my $mongodb = Msgbus::Mongodb->new(own => 1)->start;

# where the database can have two servers, each node has its own

my $uri = $mongodb->{kind} eq 'ferretdb' ? $mongodb->another_server
                                         : $mongodb->uri;
my @nginx = ($mongodb->node(workers => 2)->start,
             $mongodb->node(workers => 2, uri => $uri)->start);

$mongodb->wait_until_up(@nginx);

my $retry = Msgbus::Retry->new(
    dir => $nginx[0]{dir}, to => [map { "127.0.0.1:$_->{port}" } @nginx],
)->begin;

my ($kills, $stalls, $turn) = (0, 0, 0);

while ($retry->goes_on) {
    my $nginx = $nginx[$turn++ % 2];

    sleep 0.3;

    my @pids = $nginx->worker_pids;

    $nginx->kill_worker($pids[rand @pids]) if @pids;
    $kills++;

    sleep 0.3;
    $nginx->reload(wait => 0);

    next if $turn % 4 != 1 || $stalls == 3;

    # as long as posts have patience, and longer

    $mongodb->stall;
    sleep $stalls % 2 ? 0.5 : 3;
    $mongodb->resume;
    $stalls++;
}

$retry->end;
$mongodb->wait_until_up(@nginx);

$retry->kept($nginx[1]->client);

cmp_ok($kills, '>=', 2, "$kills workers were killed");
cmp_ok($stalls, '>=', 1, "the database stood still $stalls times");
cmp_ok($retry->{saw}{409} // 0, '>', 0,
       'some came while the first was under way');

$_->quit for @nginx;
$_->no_alerts(@Msgbus::Nginx::KILLED) for @nginx;

done_testing;
