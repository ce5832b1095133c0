# Where an error_page leads a post to another bus, the answer says what that one
# has stored, and nothing of the first.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Nginx;


Msgbus::Nginx->limit(60);

my $port = Msgbus::Nginx::free_port();

my $nginx = Msgbus::Nginx->new(
    http     => 'msgbus_zone zone=bus:1m first_id=1;
                 msgbus_zone zone=few:1m first_id=1 max_events=1 full=reject;
                 msgbus_require_uuid off;
                 msgbus_jsonp on;
                 server {
                     listen 127.0.0.1:' . $port . ';
                     location / { msgbus bus; }
                     location /few/silent { return 200; }
                 }',
    location => 'location /few/  { msgbus few; error_page 400 507 = @bus; }
                 location /deny/ { deny all; msgbus few; error_page 403 = @bus; }
                 location /read/ { msgbus bus; msgbus_methods read;
                                   error_page 405 = @bus; }
                 location @bus   { msgbus bus; msgbus_channel /spare; }
                 location /far/  { msgbus few; error_page 507 = @far; }
                 location @far   { rewrite ^/far(.*)$ /few$1 break;
                                   proxy_pass http://127.0.0.1:' . $port . '; }
                 location /none/ { msgbus few; error_page 507 = @full; }
                 location @full  { msgbus few; msgbus_channel /spare; }',
)->start;

my $client = $nginx->client(agent => 'poster/1.0');

sub told {
    my ($r) = @_;

    return join ' ', $r->status,
           map { @{ $r->{headers}{$_} || ['not told'] } }
               qw( msgbus-stored cache-control );
}

my $by_get = 'method=POST&post-data=[1]';

is(told($client->post('/few/a', '{}')), '201 all not told', 'there is room');
is(told($client->post('/few/a', '{}')), '201 all not told',
   'no room: another bus has it');
is(told($client->post('/read/a', '{}')), '201 all not told',
   'where it is read only');
is(told($client->post('/deny/a', '{}')), '201 all not told',
   'nginx: not allowed');
is(told($client->post('/few/a', '{')), '400 none not told', 'neither has it');
is(told($client->post('/none/a', '{}')), '507 none not told',
   'no room in both');
is(told($client->post('/far/a', '{}')), '201 all not told',
   'a bus behind a proxy has it');
is(told($client->post('/far/silent', '{}')), '200 none not told',
   'who is behind it does not say');
is(told($client->get("/few/a?$by_get")), '201 all no-store', 'by GET');
is(told($client->get("/few/a?$by_get&callback=f")), '200 all no-store',
   'by JSONP');

$nginx->quit;
$nginx->no_alerts;

done_testing;
