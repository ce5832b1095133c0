# "if" blocks of a location serve the bus too, unless they say otherwise.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Nginx;


Msgbus::Nginx->limit(60);

my $nginx = Msgbus::Nginx->new(
    http     => 'msgbus_zone zone=bus:1m first_id=1;',
    location => <<'END',
msgbus_require_uuid off;

location /bus/ {
    msgbus bus;

    add_header X-Block none;

    if ($request_method = POST) {
        add_header X-Block post;
    }

    if ($arg_limited) {
        msgbus off;
        return 429;
    }

    if ($arg_gone) {
        return 404;
    }

    if ($arg_text) {
        return 403 "text\n";
    }

    if ($arg_set) {
        set $seen yes;
        add_header X-Seen $seen;
    }

    if ($arg_files) {
        msgbus off;
    }

    if ($arg_elsewhere) {
        rewrite ^/bus/(.*)$ /other/$1;
    }

    if ($arg_lost) {
        rewrite (?s)^/bus/(.*)$ /$1 break;
    }

    if ($arg_break) {
        rewrite ^/bus/x/(.*)$ /bus/$1 break;
    }

    location /bus/inner/ {
        msgbus bus;

        if ($arg_gone) {
            return 404;
        }
    }
}

location = /health {
    msgbus_health bus;
    limit_except GET { allow all; }

    if ($arg_set) {
        set $seen yes;
        add_header X-Seen $seen;
    }

    if ($arg_text) {
        msgbus off;
        return 200 "text\n";
    }

    if ($arg_files) {
        msgbus off;
    }
}

location /left/ {
    msgbus bus;

    if ($arg_x) {
        proxy_pass http://unix:/nothing;
    }
}

location /other/ {
    msgbus bus;
    msgbus_channel /moved$uri;
}

location ~ ^/regex/([a-z]+) {
    set $name $1;
    msgbus bus;
    msgbus_channel /$name;

    if ($arg_set) {
        add_header X-Block regex;
    }
}
END
)->start;

my $client = $nginx->client(agent => 'test/1.0');
my $r;

sub data {
    my ($uri) = @_;

    my $r = $client->get($uri);

    return join ' ', $r->status, map { $_->{data} } @{ $r->events };
}

$r = $client->post('/bus/a', '[1]');
is($r->status, 201, 'a POST in an "if"');
is($r->header('X-Block'), 'post', 'is served by the block');

is($client->get('/bus/a')->header('X-Block'), 'none', 'a GET is not');
is(data('/bus/a'), '200 [1]', 'the channel is what follows the location');

is($client->post('/bus/a?set=1', '[2]')->header('X-Seen'), 'yes',
   'a variable that was set there');
is(data('/bus/a?set=1'), '200 [1] [2]', 'the same channel in each block');

for my $method (qw(GET POST)) {
    my @body = $method eq 'POST' ? '[0]' : undef;

    $r = $client->request($method, '/bus/a?gone=1', @body);
    is($r->status . $r->body, '404{ "message": "Not Found" }',
       "$method: what nginx refuses there is JSON");

    $r = $client->request($method, '/bus/a?text=1', @body);
    is($r->status . $r->body, "403text\n", 'but a text of the user\'s is sent');

    $r = $client->request($method, '/bus/a?limited=1', @body);
    is($r->status, 429, 'with msgbus off');
    like($r->body, qr/<html>/, 'it is nginx\'s own page');

    $r = $client->request($method, '/bus/a?files=1', @body);
    is($r->status, 404, 'and files are served');
    like($r->body, qr/<html>/, 'by nginx');
}

is(data('/bus/a'), '200 [1] [2]', 'nothing of that is stored');

is($client->post('/bus/b?elsewhere=1', '[3]')->status, 201, 'a rewrite');
is(data('/other/b'), '200 [3]', 'leads to the other location');
is(data('/bus/moved/other/b'), '200 [3]', 'and its channel');

is($client->post('/bus/x/c?break=1', '[4]')->status, 201,
   'a rewrite with "break"');
is(data('/bus/c'), '200 [4]', 'changes the channel');

is($client->get('/bus/x%0aof-its-own?lost=1')->status, 400,
   'or loses it');
is(join(' ', grep { /finds no channel|^of-its-own/ } $nginx->log(0))
   =~ s{^.*?(?=msgbus finds)|, client.*}{}gr,
   'msgbus finds no channel below location "/bus", use msgbus_channel',
   'what the client has sent makes no line of the log');

is($client->post('/bus/inner/a', '[5]')->status, 201, 'a location inside');
is(data('/bus/a'), '200 [1] [2] [5]', 'has a prefix of its own');
is($client->get('/bus/inner/a?gone=1')->status, 404, 'and its own blocks');

$r = $client->post('/regex/a?set=1', '[6]');
is($r->status . $r->header('X-Block'), '201regex', 'in a regex location');
is(data('/bus/a'), '200 [1] [2] [5] [6]', 'msgbus_channel is inherited');

$r = $client->get('/health?set=1');
is($r->status . $r->body . $r->header('X-Seen'), "200OK\nyes",
   'msgbus_health in an "if"');
is($client->get('/health?text=1')->body, "text\n", 'and with msgbus off');
is($client->get('/health?files=1')->status, 404, 'where files are served');
is($client->options('/health?set=1')->status, 204, 'in limit_except');
is($client->post('/health?set=1', '{}')->status, 405, 'what it does not know');

is($client->get('/left/a?x=1')->status, 502,
   'an "if" may leave requests to another directive');

$nginx->quit;
$nginx->no_alerts;

done_testing;
