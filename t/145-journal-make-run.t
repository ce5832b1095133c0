# "make run" keeps its events: they are there when it is stopped and started
# again, and when all of it is killed.

use strict;
use warnings;

use File::Temp;
use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Client;
use Msgbus::Nginx;


my $root = "$FindBin::Bin/..";
my ($module) = Msgbus::Nginx::modules();

plan skip_all => 'no module here: run "make"' if !$module;

# the folder of the module, below the project's, as the script wants it

my ($build) = $module =~ m{^\Q@{[ Cwd::abs_path($root) ]}\E/(.*)/[^/]+$}
    or plan skip_all => 'the module is elsewhere';

Msgbus::Nginx->limit(90);

my $dir = File::Temp->newdir;

chmod 0755, $dir;

my $port = Msgbus::Nginx::free_port();
my $client = Msgbus::Client->new(to => "127.0.0.1:$port",
                                 agent => 'Run/1.0 uuid/run');
my $pid;

sub wait_for {
    my ($what, $is) = @_;

    return Msgbus::Nginx->until(20, $what, $is);
}

sub start {
    $pid = fork // die "cannot fork: $!\n";

    if (!$pid) {
        $ENV{RUN} = "$dir/run";
        $ENV{PORT} = $port;
        $ENV{BUILD} = $build;

        open STDOUT, '>', "$dir/out";
        open STDERR, '>', "$dir/err";
        $SIG{ALRM} = 'DEFAULT';
        exec "$root/tools/run", $ENV{TEST_NGINX_BINARY} || 'nginx'
            or POSIX::_exit(127);
    }

    wait_for('it to run', sub {
        return Msgbus::Nginx::slurp("$dir/out") =~ /The bus runs at/;
    });
    wait_for('the journal to be read', sub {
        return $client->get('/x')->status =~ /^20/;
    });

    return;
}

sub master { return Msgbus::Nginx::slurp("$dir/run/nginx.pid") + 0 }

sub family {
    my $master = master();

    return $master, split ' ', Msgbus::Nginx::slurp(
                                   "/proc/$master/task/$master/children");
}

sub ended {
    my (@pids) = @_;

    waitpid $pid, 0;
    undef $pid;
    wait_for('the end of all', sub {
        return !grep { !Msgbus::Nginx::is_gone($_) } @pids;
    });

    return;
}

END {
    if ($pid) {
        local $?;

        kill TERM => $pid;
        waitpid $pid, 0;
    }
}

sub seen {
    my $r = $client->get('/greetings?echo=true&last-known-id=0');

    return join ' ', map { $_->{data} } @{ $r->events };
}


start();

is($client->post('/greetings', '["hello"]')->status, 201, 'an event is posted');
is(seen(), '["hello"]', 'and read');

my @pids = family();

kill TERM => $pid;
ended(@pids);
start();

is(seen(), '["hello"]', 'stopped and started: it is there');
is($client->post('/greetings', '["again"]')->status, 201, 'another one');

@pids = family();
kill STOP => $pids[0];
kill KILL => @pids;
ended(@pids);
start();

is(seen(), '["hello"] ["again"]', 'killed and started: both are there');
is($client->post('/greetings', '["and on"]')->status, 201, 'and it goes on');

@pids = family();
kill INT => $pid;
ended(@pids);

ok(!IO::Socket::IP->new(PeerHost => '127.0.0.1', PeerPort => $port),
   'stopped, nothing is left running');

done_testing;
