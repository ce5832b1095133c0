# msgbus_identity says whose an Idempotency-Key is: without it the uuid's, else
# what its value is.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Nginx;


Msgbus::Nginx->limit(60);

my $nginx = Msgbus::Nginx->new(
    http     => 'msgbus_zone zone=bus:4m first_id=1;
                 msgbus_identity $http_x_who;',
    location => <<'END_OF_LOCATION',
location /who/  { msgbus bus; msgbus_channel /a; }
location /all/  { msgbus bus; msgbus_channel /a; msgbus_identity ""; }

location /long/ {
    msgbus bus;
    msgbus_channel /a;
    msgbus_identity "$http_x_who/$http_x_who";
}
END_OF_LOCATION
)->start;

sub post {
    my ($uri, $who, $uuid, $key) = @_;

    my $client = $nginx->client(agent => "test/1.0 uuid/$uuid");
    my $r = $client->post($uri, '{}', 'Idempotency-Key' => $key // 'k',
                          defined $who ? ('X-Who' => $who) : ());

    return $r->status . ' ' . ($r->id // 'no id')
           . ($r->header('Idempotency-Replayed') ? ' again' : '');
}

is(post('/who/', 'alice', 'a'), '201 1', 'the first of one');
is(post('/who/', 'alice', 'b'), '201 1 again', 'the uuid does not count');
is(post('/who/', 'bob', 'a'), '201 2', 'another one has keys of his own');
is(post('/who/', 'bob', 'a'), '201 2 again', 'which are kept, too');
is(post('/who/', 'alice', 'a'), '201 1 again', 'and so are those of the first');

is(post('/who/', undef, 'a'), '201 3', 'who is nobody');
is(post('/who/', undef, 'b'), '201 3 again', 'has the keys of all such');
is(post('/all/', 'alice', 'a'), '201 3 again', 'as all have without a value');

is(post('/who/', 'alic', 'a', 'ek'), '201 4', 'names do not run together');
is(post('/who/', 'alice', 'a', 'k'), '201 1 again', 'with keys');

is(post('/long/', 'x' x 3000, 'a'), '201 5', 'an identity of many bytes');
is(post('/long/', 'x' x 3000, 'a'), '201 5 again', 'counts as a whole');
is(post('/long/', 'x' x 2999 . 'y', 'a'), '201 6', 'to its end');
is(post('/who/', 'xyz/xyz', 'a'), '201 7', 'a value of several parts');
is(post('/long/', 'xyz', 'a'), '201 7 again', 'is one of them all');

$nginx->quit;
$nginx->no_alerts;

done_testing;
