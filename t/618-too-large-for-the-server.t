# A server takes less than the bus: the driver sends a batch in several
# messages, and refuses what is too large for any.  What stands before that in
# the batch has been stored by then, and is not stored again.

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

# and 16 KiB more, which the driver grants

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

is($r->status, 503, 'a batch with one that is');
like($r->body, qr/Only 2 events are known to be stored/,
     'the answer says what is stored');

$mongodb->until(10, 'events to be stored again',
                sub { $client->post('/b', '{}')->status == 201 });

is(join(' ', map { $_->{data} }
             @{ $mongodb->ask(find => { query => { channel => '/a' } }) }),
   '[1] [2] [3]', 'what stands before it is stored once');
is(join(' ', map { $_->{data} } @{ $client->get('/a?echo=true')->events }),
   '[1] [2] [3]', 'and seen once');

$nginx->quit;
$nginx->no_alerts;

done_testing;
