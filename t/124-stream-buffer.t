# msgbus_stream_buffer says how much may wait for a reader of a stream.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Socket qw( SOL_SOCKET SO_RCVBUF );
use Test::More;
use Time::HiRes qw( sleep );

use Msgbus::Nginx;
use Msgbus::Stream;


Msgbus::Nginx->limit(60);

my @ports = map { Msgbus::Nginx::free_port() } 1 .. 2;

my $nginx = Msgbus::Nginx->new(
    listen   => ["127.0.0.1:$ports[0] sndbuf=16k"],
    http     => "
        msgbus_zone zone=bus:16m first_id=1;
        msgbus_require_uuid off;
        msgbus_stream_buffer 600k;
        server {
            listen 127.0.0.1:$ports[1] sndbuf=16k;
            location / { msgbus bus; }
        }
    ",
    location => '
        msgbus_stream_buffer 100k;
        location / { msgbus bus; }
        location /location/ { msgbus bus; msgbus_stream_buffer 1200k; }
        location /none/ { msgbus bus; msgbus_stream_buffer 0; }
        location /default/ { msgbus bus; msgbus_stream_buffer 256k; }
    ',
)->start;

# How much was waiting for a reader who never reads when it was closed; events
# are of 10,000 bytes and a little.

sub closed_at {
    my ($port, $uri) = @_;

    my $from = $nginx->log_size;
    my $stream = Msgbus::Stream->new(to => "127.0.0.1:$port",
                                     uri => "$uri?last-known-id=latest");

    $stream->open;
    setsockopt $stream->{client}{sock}, SOL_SOCKET, SO_RCVBUF, 8192;
    Msgbus::Stream->read_until(5, sub { $stream->{body} }, $stream);

    my $poster = $nginx->client(agent => 'poster');
    my $data = '["' . 'x' x 10_000 . '"]';

    for (1 .. 1000) {
        my $r = $poster->post($uri, $data);

        my ($line) = $nginx->log($from, 'info', 'msgbus closes a stream')
            or next;

        return $line =~ /not read (\d+) bytes/ ? $1 / 1024 : 0;
    }

    return 0;
}

sub is_about {
    my ($got, $limit, $title) = @_;

    ok($got > $limit && $got < $limit + 11, $title)
        or diag("closed at $got k");
}

is_about(closed_at($ports[1], '/http'), 600, "http's is for all");
is_about(closed_at($ports[0], '/server'), 100, "a server's own wins");
is_about(closed_at($ports[0], '/location/c'), 1200,
         "a location's own wins over both");
cmp_ok(closed_at($ports[0], '/none/c'), '<', 22,
       'with 0 nothing may wait when the next event comes');
is_about(closed_at($ports[0], '/default/c'), 256, 'it may be the default');

$nginx->reload(location => 'location / { msgbus bus; }',
               http => 'msgbus_zone zone=bus:16m; msgbus_require_uuid off;');

is_about(closed_at($ports[0], '/c'), 256, 'which is 256k');

# what is refused

my $binary = $ENV{TEST_NGINX_BINARY} || 'nginx';

sub said {
    $nginx->configure(location => $_[0]);

    return scalar `$binary -t -c $nginx->{dir}/nginx.conf 2>&1`;
}

like(said('msgbus_stream_buffer much;'),
     qr/\[emerg\].*"msgbus_stream_buffer" directive invalid value/,
     'what is no size is refused');
like(said('msgbus_stream_buffer -1;'),
     qr/\[emerg\].*"msgbus_stream_buffer" directive invalid value/,
     'so is one below 0');
like(said('msgbus_stream_buffer 1k 2k;'), qr/\[emerg\].*"msgbus_stream_buffer"/,
     'so are two');
like(said('msgbus_stream_buffer 1k; msgbus_stream_buffer 2k;'),
     qr/"msgbus_stream_buffer".* duplicate/, 'so is one twice');

$nginx->quit;
$nginx->no_alerts;

done_testing;
