# Sixteen clients post the same thousand keys at once to a bus in memory, whose
# workers are killed and reloaded meanwhile, and cut their connections: each
# key is stored once, and each client is told the same id.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Nginx;
use Msgbus::Retriers;


Msgbus::Nginx->limit(150);

my $nginx = Msgbus::Nginx->new(
    workers  => 4,
    http     => 'msgbus_zone zone=bus:32m ttl=1h;',
    location => 'location / { msgbus bus; }',
)->start;

my $retriers = Msgbus::Retriers->new(to => [$nginx->{port}],
                                     dir => $nginx->{dir})->start;
my $kills = 0;

while ($retriers->left) {
    sleep 0.1;

    my @pids = $nginx->worker_pids;

    $nginx->kill_worker($pids[rand @pids]) if @pids;
    $kills++;

    $nginx->reload(wait => 0) if $kills % 4 == 0;
}

my $had = $retriers->kept($nginx);

cmp_ok($kills, '>=', 1, "$kills workers were killed");
cmp_ok($had->{true} // 0, '>', 10_000, 'most answers were given again');

$nginx->quit;
$nginx->no_alerts(@Msgbus::Nginx::KILLED);

done_testing;
