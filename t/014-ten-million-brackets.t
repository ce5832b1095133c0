# Ten million opening brackets are refused as soon as they are too deep: they
# cost no more than their bytes.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Nginx;


Msgbus::Nginx->limit(60);

my $nginx = Msgbus::Nginx->new(
    http     => 'msgbus_zone zone=bus:256m first_id=1 max_event_size=16m;
                 client_max_body_size 16m;',
    location => '
        msgbus_require_uuid off;

        location / { msgbus bus; }
        location /memory/ { msgbus bus; client_body_buffer_size 16m; }
    ',
)->start;

my $client = $nginx->client(timeout => 20);

for my $where ('', '/memory') {
    my $begun = Msgbus::Client::now();
    my $r = $client->post("$where/deep", '[' x 10_000_000);

    is($r->status, 400, "ten million brackets are refused at $where/");
    is($r->body, '{ "message": "JSON is nested too deep" }', 'and told why');
    cmp_ok(Msgbus::Client::now() - $begun, '<', 5 * $Msgbus::Nginx::PATIENCE,
           'soon');
    is($client->get("$where/deep?echo=true")->status, 204,
       'nothing is stored, and the connection goes on');
}

is(scalar($nginx->worker_pids), 1, 'the worker is well');

$nginx->quit;
$nginx->no_alerts;

done_testing;
