# Workers are killed under load, one at a time, wherever they are.  A lock that
# the dead one held, or a log that it left half written, harms nobody.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Law;
use Msgbus::Nginx;


my $kills = 20;

Msgbus::Nginx->limit(150);

my $nginx = Msgbus::Nginx->new(
    workers  => 4,
    http     => 'msgbus_zone zone=bus:64m ttl=120s;',
    location => 'location / { msgbus bus; }',
)->start;

my $law = Msgbus::Law->new(nginx => $nginx, posters => 8, channels => 16,
                           pollers => 3, rate => 500)->begin;

for my $i (1 .. $kills) {
    sleep 0.1 + rand 0.2;

    my @pids = $nginx->worker_pids;
    $nginx->kill_worker($pids[rand @pids]);
}

sleep 0.5;

$law->end->kept;

is_deeply($law->{refused}, [], 'no event is refused');

is(scalar $nginx->log(0, 'alert', 'exited on signal 9'), $kills,
   "$kills workers were killed");

$nginx->quit;
$nginx->no_alerts(@Msgbus::Nginx::KILLED);

done_testing;
