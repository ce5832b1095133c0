# The collection is emptied, by hand or by its TTL, and everything is started
# again: ids go on upwards, for no id may come twice.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Law;
use Msgbus::Mongodb;


Msgbus::Nginx->limit(150);

my $mongodb = Msgbus::Mongodb->new(own => 1)->start;
my @nginx = map { $mongodb->node } 1, 2;
my $newest = 0;


sub post {
    my ($nginx, $what) = @_;

    my $r = $nginx->client->post('/a', '{}');

    is($r->status, 201, "$what: an event is stored");
    cmp_ok($r->id // 0, '>', $newest, "with an id above $newest");

    $newest = $r->id if $r->id;

    return;
}


sub restart {
    for my $nginx (@nginx) {
        $nginx->quit if $nginx->{pid};
    }

    $_->start for @nginx;
    $mongodb->wait_until_up(@nginx);

    return;
}


restart();
post($nginx[$_ % 2], 'at first') for 1 .. 4;

cmp_ok($mongodb->ask('counter')->{c}, '>=', $newest,
       'the counter is not below the newest id');

# what only one node has seen of, the other could not know when it is gone

$mongodb->wait_for_id($newest, @nginx);
cmp_ok($mongodb->ask('empty'), '>=', 4, 'it is emptied');
post($_, 'emptied under running nodes') for @nginx;

$mongodb->ask('empty');
restart();
post($_, 'emptied, nodes started again') for @nginx;

$mongodb->ask('empty');
$_->quit for @nginx;
$mongodb->kill;
$mongodb->restart_postgres if $mongodb->{kind} eq 'ferretdb';
$mongodb->start_server;
restart();
post($_, 'emptied, all started again') for @nginx;

# both at the same moment, on an empty one, many times

for my $round (1 .. 5) {
    $_->quit for @nginx;
    $mongodb->ask('empty');
    restart();

    my @clients = map { $_->client } @nginx;
    my (%ids, $twice);

    for my $n (1 .. 10) {
        for my $client (@clients) {
            my $r = $client->post('/a', '{}');

            $twice = 1 if $r->status != 201 || $ids{$r->id}++
                       || $r->id <= $newest;
            $newest = $r->id if $r->status == 201;
        }
    }

    ok(!$twice, "round $round of two nodes that find it empty: ids rise");
}

# events expire one after the other, until none is left

$_->quit for @nginx;
$mongodb->ask(older => { seconds => 3600 });
$mongodb->ask(expire => { seconds => 120 });
restart();
post($_, 'all has expired') for @nginx;

for my $nginx (@nginx) {
    $nginx->quit;
    $nginx->no_alerts;
}

done_testing;
