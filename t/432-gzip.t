# gzip compresses answers as it does other JSON.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Uncompress::Gunzip qw(gunzip);
use Test::More;

use Msgbus::Nginx;


Msgbus::Nginx->limit(60);

my $nginx = Msgbus::Nginx->new(
    http     => 'msgbus_zone zone=bus:16m first_id=1;
                 msgbus_scope exact parent all;
                 msgbus_jsonp on;
                 msgbus_require_uuid off;
                 gzip_min_length 20;',
    location => <<'END',
location /gzip/ {
    msgbus bus;
    gzip on;
    gzip_types application/json text/javascript;
    gzip_vary on;
}

location /others/ {
    msgbus bus;
    gzip on;
}

location /plain/ {
    msgbus bus;
}
END
)->start;

my $client = $nginx->client(agent => 'test/1.0');
my @accept = ('Accept-Encoding' => 'gzip');


sub unzipped {
    my ($r) = @_;

    my $text = '';

    return '' if ($r->header('Content-Encoding') // '') ne 'gzip';

    gunzip(\$r->{body}, \$text) or return '';

    # ages may differ by a second
    $text =~ s/"age":\d+/"age":0/g;

    return $text;
}

sub plain {
    my ($uri) = @_;

    return $client->get("/plain/$uri")->body =~ s/"age":\d+/"age":0/gr;
}


$client->post('/plain/a', "[$_]") for 1 .. 100;
$client->post('/plain/large', '["' . join(',', 1 .. 100_000) . '"]');
$client->post('/plain/large', '["' . join('-', 1 .. 70_000) . '"]');

for my $uri ('a', 'a?max-events=5', 'large', '?events=all', 'a?callback=f',
             'large?max-events=1&callback=f', 'a?sort=-1')
{
    my $r = $client->get("/gzip/$uri", @accept);

    is($r->status, 200, $uri);
    ok(unzipped($r) eq plain($uri), '    is the same, but compressed');
    cmp_ok(length $r->body, '<', length plain($uri), '    and shorter');
    like(join(', ', @{ $r->{headers}{vary} || [] }), qr/Accept-Encoding/,
         '    and says so in Vary');
    ok($r->last_id, '    with a cursor');
    is($r->header('Content-Length'), undef, '    of no known length');

    $r = $client->get("/gzip/$uri");
    is($r->header('Content-Encoding'), undef, 'but for who does not ask');

    $r = $client->get("/others/$uri", @accept);
    is($r->header('Content-Encoding'), undef,
       'nor where JSON is not among gzip_types');

    my $head = $client->head("/gzip/$uri", @accept);
    is($head->status, 200, 'a HEAD');
}

# an answer of a channel that has not changed

my $r = $client->get('/gzip/a', @accept);
my $etag = $r->header('ETag');

like($etag // '', qr/^W\//, 'a weak ETag');

$r = $client->get('/gzip/a', @accept, 'If-None-Match' => $etag // '');
is($r->status, 304, 'is recognized');
is($r->body, '', 'without a body');

# answers that have no body, or are errors

$r = $client->get('/gzip/empty', @accept);
is($r->status . ($r->header('Content-Encoding') // ''), 204, 'an empty one');

$r = $client->post('/gzip/b', '[1]', @accept);
is($r->status . ($r->header('Content-Encoding') // ''), 201, 'a POST');

$r = $client->get('/gzip/a.b', @accept);
is($r->status, 400, 'an error');
is($r->json->{message}, 'Invalid channel name', 'is readable');

# a reader who waits

my $waiting = $nginx->client(agent => 'waiting/1.0');

$waiting->send($waiting->format(GET => '/gzip/c?last-known-id=latest&wait=20',
                                undef, @accept));
$nginx->wait_for_readers(1);
$client->post('/gzip/c', '["' . 'x' x 1000 . '"]');
like(unzipped($waiting->response), qr/"data":\["x{1000}"\]\}\]\}\z/,
     'who waits gets it compressed too');

# the rest of a body that was posted compressed is the poster's business

is($client->post('/gzip/d', "\x1f\x8b\x08\x00", 'Content-Encoding' => 'gzip')
          ->status, 415, 'a compressed POST is not taken');

$nginx->quit;
$nginx->no_alerts;

done_testing;
