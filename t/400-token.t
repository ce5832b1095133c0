# A token that memcached knows lets a client in, and nothing else does.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Documented;
use Msgbus::Memcached;


Msgbus::Nginx->limit(60);

my $memcached = Msgbus::Memcached->new->start;
my $nginx = Msgbus::Documented->recipe('Tokens in memcached',
                                       memcached => $memcached)->start;

my $client = $nginx->client;
my $other = $nginx->client(agent => 'other/1.0 uuid/o');

$memcached->set('token_good', 'alice');
$memcached->set('token_empty', '');
$memcached->set('without-prefix', 'alice');
$memcached->set('token_', 'nobody');


sub is_refused {
    my ($title, $r) = @_;

    is($r->status, 401, "$title: 401");
    is($r->body, '{ "message": "" }', '    as JSON');
    is($r->header('Content-Type'), 'application/json; charset=utf-8',
       '    that says so');
    is($r->header('Msgbus-Last-Id'), undef, '    and nothing of the bus');
}


for my $token ([], ['wrong'], [''], ['Good'], ['good2'], ['goo'],
               ['without-prefix'], ['token_good'])
{
    my @header = map { ('X-Auth-Token' => $_) } @$token;
    my $title = @$token ? qq{token "$token->[0]"} : 'no token';

    is_refused("$title, POST", $client->post('/a', '{"n":0}', @header));
    is_refused("$title, GET", $client->get('/a?echo=true', @header));

    is($client->head('/a?echo=true', @header)->status, 401, "$title, HEAD");
    is($client->request('PUT', '/a', '{}', @header)->status, 401,
       "$title, PUT");
}

is_refused('a GET that waits', $client->get('/a?echo=true&wait=20'));
is_refused('a GET that would be 400', $client->get('/a?max-events=0'));
is_refused('a channel that cannot be', $client->get('/a.b'));
is_refused('a body that is no JSON', $client->post('/a', '{'));
is_refused('JSONP', $client->get('/a?method=POST&post-data={}&callback=f'));

my @good = ('X-Auth-Token' => 'good');
my $r = $client->get('/a?echo=true', @good);

is($r->status, 204, 'nothing was stored');
ok($client->{sock}, 'and the connection is still the first one');

$r = $client->post('/a', '{"n":1}', @good);

is($r->status, 201, 'with a token: a POST');
is($r->id, 1, 'gets an id');
is($client->post('/a', '{"n":2}', 'X-Auth-Token' => 'empty')->status, 201,
   'the value of a key does not matter');
is($client->post('/a', '{"n":3}', 'x-auth-token' => 'good')->status, 201,
   'nor how the header is written');

$r = $other->get('/a', @good);

is($r->status, 200, 'a GET');
is(scalar @{ $r->events }, 3, 'sees them');
is($other->head('/a', @good)->status, 200, 'a HEAD');

$r = $client->get('/a?max-events=0', @good);

is($r->status, 400, 'errors of the bus are told to those who are let in');
like($r->body, qr/max-events/, 'with their message');
is($client->request('PUT', '/a', '{}', @good)->status, 405, '405 too');

my @large = ('[' . '1,' x 600_000 . '1]', @good);

is($client->post('/a', @large)->status, 413, 'and what is too large is 413');
is($client->post('/a', [unpack '(a100000)*', $large[0]], @good)->status, 413,
   'in chunks too');

# what needs no token

$r = $client->options('/a');

is($r->status, 204, 'OPTIONS is answered without a token');
is($r->header('Allow'), 'GET, HEAD, POST, OPTIONS', 'with Allow');

$r = $client->get('/health');

is($r->status . $r->body, "200OK\n", 'so is /health');
is($client->get('/token', @good)->status, 401,
   'who asks memcached is not a page');

# a reader who waits

$other->send($other->format(GET => '/a?last-known-id=latest&wait=10', undef,
                            @good));
$nginx->wait_for_readers(1);
$client->post('/a', '{"n":4}', @good);
is($other->response->events->[0]{data}, '{"n":4}', 'a reader may wait');

# many at once

my @answers = $client->pipeline(
    map { [POST => '/many', "[$_]", 'X-Auth-Token' => $_ % 2 ? 'good' : 'bad'] }
        1 .. 100);

is(join(' ', map { $_->status } @answers), join(' ', (201, 401) x 50),
   'each request of a connection is asked for its own token');
is(scalar @{ $other->get('/many?max-events=500', @good)->events }, 50,
   'and only the good ones are stored');

$nginx->quit;
$nginx->no_alerts;

my @errors = grep { !/too large/ } $nginx->log(0, 'error|crit');

is("@errors", '', 'nor an [error], but for what was too large');

done_testing;
