# A map, and what asks it, can go by channel and operation, as soon as nginx
# knows the location.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Nginx;


Msgbus::Nginx->limit(60);

my $nginx = Msgbus::Nginx->new(
    http     => <<'END',
msgbus_zone zone=bus:1m first_id=1;
msgbus_zone zone=news:1m first_id=100;
msgbus_jsonp on;

map $msgbus_channel $closed {
    ~^/secret(/|$) 1;
    default        "";
}

map "$msgbus_operation $msgbus_channel" $read_only {
    "~^publish /archive(/|$)" 1;
    default                   "";
}

map $msgbus_channel $age {
    volatile;
    ~^/slow/ 60;
    default  0;
}

map $msgbus_channel $other {
    /moved  /new/place;
    default $msgbus_channel;
}
END
    location => <<'END',
msgbus_require_uuid off;

# before nginx knows the location, there is no channel
set $early "[$msgbus_channel$msgbus_operation]";
if ($age = 60) { return 500; }

add_header X-Early $early always;
add_header X-Age $age always;
add_header X-Channel $msgbus_channel always;

location /bus/ {
    if ($closed) { return 403; }
    if ($read_only) { return 405; }
    msgbus bus;
}

location /mapped/ {
    msgbus bus;
    msgbus_channel /mapped$uri/$arg_kind;
}

location /text {
    return 200 text;
}
END
)->start;

my $client = $nginx->client(agent => 'test/1.0');

sub told {
    my ($r) = @_;

    return join ' ', $r->status, $r->id || (), $r->header('X-Early') // 'none',
                     $r->header('X-Age') // 'none',
                     $r->header('X-Channel') // 'none';
}

is(told($client->post('/bus/a', '{}')), '201 1 [] 0 /a', 'an open channel');
is(told($client->get('/bus/a')), '200 [] 0 /a', 'to read too');
is(told($client->post('/bus/secret', '{}')), '403 [] 0 /secret',
   'a closed channel');
is(told($client->post('/bus/secret/x', '{}')), '403 [] 0 /secret/x',
   'and below it');
is(told($client->get('/bus/%73ecret')), '403 [] 0 /secret', 'however spelled');
is(told($client->get('/bus//secret')), '403 [] 0 /secret', 'or reached');
is($client->get('/bus/secret')->body, '{ "message": "" }', 'as JSON');
is(told($client->post('/bus/secrets', '{}')), '201 2 [] 0 /secrets',
   'another channel');
is(told($client->post('/bus/archive/x', '{}')), '405 [] 0 /archive/x',
   'a channel that is read only');
is(told($client->get('/bus/archive/x?method=POST&post-data={}&callback=f')),
   '405 [] 0 /archive/x', 'by JSONP too');
is(told($client->get('/bus/archive/x')), '204 [] 0 /archive/x', 'is read');
is(told($client->get('/bus/slow/x')), '204 [] 60 /slow/x',
   'a map that is volatile is asked again');
is(told($client->post('/mapped/a?kind=k', '{}')),
   '201 3 [] 0 /mapped/mapped/a/k', 'msgbus_channel with variables');
is(told($client->get('/text')), '200 [] 0 none', 'where no bus is');

$nginx->quit;
$nginx->no_alerts;

done_testing;
