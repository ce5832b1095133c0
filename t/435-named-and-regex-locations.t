# Named and regex locations serve the bus with the channel that they are told.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Nginx;


Msgbus::Nginx->limit(60);

my $nginx = Msgbus::Nginx->new(
    http     => 'msgbus_zone zone=bus:1m first_id=1;
                 msgbus_scope exact parent all;
                 msgbus_require_uuid off;',
    location => <<'END',
location ~ ^/v(?<version>\d)/(\w+)/events$ {
    msgbus bus;
    msgbus_channel /v$version/$2;
}

location ~* ^/any(/.*)\.json$ {
    msgbus bus;
    msgbus_channel $1;
}

location ~ ^/outer/ {
    msgbus_channel /outer;

    location ~ ^/outer/inner/ {
        msgbus bus;
    }

    location ~ ^/outer/(own)/ {
        msgbus bus;
        msgbus_channel /outer/$1;
    }
}

location = /one {
    msgbus bus;
    msgbus_channel /one;
}

location ^~ /prefix/ {
    msgbus bus;
}

# files first, the bus for the rest

location / {
    root html;
    try_files $uri @bus;
}

location @bus {
    msgbus bus;
    msgbus_channel $uri;
}

# a rewrite to a named location is none, an error_page is

location /moved/ {
    error_page 418 = @moved;
    return 418;
}

location @moved {
    msgbus bus;
    msgbus_channel /new$uri;
}

location /empty/ {
    msgbus bus;
    msgbus_channel /x/$http_x_channel;
}

location /raw/ {
    msgbus bus;
    msgbus_channel $arg_channel;
}
END
);

mkdir "$nginx->{dir}/html";
open my $file, '>', "$nginx->{dir}/html/a.txt" or die "a.txt: $!\n";
print $file "file\n";
close $file;

$nginx->start;

my $client = $nginx->client(agent => 'test/1.0');
my $n = 0;

# a POST, and who can read it

sub is_channel {
    my ($uri, $channel, @headers) = @_;

    $n++;

    is($client->post($uri, "[$n]", @headers)->id, $n, "a POST to $uri");

    my $r = $client->get($uri, @headers);

    is($r->json->{channel}, $channel, "    is $channel");
    is($r->json->{events}[-1]{data}[0], $n, '    to read too');
    is($client->get("/prefix$channel")->json->{events}[-1]{data}[0], $n,
       '    by its name');
}

is_channel('/v1/rooms/events', '/v1/rooms');
is_channel('/v2/rooms/events', '/v2/rooms');
is_channel('/v2/roo%6Ds/events', '/v2/rooms');
is_channel('/any/a/b.json', '/a/b');
is_channel('/ANY/A/b.json', '/A/b');
is_channel('/outer/inner/x', '/outer');
is_channel('/outer/own/x', '/outer/own');
is_channel('/one', '/one');
is_channel('/prefix/own', '/own');
is_channel('/not/a/file', '/not/a/file');
is_channel('/moved/a', '/new/moved/a');
is_channel('/empty/a', '/x/header', 'X-Channel' => 'header');
is_channel('/raw/?channel=/a/b', '/a/b');

is($client->get('/a.txt')->body, "file\n", 'files come first');
is($client->post('/a/new/one', ['[', '"chunks"', ']'])->id, ++$n,
   'a body in chunks behind try_files');
is($client->post('/moved/b', '["' . 'x' x 40_000 . '"]')->id, ++$n,
   'a large body behind an error_page');
is($client->post('/moved/b', ['["', 'x' x 40_000, '"]'])->id, ++$n,
   'in chunks');

# what a client sends is no way out

for my $uri ('/any/../x.json', '/any/a.b.json', '/any/.json', '/any//.json',
             '/any/a%2Fb%00.json', '/empty/a', '/raw/', '/raw/?channel=a',
             '/raw/?channel=/a%2Fb', '/raw/?channel=/a/', '/raw/?channel=//a',
             '/raw/?channel=/../a', '/raw/?channel=' . '/a' x 33)
{
    my $r = $client->post($uri, '[0]');

    is($r->status, 400, "$uri: 400");
}

is($client->get('/prefix/?events=all&sort=-1&max-events=1')->last_id, $n,
   'nothing else is stored');

$nginx->quit;
$nginx->no_alerts;

done_testing;
