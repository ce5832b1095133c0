# A stream whose client does not read as fast as memory forgets goes on in the
# store: it loses nothing, and is told of no gap.

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

my $nginx = Msgbus::Nginx->new(
    http     => 'msgbus_journal disk { path journal; segment 1m; sync off; }
                 msgbus_zone zone=bus:1m store=disk ttl=1d max_events=20;',
    location => 'msgbus_require_uuid off; msgbus_stream_buffer 64m;
                 msgbus_ping 300ms;
                 location / { msgbus bus; }
                 location /held/ { msgbus bus; msgbus_park off; }
                 location /log/ { msgbus bus; msgbus_history off; }',
);

my $port = Msgbus::Nginx::free_port();
$nginx->{listen} = ["127.0.0.1:$port sndbuf=32k"];
$nginx->start;

my $poster = $nginx->client(agent => 'poster/1.0');

$nginx->until(10, 'the journal to be read', sub {
    return $poster->get('/x?echo=true')->status == 204;
});

my $before = $poster->post('/c', '[0]')->id;

# live, and then deaf: parked, held, and one that gets what memory has

my @deaf = map {
    my $stream = Msgbus::Stream->new(to => "127.0.0.1:$port", uri => "$_/c",
                                     headers => ['Last-Event-ID', $before]);
    $stream->open;
    setsockopt $stream->{client}{sock}, SOL_SOCKET, SO_RCVBUF, 8192;
    $stream;
} '', '/held', '/log';

Msgbus::Stream->read_until(5, sub {
    return !grep { @{ $_->{events} } < 2 } @deaf;
}, @deaf);

my $text = 'x' x 10_000;
my @ids = map { $poster->post('/c', qq({"s":"$text"}))->id } 1 .. 150;

sleep 0.5;

my $last = $poster->post('/c', '["end"]')->id;

push @ids, $last;

setsockopt $_->{client}{sock}, SOL_SOCKET, SO_RCVBUF, 1 << 20 for @deaf;

Msgbus::Stream->read_until(20, sub {
    return !grep { $_->{client} && $_->{cursor} < $last } @deaf;
}, @deaf);

for my $reader ([$deaf[0], 'a stream that was parked'],
                [$deaf[1], 'one that is held'])
{
    my ($stream, $title) = @$reader;
    my @got = map { $_->{id} } grep { defined $_->{data} && !$_->{event} }
                               @{ $stream->{events} };

    is("@got", "@ids", "$title gets each event once");
    is(scalar $stream->gaps, 0, '    and no gap');
}

cmp_ok(scalar $deaf[2]->gaps, '>', 0, 'where history is off there is a gap');

# it has gone over into what comes, and is pinged again

my $more = $poster->post('/c', '[1]')->id;

Msgbus::Stream->read_until(5, sub {
    return !grep { $_->{client} && $_->{cursor} < $more } @deaf;
}, @deaf);

is($deaf[0]{cursor}, $more, 'it goes on with what comes');
is($deaf[1]{cursor}, $more, '    either of them');

$nginx->no_alerts;

done_testing;
