# The connection to the database is cut in the midst of requests and of
# replies, messages are lost on the way, come late, come slowly.  Whether an
# event was stored is found out, not guessed.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Law;
use Msgbus::Mongodb;
use Msgbus::Proxy;


Msgbus::Nginx->limit(150);

my $mongodb = Msgbus::Mongodb->new(own => 1)->start;
my $proxy = Msgbus::Proxy->new(to => $mongodb->{port})->start;
my $nginx = $mongodb->node(port => $proxy->{port})->start;

$mongodb->wait_until_up($nginx);

my $law = $mongodb->law($nginx, rate => 40);

# the fault, how it is told, and how long it may keep the posters waiting

my @faults = (
    ['cut request', insert => 0],
    ['cut request', insert => 10],
    ['cut request', insert => 700],
    ['cut reply', insert => 0],
    ['cut reply', insert => 10],
    ['cut reply', insert => 40],
    ['cut reply', find => 30],
    ['cut request', find => 30],
    ['lose request', 'insert'],
    ['lose reply', 'insert'],
    ['lose reply', 'find'],
    ['late request', insert => 400],
);

sleep 0.5;

for (@faults) {
    my $done = $proxy->done;

    $proxy->tell(@$_);

    # what is lost takes the time-out of 2 s to be noticed
    $mongodb->until(15, "@$_ to happen", sub { $proxy->done > $done });
    is($proxy->done, $done + 1, "@$_: once");
    $mongodb->until(15, 'events to be stored again', sub {
        my $r = $nginx->client->post('/after', '{}');
        return $r->status == 201;
    });
}

# twice in a row, so that the answer to a doubt gets lost too

my $done = $proxy->done;

$proxy->tell('cut reply', insert => 0);
$proxy->tell('cut reply', find => 0);
$mongodb->until(15, 'two faults', sub { $proxy->done >= $done + 2 });

# a time for each of those that are about all bytes

for (['delay', 20], ['drop'], ['refuse']) {
    $done = $proxy->done;
    $proxy->tell(@$_);
    sleep 1.5;
    $mongodb->until(10, "@$_ to happen", sub { $proxy->done > $done });
    pass("@$_: happens");
    $proxy->tell('pass');

    my $passes = Msgbus::Law::now();

    $mongodb->until(15, 'the bus to be up', sub {
        $nginx->client->post('/after', '{}')->status == 201;
    });
    cmp_ok(Msgbus::Law::now() - $passes, '<', 4 * $Msgbus::Nginx::PATIENCE,
           'it is back soon');
}

sleep 1;
$law->end->kept;
$mongodb->has_all_of($law);
$nginx->quit;
$nginx->no_alerts;

done_testing;
