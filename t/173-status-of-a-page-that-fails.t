# A page that nginx makes an error of, for its If-Match, counts once: as refused,
# or as what another zone answers where an error_page leads there.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Nginx;
use Msgbus::Status;


Msgbus::Nginx->limit(30);

my $nginx = Msgbus::Nginx->new(
    workers  => 1,
    http     => 'msgbus_zone zone=bus:1m; msgbus_zone zone=other:1m;
                 msgbus_require_uuid off;',
    location => 'location / { msgbus bus; }
                 location /text/ { msgbus bus; error_page 412 /text.txt; }
                 location = /text.txt { return 200 "no match"; }
                 location /to/ { msgbus bus; error_page 412 /other/c; }
                 location /other/ { msgbus other; }
                 location = /status { msgbus_status; }',
)->start;

my $client = $nginx->client(agent => 'test/1.0');
my $status = Msgbus::Status->new(nginx => $nginx, zone => 'bus');
my $other = Msgbus::Status->new(nginx => $nginx, zone => 'other');

my @match = ('If-Match', '"another"');

for my $uri ('/c', '/text/c') {
    is($client->post($uri, '[1]')->status, 201, "an event of $uri");

    $status->counts("a page of $uri that is another", sub {
        is($client->get("$uri?last-known-id=0", @match)->status, 412, $uri);
    }, 'reads.refused' => 1);
}

is($client->post('/to/c', '[1]')->status, 201, 'an event of /to/c');

$status->counts('no page', sub {
    $other->counts('what another zone answers', sub {
        is($client->get('/to/c?last-known-id=0', @match)->status, 412, 'that');
    }, 'reads.empty' => 1);
});

$nginx->quit;
$nginx->no_alerts;

done_testing;
