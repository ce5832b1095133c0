# add_header can show what the bus has answered.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Nginx;


Msgbus::Nginx->limit(60);

my $nginx = Msgbus::Nginx->new(
    http     => 'msgbus_zone zone=bus:1m first_id=1;
                 msgbus_jsonp on;',
    location => <<'END',
msgbus_require_uuid off;

location /bus/ {
    msgbus bus;
    add_header X-Event   "$msgbus_id" always;
    add_header X-Events  "$msgbus_events" always;
    add_header X-Known   "$msgbus_channel $msgbus_operation";
    add_header Location  "/event/$msgbus_id";
    expires    5s;
}

location /headers/ {
    msgbus bus;
    add_header Cache-Control no-store;
    add_header Msgbus-Id mine always;
    add_header X-Seen $sent_http_msgbus_last_id;
    etag off;
}
END
)->start;

my $client = $nginx->client(agent => 'test/1.0');

sub told {
    my ($r) = @_;

    return join ' ', $r->status, map { $r->header("X-$_") // 'none' }
                                     qw(Event Events Known);
}

is(told($client->post('/bus/a', '{}')), '201 1 none /a publish', 'a POST');
is(told($client->post('/bus/a', '{}')), '201 2 none /a publish',
   'another has its own id');
is(told($client->post('/bus/a?callback=f', '{}')), '200 3 none /a publish',
   'by JSONP');
is(told($client->post('/bus/a', "[1]\n[2]\n",
                      'Content-Type' => 'application/x-ndjson')),
   '201 5 none /a publish', 'a batch has the last id');
is(told($client->post('/bus/a', '{}', Prefer => 'return=representation')),
   '201 6 none /a publish', 'an event that is returned');

is(told($client->get('/bus/a')), '200 none 6 /a read', 'a GET');
is(told($client->head('/bus/a')), '200 none 6 /a read', 'a HEAD');
is(told($client->get('/bus/b')), '204 none 0 /b read', 'an empty one');
is(told($client->get('/bus/a?max-events=2&callback=f')), '200 none 2 /a read',
   'by JSONP');
is(told($client->post('/bus/a', '{')), '400 none none none',
   'what is not stored has no id');
is(told($client->request('PUT', '/bus/a', '{}')), '405 none none none',
   'nor has what is neither');

my $r = $client->post('/bus/a', '{}');

like($r->header('Location') // '', qr{/event/7$}, 'in another header');

# headers of the user's beside those of the bus

$r = $client->post('/headers/a', '{}');
is("@{ $r->{headers}{'msgbus-id'} }", '8 mine',
   'they do not replace each other');

$r = $client->get('/headers/a');
is("@{ $r->{headers}{'cache-control'} }", 'private, no-cache no-store',
   'in a GET too');
is($r->header('X-Seen'), $r->last_id, 'and may quote each other');

$nginx->quit;
$nginx->no_alerts;

done_testing;
