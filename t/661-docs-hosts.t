# The examples of docs/operations.md that need a database run, and answer what it
# says: two nodes behind a balancer, one of which is stopped; a rolling upgrade of
# both; a backup, and what a restore of it brings back.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Examples;
use Msgbus::Mongodb;


chdir "$FindBin::Bin/.." or die "no project folder: $!\n";

Msgbus::Nginx->limit(120);

my $mongodb = Msgbus::Mongodb->new->start;

my $examples = Msgbus::Examples->new(mongodb => $mongodb, daemon => 1);

$examples->document('docs/operations.md', \&Msgbus::Documented::with_database);

# the last of which was restored

my $client = $examples->{nginx}->client;

cmp_ok($client->post('/a', '{"n":2}')->id, '>', 1_000_000_000,
       'ids go on above all that were used since the backup');
is($client->get('/a?echo=true&last-known-id=500')->gap, 0,
   'a subscriber that has seen more is not told, as the page warns');

done_testing;
