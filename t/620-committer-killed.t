# The worker that commits is killed, twenty times, under load.  Another one
# takes over what was pending, and finds out what of it was stored.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Law;
use Msgbus::Mongodb;


my $kills = 20;

Msgbus::Nginx->limit(150);

my $mongodb = Msgbus::Mongodb->new->start;
my $nginx = $mongodb->node(workers => 2)->start;

$mongodb->wait_until_up($nginx);


# CPU time that the other threads of a worker have used, in ns

sub thread_time {
    my ($pid) = @_;

    my $ns = 0;

    for my $task (glob "/proc/$pid/task/*") {
        next if $task =~ m{/$pid$};
        $ns += (split ' ', Msgbus::Nginx::slurp("$task/schedstat"))[0] // 0;
    }

    return $ns;
}


# The one whose thread has worked since a moment ago; a slow machine may need
# several.

sub committer {
    my @pids = $nginx->worker_pids;
    my %before = map { $_ => thread_time($_) } @pids;
    my ($pid, %used);

    for (1 .. 20) {
        sleep 0.1;

        %used = map { $_ => thread_time($_) - $before{$_} } @pids;
        ($pid) = sort { $used{$b} <=> $used{$a} } @pids;
        last if $used{$pid};
    }

    return ($pid, $used{$pid});
}


my $law = $mongodb->law($nginx, rate => 60);

sleep 0.5;

my (@idle, @dead);

for my $i (1 .. $kills) {
    sleep 0.1 + rand 0.2;

    my ($pid, $used) = committer();

    push @idle, $pid if !$used;
    push @dead, Msgbus::Law::now();
    $nginx->kill_worker($pid);
}

sleep 1;
$law->end->kept;

is_deeply(\@idle, [], 'each was one whose thread was at work');
is(scalar $nginx->log(0, 'alert', 'exited on signal 9'), $kills,
   "$kills workers were killed");

$law->is_back(2, 'the heirs commit within 2 s of a death', @dead);
cmp_ok($law->longest_pause($law->{began}, $law->{began} + $law->{lasted}),
       '<', 4 * $Msgbus::Nginx::PATIENCE, 'there is no long pause');

$mongodb->has_all_of($law);
$nginx->quit;
$nginx->no_alerts(@Msgbus::Nginx::KILLED);

done_testing;
