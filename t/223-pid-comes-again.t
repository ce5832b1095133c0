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
use Msgbus::Stream;


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


# A reader that waits, and is known to: a stream tells by its first bytes that
# it was let in.  With a long-poll, which tells nothing, is_full() could come
# first and take the one place itself.

sub reader {
    my ($nginx) = @_;

    my $stream = Msgbus::Stream->new(to  => "127.0.0.1:$nginx->{port}",
                                     uri => '/a?echo=true');

    $stream->open or die "no connection: $!\n";
    Msgbus::Stream->read_until(10, sub { $stream->{body} =~ /retry/ }, $stream)
        or die "no stream: $stream->{head}\n";

    $nginx->until(5, 'a reader to be counted', sub { is_full($nginx) });

    return $stream;
}


sub pid_of { return $_[0]{head} =~ /^Pid: (\d+)/m ? $1 : 0 }


# does another reader find no room?

sub is_full {
    my ($nginx) = @_;

    return $nginx->client->get('/a?wait=1')->status == 503;
}


Msgbus::Nginx->limit(90);

my $nginx = Msgbus::Nginx->new(
    workers  => 2,
    http     => 'msgbus_zone zone=bus:1m;',
    location => 'location / {
                     msgbus bus;
                     msgbus_max_waiters 1;
                     add_header Pid $pid;
                 }',
)->start;

# a worker that lives keeps what is its own when another one takes a slot

my $reader = reader($nginx);
my ($other) = grep { $_ != pid_of($reader) } $nginx->worker_pids;

$nginx->kill_worker($other);
ok(is_full($nginx), 'a reader of a worker that lives is counted');
$reader->close;

# A worker is stopped with its reader, and so does not see the reload that
# tells it to go; nobody takes its place when it is killed then.

$nginx->until(5, 'room for a reader', sub { !is_full($nginx) });
$reader = reader($nginx);

my $its = pid_of($reader);

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
