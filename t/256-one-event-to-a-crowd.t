# What one event to a crowd of parked readers is to each of them does not depend
# on the others: whose events are hidden, who reads slowly.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Socket qw( SOL_SOCKET SO_RCVBUF );
use Test::More;

use Msgbus::Nginx;
use Msgbus::Stream;


Msgbus::Nginx->limit(60);

my $port = Msgbus::Nginx::free_port();

my $nginx = Msgbus::Nginx->new(
    workers  => 2,
    http     => 'msgbus_zone zone=parked:16m first_id=1 max_event_size=1m;
                 msgbus_zone zone=held:16m first_id=1 max_event_size=1m;
                 log_format sent "$request_method $msgbus_events $http_user_agent";
                 msgbus_park on after=1ms;',
    listen   => ["127.0.0.1:$port sndbuf=16k"],
    location => 'msgbus_require_uuid off; msgbus_ping 1h; msgbus_channel /c;
                 client_max_body_size 2m; msgbus_stream_buffer 4m;
                 location /on { msgbus parked; access_log logs/on sent; }
                 location /off { msgbus held; access_log logs/off sent; msgbus_park off; }
                 location = /stub { stub_status; }',
);

mkdir "$nginx->{dir}/logs";
chmod 0777, "$nginx->{dir}/logs";
$nginx->start;

# uuids as most write them, and as some do; posters are among the readers

my @uuids = ('6ba7b811-9dad-11d1-80b4-00c04fd430c8',
             '6ba7b811-9dad-11d1-80b4-00c04fd430c9',
             '6BA7B811-9DAD-11D1-80B4-00C04FD430C8', 'short', '');

my @agents = map { $_ eq '' ? 'agent/1.0' : "agent/1.0 uuid/$_" } @uuids;

# a crowd of all sorts, of which two do not read until they are told to

sub crowd {
    my ($uri, $n) = @_;

    my @crowd = map {
        my $stream = Msgbus::Stream->new(to => "127.0.0.1:$port", uri => $uri,
                                         sse => $_ % 2,
                                         agent => $agents[$_ % @agents]);
        $stream->open;

        # as much as it takes, from now on

        setsockopt $stream->{client}{sock}, SOL_SOCKET, SO_RCVBUF, 8192
            if $_ == 10 || $_ == 31;

        $stream;
    } 1 .. $n;

    Msgbus::Stream->read_until(10, sub { !grep { $_->{body} !~ /"ping"/ } @crowd },
                               @crowd);

    return @crowd;
}

sub requests {
    my $body = $nginx->client->get('/stub')->body;

    return $body =~ /Writing: (\d+) / && $1;
}

sub logged {
    my @lines = grep { /^GET/ } split /\n/,
                Msgbus::Nginx::slurp("$nginx->{dir}/logs$_[0]");

    return @lines;
}

my $large_text = "x" x 200_000;
my $large = qq("$large_text");

sub bodies {
    my ($uri) = @_;

    my @crowd = crowd("$uri?last-known-id=0", 60);
    my @slow = @crowd[9, 30];
    my @quick = grep { my $s = $_; !grep { $s == $_ } @slow } @crowd;

    $nginx->until(5, 'them to wait', sub {
        return requests() == ($uri eq '/on' ? 1 : 61);
    });

    my $n = 0;
    my $post = sub {
        my ($agent, @body) = @_;

        my $r = $nginx->client(agent => $agent)->post($uri, @body);

        is($r->status, 201, "$uri: an event of \"$agent\"");
    };

    for my $agent (@agents) {
        $post->($agent, "[\"by $agent\"]");
    }

    $post->($agents[1], "[1]\n[2]\n[3]\n",
            'Content-Type' => 'application/x-ndjson');
    Msgbus::Stream->read_until(10, sub {
        !grep { $_->{body} !~ /\[3\]/ && $_->{agent} ne $agents[1] } @quick;
    }, @quick);

    # a part of it goes into the socket, and more comes

    $post->('large', "[$large]");
    Msgbus::Stream->read_until(10, sub { !grep { $_->{body} !~ /x"\]/ } @quick },
                               @quick);
    $post->('last', '["last"]');

    my $body = qr/"last"\].*\n/s;

    Msgbus::Stream->read_until(20, sub { !grep { $_->{body} !~ $body } @crowd },
                               @crowd);

    $_->close for @crowd;
    $nginx->wait_for_readers(0);

    $nginx->until(5, 'their lines', sub { return logged($uri) == 60 });

    return map { $_->{body} =~ s/\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ/TIME/gr
                 =~ s/^retry: \d+/retry/mr =~ s/"age":\d+/"age":0/gr } @crowd;
}

my @on = bodies('/on');
my @off = bodies('/off');
my @differ = grep { $on[$_] ne $off[$_] } 0 .. $#on;

is("@differ", '', 'each of 60 parked readers has what one who is held has');
is(scalar(grep { $on[$_] =~ /by \Q$agents[($_ + 1) % 5]\E"/ }
          grep { ($_ + 1) % 5 != 4 } 0 .. $#on), 0, '    and not its own events');
is(scalar(grep { my @large = $_ =~ /"$large_text"/g; @large == 1 } @on), 60,
   '    and the large one once, whole');
is(join("\n", sort(logged('/on'))), join("\n", sort(logged('/off'))),
   '    and as many are in the access log');

$nginx->quit;
$nginx->no_alerts;

done_testing;
