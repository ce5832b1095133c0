# The bus tells nothing of the server that nginx would not tell.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Nginx;


Msgbus::Nginx->limit(60);

my $nginx = Msgbus::Nginx->new(
    http     => 'msgbus_zone zone=bus:1m first_id=1;
                 msgbus_require_uuid off;
                 server_tokens off;',
    location => 'location / { msgbus bus; client_max_body_size 10; }
                 location /denied/ { msgbus bus; deny all; }',
)->start;

my $client = $nginx->client(agent => 'test/1.0');

for my $r ($client->post('/a', '[1]'), $client->get('/a'),
           $client->get('/b'), $client->head('/a'), $client->options('/a'),
           $client->get('/health'), $nginx->report,
           $client->get('/a.b'), $client->post('/a', '['),
           $client->request('PUT', '/a', '[]'),
           $client->post('/a', '[' . ' ' x 10 . ']'),
           $client->post('/a', ['[', ' ' x 10, ']']),
           $client->get('/denied/a'))
{
    is($r->header('Server'), 'nginx', $r->status . ': the server\'s name');

    if ($r->body =~ /"nginx"/) {
        is($r->json->{nginx}, '', '    and the report has no version of it');
        next;
    }

    unlike($r->body, qr{nginx}, '    and no more than that');
}

$nginx->quit;
$nginx->no_alerts;

done_testing;
