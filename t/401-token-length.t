# Any token can be a key of memcached: where prefix and token together have 250
# bytes or more, the key is their SHA-512.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Digest::SHA qw(sha512);
use Test::More;

use Msgbus::Documented;
use Msgbus::Memcached;


Msgbus::Nginx->limit(60);

my $memcached = Msgbus::Memcached->new->start;
my $nginx = Msgbus::Documented->recipe('Tokens in memcached',
                                       memcached => $memcached)->start;
my $client = $nginx->client;


sub hashed {
    my ($key) = @_;

    return join '-', map { sprintf '%02X', ord } split //, sha512($key);
}


sub status {
    my ($token) = @_;

    return $client->get('/a?echo=true', 'X-Auth-Token' => $token)->status;
}


like(hashed(''), qr/^CF-83-E1-35-7E-EF-.*-3E$/,
     'this test knows the form of a hashed key');

# the prefix has 6 bytes

for my $length (1, 32, 100, 242, 243) {
    my $token = 'a' x $length;

    is(status($token), 401, "a token of $length bytes");
    $memcached->set(hashed("token_$token"), 'wrong');
    is(status($token), 401, '    is not hashed');
    $memcached->set("token_$token", 'right');
    is(status($token), 204, '    is a key as it is');
}

for my $length (244, 245, 250, 251, 500, 1000, 4000, 7000) {
    my $token = join '', map { chr(33 + $_ % 4) } 1 .. $length;

    is(status($token), 401, "a token of $length bytes");
    $memcached->set('token_' . hashed("token_$token"), 'wrong');
    $memcached->set(hashed($token), 'wrong');
    $memcached->set('token_' . hashed($token), 'wrong');
    $memcached->set(lc hashed("token_$token"), 'wrong');
    is(status($token), 401, '    is not a key with a prefix');
    $memcached->set(hashed("token_$token"), 'right');
    is(status($token), 204, '    is a key by its hash');
    is(status(substr($token, 0, -1) . 'z'), 401, '    as a whole');
}

# the hash is the key, so it is no token
is(status(hashed('token_' . 'a' x 500)), 401, 'a hash is no token');

# what cannot be a key

for my $token ('two words', "tab\tin it", '50%', 'caf' . chr(0xe9),
               chr(0xc3) . chr(0xa9), '%20', "\x01", "\x7f")
{
    is(status($token), 401, 'a token with ' . sprintf '%vd', $token);
}

# what could be a command to memcached

for my $token ('x' x 244, 'x') {
    $client->send($client->format(GET => '/a?echo=true', undef,
                                  'X-Auth-Token' => "$token\rset a 0 0 0"));
    like($client->response->status, qr/^40[01]$/, 'a token with a CR');
    $client->close;
}

is($client->post('/a', '[1]', 'X-Auth-Token' => 'a')->status, 201,
   'and then a good one is good');

$nginx->quit;
$nginx->no_alerts;

is(join("\n", $nginx->log(0, 'error|crit')), '',
   'no token makes nginx write an [error]');

done_testing;
