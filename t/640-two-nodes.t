# Two nodes with two workers each on one database, with posters and pollers on
# each, and pollers who hop between them, for 30 seconds in which nodes are
# reloaded, workers are killed and the database stands still: the law holds for
# every reader, each acknowledged event is there once.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Law;
use Msgbus::Mongodb;


my $seconds = 30;

Msgbus::Nginx->limit(240);

my $mongodb = Msgbus::Mongodb->new(own => 1)->start;

# where the database can have two servers, each node has its own

my $uri = $mongodb->{kind} eq 'ferretdb' ? $mongodb->another_server
                                         : $mongodb->uri;
my @nginx = ($mongodb->node->start, $mongodb->node(uri => $uri)->start);

$mongodb->wait_until_up(@nginx);

my $law = Msgbus::Law->new(
    dir => $nginx[0]{dir}, to => [map { "127.0.0.1:$_->{port}" } @nginx],
    posters => 8, pollers => 6, hoppers => 3, rate => 25,
    settle => sub { $mongodb->wait_for_id($_[0], @nginx) },
)->begin;

my $over = $law->{began} + $seconds;
my ($reloads, $kills, @back) = (0, 0);

# fewer rounds than four say little, however slow they are

while (Msgbus::Law::now() < $over || @back < 4) {
    for my $nginx (@nginx) {
        sleep 0.7;
        $nginx->reload(wait => 0);
        $reloads++;

        sleep 0.7;

        my @pids = $nginx->worker_pids;

        $nginx->kill_worker($pids[rand @pids]) if @pids;
        $kills++;
    }

    sleep 0.5;
    $mongodb->stall;
    sleep 2;
    $mongodb->resume;
    push @back, Msgbus::Law::now();
    sleep 1;
}

$law->end->kept;

cmp_ok($reloads, '>=', 8, "nodes were reloaded $reloads times");
cmp_ok($kills, '>=', 8, "$kills workers were killed");
cmp_ok(scalar @back, '>=', 4, 'the database stood still ' . @back . ' times');

$law->is_back(2, 'it was back within 2 s', @back);

my %by;
$by{$_->[0] % 2}++ for $law->acknowledged;

cmp_ok($by{$_} // 0, '>', 300, "on node $_ events were acknowledged") for 0, 1;

$mongodb->has_all_of($law);

for my $nginx (@nginx) {
    $nginx->quit;
    $nginx->no_alerts(@Msgbus::Nginx::KILLED);
}

done_testing;
