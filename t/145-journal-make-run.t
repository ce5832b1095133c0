# "make run" keeps its events: they are there when it is stopped and started
# again, and when all of it is killed.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Client;
use Msgbus::Nginx;
use Msgbus::Run;


my $run = Msgbus::Run->new
    or plan skip_all => 'no module below the folder of the project';

Msgbus::Nginx->limit(90);

my $client = Msgbus::Client->new(to => "127.0.0.1:$run->{port}",
                                 agent => 'Run/1.0 uuid/run');

sub wait_for {
    my ($what, $is) = @_;

    return Msgbus::Nginx->until(20, $what, $is);
}

sub start {
    $run->start;
    wait_for('the journal to be read', sub {
        return $client->get('/bus/x')->status =~ /^20/;
    });

    return;
}

sub family {
    my $master = $run->master;

    return $master, split ' ', Msgbus::Nginx::slurp(
                                   "/proc/$master/task/$master/children");
}

sub ended {
    my (@pids) = @_;

    wait_for('the end of all', sub {
        return !grep { !Msgbus::Nginx::is_gone($_) } @pids;
    });

    return;
}

sub seen {
    my $r = $client->get('/bus/greetings?echo=true&last-known-id=0');

    return join ' ', map { $_->{data} } @{ $r->events };
}


start();

is($client->post('/bus/greetings', '["hello"]')->status, 201, 'an event is posted');
is(seen(), '["hello"]', 'and read');

my @pids = family();

$run->stop;
ended(@pids);
start();

is(seen(), '["hello"]', 'stopped and started: it is there');
is($client->post('/bus/greetings', '["again"]')->status, 201, 'another one');

@pids = family();
kill STOP => $pids[0];
kill KILL => @pids;
$run->stop;
ended(@pids);
start();

is(seen(), '["hello"] ["again"]', 'killed and started: both are there');
is($client->post('/bus/greetings', '["and on"]')->status, 201, 'and it goes on');

@pids = family();
$run->stop('INT');
ended(@pids);

ok(!IO::Socket::IP->new(PeerHost => '127.0.0.1', PeerPort => $run->{port}),
   'stopped, nothing is left running');

done_testing;
