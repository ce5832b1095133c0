# What the server says in its hello is kept to: a batch is never more documents
# or bytes than it takes in one message, for the driver would send what is more in
# a second one, and go on with that after an id of the first one was taken.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Fake;


Msgbus::Nginx->limit(60);

my $fake = Msgbus::Fake->new->start;

$fake->set(hello => { maxWriteBatchSize => 2 });

my $nginx = $fake->node(workers => 1, more => 'poll off;')->start;

$fake->wait_until_up($nginx);

my $client = $nginx->client;

sub batch {
    my ($size, @n) = @_;

    my $pad = 'x' x $size;
    my $r = $client->post('/a', join('', map { qq({"n":$_,"x":"$pad"}\n) } @n),
                          'Content-Type' => 'application/x-ndjson');

    is($r->status, 201, "a batch of " . @n) or diag $r->body;

    return $r->json->{ids};
}

# an id that is taken, so that the first message of the batch meets it: nothing
# of the batch may be stored before what is in front of it

my $first = $client->post('/a', '{"n":0}')->id;

$fake->put($fake->event($first + 2));

my $ids = batch(1, 1 .. 6);

is_deeply($ids, [sort { $a <=> $b } @$ids], 'the ids of a batch rise');

my @all = $fake->ids;

is_deeply(\@all, [1 .. $all[-1]], 'and no id below them is free');
cmp_ok($fake->counts->{largest}, '<=', 2, 'no insert was larger than allowed');

# bytes, of all and of one

$fake->set(hello => { maxBsonObjectSize => 100_000 });
$nginx->quit;
$nginx->start;
$fake->wait_until_up($nginx);
$client = $nginx->client;

my $before = $fake->counts;

batch(30_000, 1 .. 6);

my $after = $fake->counts;

cmp_ok($after->{insert} - $before->{insert}, '>=', 3,
       'six events of 30 kB are more than one message of 100 kB');

batch(90_000, 1);

$nginx->quit;
$nginx->no_alerts;

done_testing;
