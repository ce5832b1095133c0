# A journal with "sync always", under load, while all of nginx is killed again
# and again, master and workers at once, with reloads and killed workers
# between: nothing that was acknowledged is lost, none is there twice, no id
# comes again, and no reader is told of a gap.
#
# JOURNAL_KILLS=100 for more of it.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Law;
use Msgbus::Nginx;


my $kills = $ENV{JOURNAL_KILLS} || 30;

Msgbus::Nginx->limit(60 + 6 * $kills);

my $nginx = Msgbus::Nginx->new(
    workers  => 3,
    http     => 'msgbus_journal disk { path journal; segment 256k; }'
                . ' msgbus_zone zone=bus:32m store=disk ttl=1h;',
    location => 'location / { msgbus bus; }',
)->start;

$nginx->until(10, 'the journal to be read', sub {
    return $nginx->client->get('/x?echo=true')->status == 204;
});

my $law = Msgbus::Law->new(nginx => $nginx, posters => 6, channels => 12,
                           pollers => 3, rate => 150)->begin;

my $workers = 0;

for my $i (1 .. $kills) {
    sleep 0.2 + rand 0.3;

    if ($i % 3 == 0) {
        $nginx->reload(wait => 0);
        sleep rand 0.3;

    } elsif ($i % 3 == 1) {
        my @pids = $nginx->worker_pids;

        $nginx->kill_worker($pids[rand @pids]) if @pids;
        $workers++;
        sleep rand 0.3;
    }

    $nginx->crash;

    my $port = $nginx->{port};

    $nginx->start;
    is($nginx->{port}, $port, "up again, $i") if $nginx->{port} != $port;
}

sleep 0.5;

$law->end->kept;

my $files = () = glob "$nginx->{dir}/journal/*.journal";

cmp_ok($files, '>', 1, 'there are segments enough to go from one to the next');

$nginx->quit;

# the port of the dead may be theirs for another moment

$nginx->no_alerts(@Msgbus::Nginx::KILLED, qr/Address already in use/);

done_testing;
