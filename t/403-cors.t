# A page of an origin that is let in can post, read, and see why it may not.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Documented;


Msgbus::Nginx->limit(60);

my $nginx = Msgbus::Documented->recipe('Browsers')->start;
my $client = $nginx->client(agent => 'Mozilla/5.0');
my @origin = (Origin => 'https://example.org');


sub is_open_to {
    my ($title, $r, $status, $origin) = @_;

    is($r->status, $status, $title);
    is($r->header('Access-Control-Allow-Origin'), $origin,
       '    is open to ' . ($origin // 'nobody'));
    is($r->header('Access-Control-Expose-Headers'),
       'Msgbus-Id, Msgbus-Last-Id, Msgbus-Gap', '    with its headers');
    is(join(', ', @{ $r->{headers}{vary} || [] }),
       $status == 200 || $status == 204 && $r->last_id
       ? 'Accept, User-Agent, Origin' : 'Origin', '    and varies by origin');
}


my $r = $client->options('/a', @origin,
                         'Access-Control-Request-Method' => 'POST',
                         'Access-Control-Request-Headers' => 'x-auth-token');

is_open_to('a preflight', $r, 204, 'https://example.org');
is($r->header('Allow'), 'GET, HEAD, POST, OPTIONS', 'tells what is allowed');
is($r->header('Access-Control-Allow-Methods'), 'GET, POST',
   'which methods a page may use');
like($r->header('Access-Control-Allow-Headers'), qr/\bX-Auth-Token\b/,
     'which headers');
is($r->header('Access-Control-Max-Age'), 3600, 'and how long that holds');
is($r->body . ($r->header('Content-Length') // ''), '', 'and has no body');

is_open_to('a POST', $client->post('/a', '{}', @origin), 201,
           'https://example.org');
is_open_to('a GET', $client->get('/a', @origin), 200, 'https://example.org');
is_open_to('an empty one', $client->get('/b', @origin), 204,
           'https://example.org');
is_open_to('a HEAD', $client->head('/a', @origin), 200, 'https://example.org');

# errors, whoever raises them

my @too_large = ('[' . ' ' x 1_100_000 . ']', @origin);

for my $error ([400, $client->post('/a', '{', @origin)],
               [400, $client->get('/a?max-events=0', @origin)],
               [405, $client->request('PUT', '/a', '{}', @origin)],
               [413, $client->post('/a', @too_large)],
               [413, $client->post('/a', [unpack '(a100000)*', $too_large[0]],
                                   @origin)])
{
    is_open_to("an error $error->[0]", $error->[1], $error->[0],
               'https://example.org');
    like($error->[1]->body, qr/^\{ "message": "[^"]+" \}$/, '    is JSON');
}

# other origins

is_open_to('a name below one', $client->get('/a', Origin =>
                                            'https://www.example.org'),
           200, 'https://www.example.org');

for my $origin ('https://example.com', 'http://example.org', 'null',
                'https://example.org.example.com',
                'https://www.example.org:8443', 'https://wwwexample.org')
{
    is_open_to($origin, $client->get('/a', Origin => $origin), 200, undef);
}

is_open_to('no origin', $client->get('/a'), 200, undef);

$nginx->quit;
$nginx->no_alerts;

done_testing;
