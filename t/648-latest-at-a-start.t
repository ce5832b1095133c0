# A node starts on a database that has many events, and reads them.  Until it
# has all, nobody is told what is latest: it would be what is old.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Mongodb;
use Msgbus::Proxy;


Msgbus::Nginx->limit(60);

my $mongodb = Msgbus::Mongodb->new(own => 1)->start;
my $first = $mongodb->node->start;

$mongodb->wait_until_up($first);

# more than is read at once

my $last;

for (1 .. 6) {
    my $r = $first->client->post('/a', "[1]\n" x 1000,
                                 'Content-Type' => 'application/x-ndjson');

    is($r->status, 201, 'a thousand events');
    $last = $r->id;
}

# each answer of the database takes its time

my $proxy = Msgbus::Proxy->new(to => $mongodb->{port})->start;

$proxy->tell('delay', 40);

my $second = $mongodb->node(port => $proxy->{port})->start;
my $client = $second->client;
my ($unknown, $reading, $r) = (0, 0);

$mongodb->until(20, 'the latest to be known', sub {
    my $seen = $client->get('/a?echo=true&sort=-1&max-events=1');

    $r = $client->get('/a?echo=true&last-known-id=latest');
    return 1 if $r->status != 503;

    $unknown++;
    $reading++ if $seen->status == 200;
    return 0;
});

cmp_ok($unknown, '>', 0, 'at first it is not known');
cmp_ok($reading, '>', 0, 'nor while events are read');
is($r->status, 204, 'then it is');
is($r->last_id, $last, 'it is what was posted last');

$_->quit, $_->no_alerts for $first, $second;

done_testing;
