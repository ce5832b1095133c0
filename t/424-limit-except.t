# limit_except blocks serve the bus too, unless they say otherwise.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Nginx;


Msgbus::Nginx->limit(60);

my $nginx = Msgbus::Nginx->new(
    http     => 'msgbus_zone zone=bus:1m first_id=1;
                 msgbus_zone zone=second:1m first_id=100;',
    location => <<'END',
msgbus_require_uuid off;
msgbus_jsonp off;

location /read/ {
    msgbus bus;
    limit_except GET { deny all; }
}

location /write/ {
    msgbus bus;
    limit_except POST { deny all; }
}

location /both/ {
    msgbus bus;
    limit_except GET POST { deny all; }
}

location /away/ {
    msgbus bus;
    limit_except GET { msgbus off; }
}

location /second/ {
    msgbus bus;
    limit_except GET { msgbus second; }
}

location /allowed/ {
    msgbus bus;
    limit_except GET { allow all; }
}

location ~ ^/regex(/.*) {
    msgbus bus;
    msgbus_channel $1;
    limit_except GET { allow all; }
}

location /see/second/ {
    msgbus second;
}
END
)->start;

my $client = $nginx->client(agent => 'test/1.0');

sub told {
    my ($method, $uri, $body) = @_;

    my $r = $client->request($method, $uri, $body);

    return join ' ', $r->status, $r->id || (), $r->header('Allow') || ();
}

is(told(POST => '/write/a', '[1]'), '201 1', 'what it names is served');
is(told(GET => '/write/a'), 403, 'what it does not name is not');
is(told(OPTIONS => '/write/a'), 403, 'nor is OPTIONS, unless it is named');
is(told(PUT => '/write/a', '[0]'), 403, 'nor what the bus does not know');
is($client->get('/write/a')->body, '{ "message": "" }', 'as JSON');

is(told(POST => '/read/a', '[0]'), 403, 'a POST where GET is named');
is(told(GET => '/read/a'), 200, 'a GET');
is(told(HEAD => '/read/a'), 200, 'and HEAD with it');

is(told(POST => '/both/a', '[2]'), '201 2', 'two methods: POST');
is(told(GET => '/both/a'), 200, 'and GET');
is(told(DELETE => '/both/a'), 403, 'and no other');

is(told(POST => '/allowed/a', '[3]'), '201 3',
   'the bus of the location, in a block that lets in');
is(told(PUT => '/allowed/a', '[0]'), '405 GET, HEAD, POST, OPTIONS',
   'with its own 405');
is(told(OPTIONS => '/allowed/a'), '204 GET, HEAD, POST, OPTIONS',
   'and OPTIONS');

is(told(POST => '/regex/a', '[4]'), '201 4', 'in a regex location');

is(told(POST => '/second/a', '[5]'), '201 100', 'a bus of the block');
is(told(GET => '/second/a'), 200, 'beside that of the location');

my $r = $client->post('/away/a', '[0]');

is($r->status, 404, 'with msgbus off in the block it is not the bus');
like($r->body, qr/<html>/, 'that answers, but nginx');

is(join(' ', map { $_->{data} } @{ $client->get('/read/a')->events }),
   '[1] [2] [3] [4]', 'all is stored in one channel');
is(join(' ', map { $_->{data} } @{ $client->get('/see/second/a')->events }),
   '[5]', 'or in that of the other bus');

$nginx->quit;
$nginx->no_alerts;

done_testing;
