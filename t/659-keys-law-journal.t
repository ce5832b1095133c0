# 16 clients post the same 1,000 keys at once to a bus with a journal, while all
# of nginx is killed again and again, master and workers at once, with reloads
# and killed workers between.  Each key is stored once, and each client is told
# the same id.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Nginx;
use Msgbus::Retriers;


Msgbus::Nginx->limit(120);

my $nginx = Msgbus::Nginx->new(
    workers  => 4,
    http     => 'msgbus_journal disk { path journal; segment 256k; }'
                . ' msgbus_zone zone=bus:4m store=disk ttl=1h;',
    location => 'location / { msgbus bus; }',
)->start;

$nginx->until(10, 'the journal to be read', sub {
    return $nginx->client->get('/x?echo=true')->status == 204;
});

my $retriers = Msgbus::Retriers->new(to => [$nginx->{port}],
                                     dir => $nginx->{dir}, pace => 0.006)->start;
my $kills = 0;

while ($retriers->left && $kills < 8) {
    sleep 0.2 + rand 0.2;

    if ($kills % 2) {
        $nginx->reload(wait => 0);

    } else {
        my @pids = $nginx->worker_pids;

        $nginx->kill_worker($pids[rand @pids]) if @pids;
    }

    sleep rand 0.2;

    $nginx->crash;

    $nginx->start;
    $kills++;
}

$retriers->wait(60);
cmp_ok($kills, '>', 1, "all of it was killed $kills times");

my $had = $retriers->kept($nginx);

cmp_ok($had->{true} // 0, '>', 10_000, 'most answers were given again');
cmp_ok($had->{cut} // 0, '>', 0, 'and some nobody waited for');

$nginx->quit;

# the port of the dead may be theirs for another moment

$nginx->no_alerts(@Msgbus::Nginx::KILLED, qr/Address already in use/);

done_testing;
