# A real database keeps an event's key from being there twice, by an index that
# is made when it is missing, also in a collection of RSE; and where events
# are there that keep the index from being made, keys are refused, and all
# other events go on.

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
