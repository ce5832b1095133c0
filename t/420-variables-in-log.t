# An access log can tell of each request what it was to the bus.

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
                 msgbus_jsonp on;
                 log_format bus "$request_method $status '
                              . 'channel=$msgbus_channel '
                              . 'operation=$msgbus_operation '
                              . 'id=$msgbus_id events=$msgbus_events '
                              . 'key=$msgbus_auth_key";',
    location => <<'END',
access_log bus.log bus;
msgbus_require_uuid off;
msgbus_auth_prefix prefix-;

location /bus/ {
    msgbus bus;
}

location = /exact {
    msgbus bus;
    msgbus_channel /of/$arg_name;
}

location /test/ {
    msgbus bus;
    msgbus_test_mode on;
}

location /refused/ {
    msgbus bus;
    deny all;
}

location /small/ {
    msgbus bus;
    client_max_body_size 1;
}

location = /health {
    msgbus_health bus;
}

location /text {
    return 200 text;
}

location /inside {
    rewrite ^/inside(.*) /bus$1 last;
}
END
)->start;

my $client = $nginx->client(agent => 'test/1.0');
my $lines = 0;


# what the log says of a request

sub is_logged {
    my ($method, $uri, $body, $expected, @headers) = @_;

    my $r = $client->request($method, $uri, $body, @headers);

    $lines++;

    my @log;

    $nginx->until(5, 'a line in the access log', sub {
        @log = split /\n/, Msgbus::Nginx::slurp("$nginx->{dir}/bus.log");
        return @log == $lines;
    });

    my %value = (channel => '-', operation => '-', id => '-', events => '-',
                 key => '-', %{ $expected });

    my $line = join ' ', $method, delete $value{status},
               map { "$_=$value{$_}" } qw(channel operation id events key);

    is($log[-1], $line, "$method $uri");
}


is_logged(GET => '/bus/a', undef, { status => 204, channel => '/a',
          operation => 'read', events => 0 });
is_logged(POST => '/bus/a', '{}', { status => 201, channel => '/a',
          operation => 'publish', id => 1 });
is_logged(POST => '/bus/a', ['{', '}'], { status => 201, channel => '/a',
          operation => 'publish', id => 2 });
is_logged(POST => '/bus/a/b', "[1]\n[2]\n[3]\n", { status => 201,
          channel => '/a/b', operation => 'publish', id => 5 },
          'Content-Type' => 'application/x-ndjson');
is_logged(GET => '/bus/a?method=POST&post-data={}&callback=f', undef,
          { status => 200, channel => '/a', operation => 'publish', id => 6 });
is_logged(POST => '/bus/a?callback=f', '{}', { status => 200,
          channel => '/a', operation => 'publish', id => 7 });

is_logged(GET => '/bus/a', undef, { status => 200, channel => '/a',
          operation => 'read', events => 4 });
is_logged(GET => '/bus/a?max-events=2', undef, { status => 200,
          channel => '/a', operation => 'read', events => 2 });
is_logged(GET => '/bus/a?events=all', undef, { status => 200,
          channel => '/a', operation => 'read', events => 7 });
is_logged(GET => '/bus/?events=all', undef, { status => 200,
          channel => '/', operation => 'read', events => 7 });
is_logged(GET => '/bus/a?callback=f&last-known-id=7', undef, { status => 200,
          channel => '/a', operation => 'read', events => 0 });
is_logged(HEAD => '/bus/a', undef, { status => 200, channel => '/a',
          operation => 'read', events => 4 });
is_logged(GET => '/bus/a?last-known-id=latest&wait=1', undef, { status => 204,
          channel => '/a', operation => 'read', events => 0 });
is_logged(GET => '/test/all', undef, { status => 200, channel => '/all',
          operation => 'read', events => 7 });

is_logged(OPTIONS => '/bus/a', undef, { status => 204, channel => '/a',
          operation => 'options' });
is_logged(GET => '/bus/health', undef, { status => 200, channel => '/health',
          operation => 'health' });

# channels that come about otherwise

is_logged(POST => '/exact?name=it', '{}', { status => 201,
          channel => '/of/it', operation => 'publish', id => 8 });
is_logged(POST => '/inside/c', '{}', { status => 201, channel => '/c',
          operation => 'publish', id => 9 });
is_logged(POST => '/bus//d/./x/../%65', '{}', { status => 201,
          channel => '/d/e', operation => 'publish', id => 10 });

# errors

is_logged(POST => '/bus/a', '{', { status => 400, channel => '/a',
          operation => 'publish' });
is_logged(GET => '/bus/a?max-events=0', undef, { status => 400,
          channel => '/a', operation => 'read' });
is_logged(GET => '/bus/a.b', undef, { status => 400, operation => 'read' });
is_logged(PUT => '/bus/a', '{}', { status => 405, channel => '/a' });
is_logged(POST => '/small/a', '{}', { status => 413, channel => '/a',
          operation => 'publish' });
is_logged(GET => '/refused/a', undef, { status => 403, channel => '/a',
          operation => 'read' });

# what is not on the bus

is_logged(GET => '/text', undef, { status => 200 });
is_logged(GET => '/nothing', undef, { status => 404 });

# tokens

is_logged(GET => '/bus/z', undef, { status => 204, channel => '/z',
          operation => 'read', events => 0, key => 'prefix-t0ken' },
          'X-Auth-Token' => 't0ken');
is_logged(GET => '/text', undef, { status => 200, key => 'prefix-a b' },
          'x-auth-token' => 'a b');
is_logged(GET => '/text', undef, { status => 200 }, 'X-Auth-Token' => '');

$nginx->quit;
$nginx->no_alerts;

done_testing;
