# Two nginxes on one folder are two nodes of one bus, and so are the two of a
# binary upgrade: each acknowledged event is there once, in one order for all
# readers, also for those who hop from one to the other, while workers are
# killed and configurations reloaded.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Law;
use Msgbus::Nginx;


my $rounds = 3;

Msgbus::Nginx->limit(150);

my $path = Msgbus::Nginx->new->{dir} . '/journal';

my @nginx = map {
    Msgbus::Nginx->new(
        workers  => 2,
        daemon   => 'on',
        http     => "msgbus_journal disk { path $path; segment 256k; poll 20ms; }"
                    . ' msgbus_zone zone=bus:32m store=disk ttl=1h;',
        location => 'location / { msgbus bus; }',
    )->start;
} 1 .. 2;

# a node learns of the other's events a poll later

sub settle {
    my ($id) = @_;

    for my $nginx (@nginx) {
        $nginx->until(20, "event $id on each node", sub {
            my $r = $nginx->client->get('/load/c0?echo=true'
                                        . '&last-known-id=latest');

            return ($r->last_id // 0) >= $id;
        });
    }
}

for my $nginx (@nginx) {
    $nginx->until(10, 'the journal to be read', sub {
        return $nginx->client->get('/x?echo=true')->status == 204;
    });
}

my $law = Msgbus::Law->new(
    dir => $nginx[0]{dir}, to => [map { "127.0.0.1:$_->{port}" } @nginx],
    posters => 6, pollers => 4, hoppers => 2, rate => 60,
    settle => \&settle,
)->begin;

for my $round (1 .. $rounds) {
    for my $nginx (@nginx) {
        sleep 0.4;
        $nginx->reload(wait => 0);
        sleep 0.4;

        my @pids = $nginx->worker_pids;

        $nginx->kill_worker($pids[rand @pids]) if @pids;
    }
}

sleep 0.5;
$nginx[0]->upgrade;
sleep 0.5;

# who hops may come to a node that is a poll behind

$law->end->kept('late', 'newest');

for (@nginx) {
    $_->quit;
    $_->no_alerts(@Msgbus::Nginx::KILLED);
}

done_testing;
