# What stands in a store of an Idempotency-Key, byte for byte as docs/http-api.md has
# it: it stays there, and must be the same for all versions.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Digest::SHA qw(sha256);
use Test::More;

use Msgbus::Nginx;


Msgbus::Nginx->limit(60);

my $nginx = Msgbus::Nginx->new(
    http     => 'msgbus_journal disk { path journal; }
                 msgbus_zone zone=bus:4m store=disk;
                 msgbus_jsonp on;',
    location => 'location /      { msgbus bus; }
                 location /who/  { msgbus bus; msgbus_identity "$arg_who"; }',
)->start;

$nginx->until(10, 'the journal to be read', sub {
    return $nginx->client->get('/x?echo=true')->status == 204;
});

sub text { return pack 'N/a*', $_[0] }

sub name {
    my ($channel, $identity, $key, $line) = @_;

    return substr sha256("\1" . text($channel) . text($identity) . text($key)
                         . pack 'N', $line), 0, 16;
}

sub body {
    my ($type, $body) = @_;

    return substr sha256("\1" . text($type) . $body), 0, 16;
}

sub post {
    my ($uri, $body, $key, @headers) = @_;

    my $r = $nginx->client(agent => 'a/1 uuid/u1')->post($uri, $body,
                'Idempotency-Key' => $key, @headers);

    is($r->status, 201, "$uri $key") or diag($r->body);
    return;
}

# is it in the journal's files?
sub kept {
    my ($title, @halves) = @_;

    my $bytes = join '', map { Msgbus::Nginx::slurp($_) }
                glob "$nginx->{dir}/journal/*.journal";

    ok(index($bytes, join '', @halves) >= 0, "    $title");
    return;
}

post('/a', '{"n":1}', '"k"');
kept('a single event', name('/a', 'u1', 'k', 0), body('', '{"n":1}'));

post('/a', '[2]', '"q\"\\\\ x"', 'Content-Type' => " application/json\t ");
kept('a key with escapes, and a type', name('/a', 'u1', 'q"\\ x', 0),
     body('application/json', '[2]'));

my $lines = "[1]\n\n[2]\r\n";

post('/a/b', $lines, 'batch', 'Content-Type' => 'application/x-ndjson');
kept("the event $_ of a batch", name('/a/b', 'u1', 'batch', $_),
     body('application/x-ndjson', $lines)) for 0, 1;

post('/who/c?who=alice', '[]', 'k');
kept('an identity of the configuration', name('/c', 'alice', 'k', 0),
     body('', '[]'));

post('/who/d', '[]', 'k');
kept('none', name('/d', '', 'k', 0), body('', '[]'));

my $large = '["' . 'x' x 100_000 . '"]';

post('/a', $large, 'large');
kept('a body that has gone through a file', name('/a', 'u1', 'large', 0),
     body('', $large));

is($nginx->client->get('/g?method=POST&post-data=%5B%20%5D',
                       'Idempotency-Key' => 'g')->status, 201, 'by GET');
kept('post-data, decoded',
     name('/g', '00000000-0000-4000-8000-000000000001', 'g', 0),
     body('', '[ ]'));

$nginx->quit;
$nginx->no_alerts;

done_testing;
