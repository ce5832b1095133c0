# Where an error_page leads to a named location, which has the method of the
# request, it has its body, too: over HTTP/2 as over HTTP/1.1.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Http2;
use Msgbus::Nginx;


Msgbus::Nginx->limit(60);

my $port = Msgbus::Nginx::free_port();
my $behind = Msgbus::Nginx::free_port();

my $nginx = Msgbus::Nginx->new(
    listen   => ["127.0.0.1:$port http2"],
    http     => "msgbus_zone zone=bus:1m first_id=1;
                 msgbus_require_uuid off;
                 server {
                     listen 127.0.0.1:$behind;
                     location / { msgbus bus; msgbus_channel /away; }
                 }",
    location => "location /bus/  { msgbus bus; }
                 location /read/ { msgbus bus; msgbus_methods read;
                                   error_page 405 = \@bus; }
                 location /away/ { msgbus bus; msgbus_methods read;
                                   error_page 405 = \@away; }
                 location \@bus   { msgbus bus; msgbus_channel /spare; }
                 location \@away  { proxy_pass http://127.0.0.1:$behind; }",
)->start;

my $client = $nginx->client(agent => 'poster/1.0');

for my $place (qw( /read /away )) {
    is($client->post("$place/a", '[1]')->status, 201, "$place: over HTTP/1.1");

    my $h2 = Msgbus::Http2->new(to => "127.0.0.1:$port");
    my $id = $h2->headers(POST => "$place/a", [], 0);

    $h2->data($id, '[2]', 1);
    is($h2->answer($id)->{status}, 201, "$place: over HTTP/2");
}

like($client->get('/bus/away')->body, qr/"data":\[2\]/, 'the body came along')
    or diag($client->get('/bus/away')->body);

$nginx->quit;
$nginx->no_alerts;

done_testing;
