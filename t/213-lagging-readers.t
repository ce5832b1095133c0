# Readers that cannot keep up with posters on a small bus, while workers are
# killed and nginx reloads: they miss events, and never in silence.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Law;
use Msgbus::Nginx;


Msgbus::Nginx->limit(120);

my $nginx = Msgbus::Nginx->new(
    workers  => 4,
    http     => 'msgbus_zone zone=bus:256k ttl=120s;',
    location => 'location / { msgbus bus; }',
)->start;

my $law = Msgbus::Law->new(nginx => $nginx, posters => 4, channels => 16,
                           pollers => 2, lag => 0.7)->begin;

for my $i (1 .. 8) {
    sleep 0.4 + rand 0.1;

    my @pids = $nginx->worker_pids;
    $nginx->kill_worker($pids[rand @pids]);
    $nginx->reload if $i % 3 == 0;
}

$law->end->kept('gap');

cmp_ok(scalar @{ $law->{broken}{gap} }, '>', 0, 'readers were told of gaps');

is_deeply($law->{refused}, [], 'no event is refused');

$nginx->quit;
$nginx->no_alerts(@Msgbus::Nginx::KILLED);

done_testing;
