# A node is cut off from the database for longer than half the ttl, while the
# other one goes on and the database forgets old events.  When it comes back
# the order holds, for all readers.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Law;
use Msgbus::Mongodb;
use Msgbus::Proxy;


# what the node has missed must be there for its readers when it is back, on a
# slow machine, too: they have the rest of the ttl for it
my $ttl = 24;
my $cut = 14;

Msgbus::Nginx->limit(120);

my $mongodb = Msgbus::Mongodb->new(own => 1)->start;
my $proxy = Msgbus::Proxy->new(to => $mongodb->{port})->start;
my @nginx = ($mongodb->node(zone => "ttl=${ttl}s")->start,
             $mongodb->node(zone => "ttl=${ttl}s",
                            port => $proxy->{port})->start);

$mongodb->wait_until_up(@nginx);

my $law = Msgbus::Law->new(
    dir => $nginx[0]{dir}, to => [map { "127.0.0.1:$_->{port}" } @nginx],
    posters => 6, pollers => 4, hoppers => 2, rate => 30,
    settle => sub { $mongodb->wait_for_id($_[0], @nginx) },
)->begin;

# long enough for the oldest to expire before the node is back

sleep $ttl - $cut + 2;

my $done = $proxy->done;
my $lost = Msgbus::Law::now();

$proxy->tell('drop');
sleep $cut;

my ($status, $report) = $mongodb->health($nginx[1]);

is($status, 503, 'the node that is cut off says so');
is($nginx[0]->client->get('/health')->status, 200, 'the other one is fine');
cmp_ok($proxy->done, '>', $done, 'its messages were lost');

# what the database's own clockwork does once a minute

my $dropped = $mongodb->ask(expire => { seconds => $ttl });

cmp_ok($dropped, '>', 0, "the database has dropped $dropped events");

$proxy->tell('pass');

my $back = Msgbus::Law::now();

$mongodb->wait_until_up(@nginx);
cmp_ok(Msgbus::Law::now() - $back, '<', 4 * $Msgbus::Nginx::PATIENCE,
       'it is soon back');


# the law waits for each of the six, and so for those on this node

my $posted = grep { $_->[0] % 2 && $_->[4] > $back } $law->acknowledged;

for (1 .. 100) {
    last if $posted > 40;
    sleep 0.1;
    $posted = grep { $_->[0] % 2 && $_->[4] > $back } $law->acknowledged;
}

sleep 2;
$law->end->kept;

# of the node that is cut off: none, then again

my @times = map { $_->[4] } grep { $_->[0] % 2 } $law->acknowledged;

is(scalar(grep { $_ > $lost + 3 && $_ < $back } @times), 0,
   'it acknowledged nothing while it was cut off');
cmp_ok(scalar(grep { $_ > $back } @times), '>', 20, 'and again afterwards');
cmp_ok(scalar(@{ $law->{refused} }) + $law->{maybe}, '>', 0,
       'posts were refused in between');

for my $nginx (@nginx) {
    $nginx->quit;
    $nginx->no_alerts;
}

done_testing;
