# nginx is told to quit while the database stands still, with posts that wait.
# It is gone within 10 s, burns no CPU in the meantime, and nothing that was
# acknowledged is lost.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Law;
use Msgbus::Mongodb;


Msgbus::Nginx->limit(120);

my $mongodb = Msgbus::Mongodb->new(own => 1)->start;


# clock ticks that processes have used

sub cpu {
    my $ticks = 0;

    for (@_) {
        my @f = split ' ', Msgbus::Nginx::slurp("/proc/$_/stat") =~ s/.*\)//r;

        $ticks += ($f[11] // 0) + ($f[12] // 0);
    }

    return $ticks / POSIX::sysconf(POSIX::_SC_CLK_TCK());
}


for my $how (qw(quit stop)) {
    my $nginx = $mongodb->node->start;

    $mongodb->wait_until_up($nginx);

    my $law = Msgbus::Law->new(nginx => $nginx, posters => 6, pollers => 0,
                               rate => 50, prefix => "/$how")->begin;

    sleep 2;
    $law->wait_for_stored(20);
    $mongodb->stall;
    sleep 1;

    my ($status, $report) = $mongodb->health($nginx);

    cmp_ok($report->{mongodb}{pending}, '>', 0, "$how: posts are waiting");

    # nobody who comes back may keep it busy
    $law->rest;

    my $master = $nginx->{pid};
    my @pids = $nginx->worker_pids;
    my $before = cpu(@pids);

    # sampled, for it is gone when nginx is
    my $pid = fork // die;

    if (!$pid) {
        my $most = 0;

        while (!Msgbus::Nginx::is_gone($master)) {
            my $now = cpu(@pids);

            $most = $now if $now > $most;
            sleep 0.02;
        }

        open my $out, '>', "$nginx->{dir}/cpu";
        print $out $most;
        close $out;
        POSIX::_exit(0);
    }

    my $took = $nginx->$how(10);

    waitpid $pid, 0;

    my $most = Msgbus::Nginx::slurp("$nginx->{dir}/cpu");

    diag sprintf '%s: gone after %.1f s, %.2f s of CPU', $how, $took,
         $most - $before;
    cmp_ok($took, '<', 10 * $Msgbus::Nginx::PATIENCE, 'gone within 10 s');
    cmp_ok($most - $before, '<', 0.1 * $took + 0.3, 'without burning CPU');

    $mongodb->resume;
    $law->end;

    # a command that was on its way may land now
    sleep 1;

    my @acknowledged = $law->acknowledged;

    cmp_ok(scalar @acknowledged, '>', 100, 'events were acknowledged');
    $mongodb->has_all_of($law);
    $nginx->no_alerts;
}

done_testing;
