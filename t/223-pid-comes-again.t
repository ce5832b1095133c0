# A worker that was killed leaves nothing to the bus when another process gets
# its pid.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use POSIX qw(SIGCHLD);
use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Nginx;


my $owner = $$;
my $stranger;

END {
    if ($stranger && $$ == $owner) {
        local $?;

        kill KILL => $stranger;
        waitpid $stranger, 0;
    }
}


# A child of ours with this pid; 0 where we may not choose.

sub process {
    my ($pid) = @_;

    # struct clone_args of clone3(): flags, pidfd, child_tid, parent_tid,
    # exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup

    my $clone3 = 435;
    my $set_tid = pack 'i', $pid;
    my $args = pack 'Q8 P Q2', (0) x 4, SIGCHLD, (0) x 3, $set_tid, 1, 0;

    my $child = syscall $clone3, $args, length $args;

    return $child == $pid ? $pid : 0 if $child;

    { exec 'sleep', 300 }
    POSIX::_exit(127);
}


sub wait_for_event {
    my ($nginx) = @_;

    my $client = $nginx->client;

    $client->send($client->format(GET => '/a?wait=30'));

    return $client;
}


# does another reader find no room?

sub is_full {
    my ($nginx) = @_;

    return $nginx->client->get('/a?wait=1')->status == 503;
}


Msgbus::Nginx->limit(90);

my $nginx = Msgbus::Nginx->new(
    workers  => 2,
    http     => 'msgbus_zone zone=bus:1m;',
    location => 'location / { msgbus bus; msgbus_max_waiters 1; }',
)->start;

# a worker that lives keeps what is its own when another one takes a slot

my %had = map { $_ => scalar $nginx->open_sockets($_) } $nginx->worker_pids;
my $reader = wait_for_event($nginx);

$nginx->until(5, 'a reader to wait', sub { is_full($nginx) });

my ($other) = grep { $nginx->open_sockets($_) == $had{$_} } keys %had;

$nginx->kill_worker($other);
ok(is_full($nginx), 'a reader of a worker that lives is counted');
$reader->close;

# A worker is stopped with its reader, and so does not see the reload that
# tells it to go; nobody takes its place when it is killed then.

$nginx->until(5, 'room for a reader', sub { !is_full($nginx) });
%had = map { $_ => scalar $nginx->open_sockets($_) } $nginx->worker_pids;
$reader = wait_for_event($nginx);
$nginx->until(5, 'a reader to wait', sub { is_full($nginx) });

my ($its) = grep { $nginx->open_sockets($_) > $had{$_} } keys %had;

kill STOP => $its;
$nginx->reload(wait => 0);
kill KILL => $its;
$nginx->wait_for_end_of([$its], 10);
$reader->close;

SKIP: {
    $nginx->until(5, 'its pid to be free', sub { !-e "/proc/$its" });
    $stranger = process($its) or skip "clone3() does not let us choose: $!", 2;

    ok(is_full($nginx), 'it is counted until another worker starts');

    $nginx->reload;
    ok(!is_full($nginx), 'then a killed worker\'s reader is forgotten, though '
                         . 'a process has its pid');
}

$nginx->quit;
$nginx->no_alerts(@Msgbus::Nginx::KILLED);

done_testing;
