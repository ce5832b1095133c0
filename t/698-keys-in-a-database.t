# A real database keeps an event's key from being there twice, by an index that
# is made when it is missing, also in a collection of RSE; and where events
# are there that keep the index from being made, keys are refused, and all
# other events go on.  A batch of 1,000 that is sent again is answered at once,
# also when its events have left memory.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/unit";

use Test::More;

use Keys;
use Msgbus::Mongodb;
use Unit;


plan skip_all => Unit->lacks if Unit->lacks;

my $mongodb = Msgbus::Mongodb->new->start;
my $keys = Keys->new;

$keys->well('keys', 1210, 'mongodb', $mongodb->uri, $mongodb->database);

ok($mongodb->ask('indexes')->{msgbus_key}{unique}, 'the index is unique');

{
    my $node = $mongodb->node(size => '16m max_events=50')->start;

    $mongodb->wait_until_up($node);

    my $client = $node->client;
    my @batch = ('/a', join('', map { qq({"n":$_}\n) } 1 .. 1000),
                 'Content-Type' => 'application/x-ndjson', 'Idempotency-Key' => 'b');
    my $first = $client->post(@batch);

    is($first->status, 201, 'a batch with a key is stored');

    my $again = $client->post(@batch);

    is($again->status, 201, 'sent again, it is answered');
    is($again->body, $first->body, 'by the same ids');
    is($again->header('Idempotency-Replayed'), 'true', 'and nothing is stored');

    $node->quit;
}

# somebody has dropped it, and something is there twice

$mongodb->ask(command => { command => { dropIndexes => 'events',
                                        index       => 'msgbus_key' } });
$mongodb->ask(insert => { events => [map { { _id => $_, key => 'x' } } 5001, 5002] });

my $node = $mongodb->node->start;

$mongodb->wait_until_up($node);
is($node->client->post('/a', '{"n":1}')->status, 201,
   'what has no key is stored');

my (undef, $report) = $mongodb->health($node);

like(join(' ', @{ $report->{warnings} }), qr/no unique index of keys/,
     'and health warns');

$node->quit;

done_testing;
