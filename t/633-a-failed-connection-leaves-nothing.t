# While a store can not be used, the bus tries again and again, maybe for days.
# Nothing is left of a try that failed: no connection, and no memory of the driver.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Fake;


Msgbus::Nginx->limit(60);

# two servers that are no replica set: each answers, and the bus takes neither,
# so a try fails when it is connected

my @fake = map { Msgbus::Fake->new->start } 1 .. 2;
my $uri = 'mongodb://' . join(',', map { "127.0.0.1:$_->{port}" } @fake) . '/';

my $nginx = $fake[0]->node(workers => 1, uri => $uri,
                           more => 'retry tries=1 delay=20ms;')->start;

# a try begins with "buildInfo", at one of them

sub tries {
    my $n = 0;

    $n += $_->counts->{buildInfo} // 0 for @fake;

    return $n;
}

sub wait_for_tries {
    my ($n) = @_;

    my $before = tries();

    return $fake[0]->until(30, "$n tries", sub { tries() >= $before + $n });
}

wait_for_tries(3);

my ($pid) = $nginx->worker_pids;
my $before = $nginx->open_sockets($pid);

wait_for_tries(30);

my $after = $nginx->open_sockets($pid);

# a try is on its way now and then, with a connection to each
cmp_ok($after, '<', $before + 10, 'failed tries leave no connection open')
    or diag "$before sockets before 30 tries, $after after them";

# and it is in order when the servers are

$_->set(hello => { msg => 'isdbgrid' }) for @fake;

$fake[0]->wait_until_up($nginx);
is($nginx->client->post('/a', '{}')->status, 201, 'then an event is stored');

$nginx->quit;
$nginx->no_alerts;

done_testing;
