# A server takes less than the bus: a batch goes to it in several messages, and
# an event that is too large for any is refused, alone.  What stands before it and
# behind it in a batch is stored, once.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Mongodb;
use Msgbus::Proxy;


Msgbus::Nginx->limit(60);

my $mongodb = Msgbus::Mongodb->new(own => 1)->start;
my $proxy = Msgbus::Proxy->new(to => $mongodb->{port})->start;

$proxy->tell('limit', maxBsonObjectSize => 1000);
$proxy->tell('limit', maxWriteBatchSize => 1);

my $nginx = $mongodb->node(port => $proxy->{port},
                           more => 'poll 50ms; retry tries=10 delay=200ms;')
                    ->start;

$mongodb->wait_until_up($nginx);
cmp_ok($proxy->done, '>', 0, 'the server says that it takes less');

my $client = $nginx->client;
my $large = '["' . 'x' x 20_000 . '"]';

is($client->post('/a', '[1]')->status, 201, 'an event that is not too large');

my $r = $client->post('/a', "[2]\n[3]\n$large\n[4]\n",
                      'Content-Type' => 'application/x-ndjson');

is($r->status, 422, 'a batch with one that is');
like($r->body, qr/The store refuses 1 events, the others it has/,
     'the answer says what is stored');
is($client->post('/a', $large)->status, 422, 'it is refused alone, too');

$mongodb->until(10, 'events to be stored again',
                sub { $client->post('/b', '{}')->status == 201 });

is(join(' ', map { $_->{data} }
             @{ $mongodb->ask(find => { query => { channel => '/a' } }) }),
   '[1] [2] [3] [4]', 'all others are stored once');
is(join(' ', map { $_->{data} } @{ $client->get('/a?echo=true')->events }),
   '[1] [2] [3] [4]', 'and seen once');

$nginx->quit;
$nginx->no_alerts;

done_testing;
