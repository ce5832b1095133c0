# With "merge_slashes off" a channel with two slashes in a row is none.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Nginx;


Msgbus::Nginx->limit(60);

for my $merge (qw(on off)) {
    my $nginx = Msgbus::Nginx->new(
        http     => "msgbus_zone zone=bus:1m first_id=1;
                     msgbus_scope exact parent all;
                     msgbus_require_uuid off;
                     merge_slashes $merge;",
        location => 'location / { msgbus bus; }
                     location /bus/ { msgbus bus; }
                     location /bare { msgbus bus; }',
    )->start;

    my $client = $nginx->client(agent => 'test/1.0');
    my $n = 0;

    for my $uri ('//a', '/bus//a', '/a//b', '/bus/a//b', '/a/b//', '/bare//a',
                 '///', '/bus//', '//bus/a', '/bus/%2Fa', '/a%2F%2Fb')
    {
        my $fine = $merge eq 'on' && $uri =~ /[ab]$/;
        my $r = $client->post($uri, '{}');

        is($r->status, $fine ? 201 : 400, "merge_slashes $merge: $uri");
        is($client->get($uri)->status, $fine ? 200 : 400, '    a GET');
        $n++ if $fine;
    }

    is($client->post('/a/b', '{}')->id, ++$n, 'one slash is one slash');
    is($client->post('/bus/health', '{}')->status, 405, '/health is taken');
    is($client->get('/bus//health')->status, $merge eq 'on' ? 200 : 400,
       'as written');
    is($client->get('/bus//?events=all')->status, $merge eq 'on' ? 200 : 400,
       'and so is the whole bus');

    $nginx->quit;
    $nginx->no_alerts;
}

done_testing;
