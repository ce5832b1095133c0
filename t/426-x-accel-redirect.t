# A program behind nginx may send a request on to the bus.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Documented;
use Msgbus::Nginx;


Msgbus::Nginx->limit(60);

# the recipe

my $nginx = Msgbus::Documented->recipe('A program decides')->start;
my $client = $nginx->client(agent => 'test/1.0');
my @name = ('X-Name' => 'alice');
my $n = 0;

sub told {
    my ($r) = @_;

    return join ' ', $r->status, $r->id || (), map { $_->{data} }
                     $r->status == 200 ? @{ $r->events } : ();
}

my $large = '["' . 'x' x 100_000 . '"]';

is(told($client->post('/a', '[1]', @name)), '201 1', 'a POST by leave');
is(told($client->post('/a', ['[', '2]'], @name)), '201 2', 'in chunks');
is(told($client->post('/large', $large, @name)), '201 3', 'a large one');
is(told($client->post('/large', [$large], @name)), '201 4', 'in chunks');
is(told($client->get('/a', @name)), '200 [1] [2]', 'a GET: each is there once');
is(told($client->get('/a?last-known-id=1', @name)), '200 [2]',
   'with what it asks for');
is(told($client->get('/large', @name)), "200 $large $large", 'a large one');
is($client->head('/a', @name)->last_id, 4, 'a HEAD');
is(told($client->get('/b', @name)), 204, 'an empty one');
is(told($client->get('/a')), 403, 'without leave: the program\'s answer');
is(told($client->post('/a', '[0]')), 403, 'a POST too');
is($client->get('/a.b', @name)->body, '{ "message": "Invalid channel name" }',
   'errors are the bus\'s');
is($client->post('/a', '[0', @name)->body, '{ "message": "Invalid JSON" }',
   'of a POST too');
is(told($client->options('/a', @name)), 204, 'OPTIONS');
ok($client->{sock}, 'all on one connection');

my $waiting = $nginx->client(agent => 'waiting/1.0 uuid/w');

$waiting->send($waiting->format(GET => '/a?last-known-id=latest&wait=20',
                                undef, @name));
$nginx->wait_for_readers(1);
is(told($client->post('/a', '[5]', @name)), '201 5', 'a POST');
is(told($waiting->response), '200 [5]', 'wakes who was let wait');

$nginx->quit;
$nginx->no_alerts;

# to an address: nginx makes a GET of it

my $program = Msgbus::Nginx::free_port();

$nginx = Msgbus::Nginx->new(
    http     => "msgbus_zone zone=bus:1m first_id=1;
                 msgbus_scope exact parent all;
                 msgbus_require_uuid off;
                 server {
                     listen 127.0.0.1:$program;
                     location /news {
                         add_header X-Accel-Redirect '/bus/a?max-events=1';
                         return 200 thrown-away;
                     }
                     location / {
                         add_header X-Accel-Redirect \$uri;
                         return 200;
                     }
                 }",
    location => "location /my/ { proxy_pass http://127.0.0.1:$program/; }
                 location /bus/ { msgbus bus; }
                 location /inner/ { internal; msgbus bus; }",
)->start;

$client = $nginx->client(agent => 'test/1.0');

is(told($client->post('/bus/a', '[1]')), '201 1', 'an event');
is(told($client->get('/my/news')), '200 [1]', 'a request of another form');
is(told($client->get('/my/news?max-events=0')), '200 [1]',
   'asks what the program says');
is(told($client->get('/my/inner/a')), '200 [1]', 'an internal location');
is($client->get('/inner/a')->status, 404, 'that is not for clients');

for my $body ('[2]', ['[2', ']'], $large, [$large], '[') {
    is(told($client->post('/my/news', $body)), '200 [1]', 'a POST reads, too');
    is(told($client->post('/my/bus/b', $body)), 204,
       'and is not published, whatever the channel');
}

ok($client->{sock}, 'all on one connection');
is($client->get('/bus/?events=all')->last_id, 1,
   'nothing was published that way');

$nginx->quit;
$nginx->no_alerts;

done_testing;
