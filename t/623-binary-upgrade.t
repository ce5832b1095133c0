# Another binary takes over (USR2, QUIT), and one that is tried and given up
# (USR2, WINCH, HUP of the old master, QUIT of the new one), under load: the two
# nginxes are nodes of one bus while both run, and nothing is lost.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Law;
use Msgbus::Mongodb;


Msgbus::Nginx->limit(120);

my $mongodb = Msgbus::Mongodb->new->start;
my $nginx = $mongodb->node(daemon => 'on')->start;

$mongodb->wait_until_up($nginx);

my $law = Msgbus::Law->new(
    nginx => $nginx, posters => 4, pollers => 3, rate => 60,
    settle => sub { $mongodb->wait_for_id($_[0], $nginx) },
)->begin;

sleep 0.5;
$nginx->upgrade;
sleep 0.5;

# the next one does not stay

my $old = $nginx->{pid};
my $new;

kill USR2 => $old;

$nginx->until(15, 'another master', sub {
    $new = $nginx->pid_in_file;
    return $new && $new != $old;
});

# so that it ends with the test whatever happens
$nginx->{old_pid} = $new;

sleep 0.5;
kill WINCH => $old;
$nginx->until(15, 'the end of the old workers',
              sub { return !$nginx->worker_pids });
sleep 0.5;
kill HUP => $old;
$nginx->until(15, 'workers of the old master',
              sub { return $nginx->worker_pids == 2 });
kill QUIT => $new;
$nginx->until(15, 'the end of the new master',
              sub { return Msgbus::Nginx::is_gone($new) });
delete $nginx->{old_pid};

# enough of them to mean something, on a slow machine, too

$nginx->until(40, 'the posters to get on with it', sub {
    return ($nginx->client->get('/x?echo=true')->last_id // 0) >= 700;
});

# readers meet both nodes on one port, and one may be a poll behind the other

$law->end->kept('late', 'newest');
$mongodb->has_all_of($law);

$nginx->quit;
$nginx->no_alerts;

done_testing;
