# Readers leave at every possible moment, and harm nobody.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw( usleep );

use Msgbus::Nginx;
use Msgbus::Stream;


Msgbus::Nginx->limit(60);

my $port = Msgbus::Nginx::free_port();

my $nginx = Msgbus::Nginx->new(
    workers  => 2,
    listen   => ["127.0.0.1:$port sndbuf=16k"],
    http     => 'msgbus_zone zone=bus:4m first_id=1;',
    location => '
        msgbus_require_uuid off;
        msgbus_ping 20ms;
        location / { msgbus bus; }
        location /filtered/ {
            msgbus bus;
            charset utf-8;
            override_charset on;
            charset_types *;
            sub_filter_types *;
            sub_filter "no such text" "";
        }
    ',
)->start;

my $poster = $nginx->client(agent => 'poster');
my $large = '["' . 'x' x 30_000 . '"]';
my $stays = Msgbus::Stream->new(to => "127.0.0.1:$port", uri => '/c');

$stays->open;
Msgbus::Stream->read_until(5, sub { $stays->{body} }, $stays);

sub stream {
    my ($uri) = @_;

    return Msgbus::Stream->new(to => "127.0.0.1:$port", uri => $uri,
                               sse => int rand 2);
}

my %moment = (
    'before the header' => sub {
        my ($uri, $leave) = @_;
        my $stream = stream($uri);
        my $client = Msgbus::Client->new(to => "127.0.0.1:$port");
        my $bytes = $client->format(GET => $uri, undef,
                                    Accept => 'text/event-stream');

        $client->send(substr $bytes, 0, rand length $bytes);
        $leave eq 'reset' ? $client->reset : $client->close;
    },

    'at once' => sub {
        my ($uri, $leave) = @_;
        my $stream = stream($uri);

        $stream->open;
        $stream->$leave;
    },

    'at the wake-up' => sub {
        my ($uri, $leave) = @_;
        my $stream = stream("$uri?last-known-id=latest");

        $stream->open;
        Msgbus::Stream->read_until(5, sub { $stream->{body} }, $stream);
        $poster->send($poster->format(POST => '/c', '[1]'));
        usleep(rand 300);
        $stream->$leave;
        $poster->response('POST');
    },

    'in the middle of an event' => sub {
        my ($uri, $leave) = @_;
        my $stream = stream("$uri?last-known-id=latest");

        $stream->open;
        Msgbus::Stream->read_until(5, sub { $stream->{body} }, $stream);
        $poster->pipeline(map { [ POST => '/c', $large ] } 1 .. 4);
        usleep(2000);
        $stream->{client}->read_some;
        $stream->$leave;
    },

    'in the middle of what the bus had' => sub {
        my ($uri, $leave) = @_;
        my $stream = stream($uri);

        $stream->open;
        usleep(3000);
        $stream->$leave;
    },

    'at a ping' => sub {
        my ($uri, $leave) = @_;
        my $stream = stream("$uri?last-known-id=latest");

        $stream->open;
        usleep(20_000 + rand 1000);
        $stream->$leave;
    },

    'when it does not read' => sub {
        my ($uri, $leave) = @_;
        my $stream = stream("$uri?last-known-id=latest");

        $stream->open;
        usleep(2000);
        $poster->pipeline(map { [ POST => '/c', $large ] } 1 .. 12);
        $stream->$leave;
    },
);

for my $moment (sort keys %moment) {
    for my $uri ('/c', '/filtered/c') {
        for my $leave ('close', 'reset') {
            $moment{$moment}->($uri, $leave) for 1 .. 8;
        }
    }

    Msgbus::Stream->read_until(0, sub { 0 }, $stays);
    is($nginx->client->get('/none')->status, 204, "$moment: others are served");
}

# during a reload

for my $n (1 .. 3) {
    my @streams = map { stream('/c?last-known-id=latest') } 1 .. 40;

    $_->open for @streams;
    usleep(20_000);

    my $pid = fork // die "fork: $!\n";

    if (!$pid) {
        for my $stream (@streams) {
            usleep(rand 3000);
            $n % 2 ? $stream->reset : $stream->close;
        }

        POSIX::_exit(0);
    }

    $_->close for @streams;
    $nginx->reload(wait => 1);
    waitpid $pid, 0;
}

pass('during reloads');

my $last = Msgbus::Stream->new(to => "127.0.0.1:$port",
                               uri => '/c?last-known-id=latest');
$last->open;
Msgbus::Stream->read_until(5, sub { $last->{body} }, $last);
$poster->post('/c', '[2]');
Msgbus::Stream->read_until(5, sub { $last->{n} }, $last);
is(join(' ', $last->posted), '[2]', 'who comes after them is served');
$last->close;

$nginx->until(5, 'all connections but ours to be closed', sub {
    return $nginx->open_sockets <= 2 * (2 + 2) + 1 + 2;
});
pass('no connection stays behind');

$nginx->quit;
$nginx->no_alerts;

done_testing;
