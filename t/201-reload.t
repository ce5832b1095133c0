# nginx reloads under load.  Old and new workers serve one and the same bus at
# the same time; a poster whose connection is closed by an old worker comes
# back and meets a new one.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Law;
use Msgbus::Nginx;


my $reloads = 20;

Msgbus::Nginx->limit(150);

my $nginx = Msgbus::Nginx->new(
    workers  => 4,
    http     => 'msgbus_zone zone=bus:64m ttl=120s;',
    location => 'location / { msgbus bus; }',
)->start;

my $law = Msgbus::Law->new(nginx => $nginx, posters => 8, channels => 16,
                           pollers => 3, rate => 300)->begin;

# one after the other, and some while the old workers are still about to leave

for my $i (1 .. $reloads) {
    sleep 0.1 + rand 0.1;
    $nginx->reload(wait => $i % 2);
}

$law->end->kept;

# a connection that is closed while it is idle can meet a request on its way,
# which is HTTP's own; it must stay the exception

cmp_ok($law->{lost}, '<=', $law->{stored} / 50, 'few connections are lost');
is_deeply($law->{refused}, [], 'no event is refused');

$nginx->until(15, 'the end of old workers',
              sub { my @pids = $nginx->child_pids; @pids == 4 });
pass('no old worker is left behind');

is(scalar $nginx->log(0, 'notice', ': reconfiguring$'), $reloads,
   "nginx reloaded $reloads times");

$nginx->quit;
$nginx->no_alerts;

done_testing;
