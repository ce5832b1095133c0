# Sixteen clients post the same thousand keys at once to two nginxes on one
# journal, while workers are killed, configurations reloaded and connections
# cut; then both are started anew and it goes on: each key is stored once, and
# each client is told the same id, before and after.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Nginx;
use Msgbus::Retriers;


Msgbus::Nginx->limit(240);

my $path = Msgbus::Nginx->new->{dir} . '/journal';

# small files, and memory for a part of the events: the journal must know

my @nginx = map {
    Msgbus::Nginx->new(
        workers  => 2,
        http     => "msgbus_journal disk { path $path; segment 256k; poll 20ms; }"
                    . ' msgbus_zone zone=bus:1m store=disk ttl=1h max_events=300;',
        location => 'location / { msgbus bus; }',
    )->start;
} 1 .. 2;

my $n = 0;

# all of them at once, from the first key to the last one

sub all_at_once {
    my $retriers = Msgbus::Retriers->new(to  => [map { $_->{port} } @nginx],
                                         dir => $nginx[0]{dir})->start;

    my $turn = 0;

    while ($retriers->left) {
        my $nginx = $nginx[$turn++ % 2];

        sleep 0.3;

        my @pids = $nginx->worker_pids;

        $nginx->kill_worker($pids[rand @pids]) if @pids;
        $n++;

        sleep 0.2;
        $nginx->reload(wait => 0);
    }

    return $retriers;
}

all_at_once()->kept($nginx[0]);

for my $nginx (@nginx) {
    $nginx->stop;
    $nginx->start;
}

my $had = all_at_once()->kept($nginx[1]);

is($had->{first} // 0, 0, 'the second time nothing is stored');
cmp_ok($n, '>=', 2, "$n workers were killed");

$_->quit for @nginx;
$_->no_alerts(@Msgbus::Nginx::KILLED) for @nginx;

done_testing;
