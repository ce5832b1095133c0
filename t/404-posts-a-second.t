# limit_req can count the posts of each channel, and nothing else.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Documented;


Msgbus::Nginx->limit(60);

# the recipe, and the same with nginx's own status

for my $status (429, 503) {
    my $nginx = Msgbus::Documented->recipe('Posts a second',
        more => 'msgbus_jsonp on; msgbus_scope exact parent all;');

    $nginx->{text} =~ s/^ *limit_req_status .*;\n//m if $status == 503;

    # so that none comes to be allowed while it runs
    $nginx->{text} =~ s/\brate=10r\/m;/rate=1r\/m;/ or die;
    $nginx->start;

    my $client = $nginx->client;

    # one, and one more that the burst allows

    is($client->post('/a', "[$_]")->status, 201, "$status: post $_")
        for 1 .. 2;

    for my $time (1 .. 3) {
        my $r = $client->post('/a', '[3]');

        is($r->status, $status, 'the next is refused');
        like($r->body, qr/^\{ "message": "[A-Z][A-Za-z ]+" \}$/, '    as JSON');
        is($r->header('Content-Type'), 'application/json; charset=utf-8',
           '    that says so');
    }

    ok($client->{sock}, 'on the same connection');

    is($client->post('/a', ['[3]'])->status, $status, 'so is one in chunks');
    is($client->get('/a?method=POST&post-data=[3]&callback=f')->status,
       $status, 'and one by JSONP');

    is($client->post("/$_", '[4]')->status, 201, "another channel, /$_")
        for qw(b a/b aa A);

    is($client->get('/a?echo=true')->status, 200, 'reads do not count')
        for 1 .. 10;

    is($client->options('/a')->status, 204, 'nor does OPTIONS') for 1 .. 5;
    is($client->get('/health')->status, 200, 'nor /health') for 1 .. 5;
    is($client->head('/a?echo=true')->status, 200, 'nor HEAD') for 1 .. 5;
    is($client->request('PUT', '/c', '[]')->status, 405,
       'nor what the bus does not know') for 1 .. 5;

    # the same channel by other spellings

    is($client->post($_, '[5]')->status, $status, "$_ is /a")
        for '//a', '/./a', '/x/../a', '/%61';

    is($client->get('/c?method=POST&post-data=[6]&callback=f')->status, 200,
       'a post by JSONP counts') for 1 .. 2;
    is($client->get('/c?method=POST&post-data=[6]&callback=f')->status,
       $status, 'as any other');

    my $r = $client->get('/?events=all&echo=true');

    is(join(' ', map { $_->{data} } @{ $r->events }),
       '[1] [2] [4] [4] [4] [4] [6] [6]', 'what is refused is not stored');

    $nginx->quit;
    $nginx->no_alerts;
}

done_testing;
