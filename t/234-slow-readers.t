# A reader who does not read costs a bounded amount, and is closed; it comes
# back and has lost nothing.

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
    http     => 'msgbus_zone zone=bus:64m first_id=1 max_event_size=1m;',
    location => '
        client_max_body_size 2m;
        msgbus_require_uuid off;
        msgbus_ping 500ms;
        location / { msgbus bus; }
    ',
);

my $port = Msgbus::Nginx::free_port();
$nginx->{listen} = ["127.0.0.1:$port sndbuf=64k"];
$nginx->start;

my $poster = $nginx->client(agent => 'poster');
my ($worker) = $nginx->worker_pids;

sub stream {
    my $stream = Msgbus::Stream->new(to => "127.0.0.1:$port", uri => '/c', @_);

    $stream->open;

    return $stream;
}

sub cpu {
    my @stat = split ' ', Msgbus::Nginx::slurp("/proc/$worker/stat");

    return $stat[13] + $stat[14];
}


my @deaf = map { stream() } 1 .. 20;

setsockopt $_->{client}{sock}, SOL_SOCKET, SO_RCVBUF, 16384 for @deaf;

my $reads = stream();

Msgbus::Stream->read_until(10, sub { $reads->{body} }, $reads);
$nginx->wait_for_readers(21);

my $event = '"' . 'x' x 10_000 . '"';

# posts, and has a reader read what comes

sub burst {
    my ($n, $reader) = @_;

    my $begun = cpu();

    for (1 .. $n / 10) {
        $poster->pipeline(map { [ POST => '/c', "[$event]" ] } 1 .. 10);

        my $all = $reader ? $reader->{n} + 10 : 0;
        Msgbus::Stream->read_until(10, sub { $reader->{n} >= $all }, $reader)
            if $reader;
    }

    return cpu() - $begun;
}

burst(200, $reads);

my $memory = $nginx->memory($worker, 'RssAnon');
my @took = map { burst(600, $reads) } 1 .. 3;

SKIP: {
    skip 'ASan keeps what was freed', 1 if $ENV{CHECKED_REPORTS};

    cmp_ok($nginx->memory($worker, 'RssAnon') - $memory, '<', 2048,
           'those who never read do not make the worker grow');
}

cmp_ok($took[2], '<', 20 + 3 * $took[0], 'nor slow')
    or diag("@took ticks");

my @lines = $nginx->log(0, 'info', 'msgbus closes a stream');

is(scalar @lines, 20, 'with a line each');
like($lines[0], qr/a stream of channel "\/c", its client has not read \d{6} /,
     'that says why');

is($reads->{n}, 2000, 'who reads gets all');
is($reads->{ended}, '', 'and stays');
$reads->close;

# what came before the end, and the rest by the cursor: nothing is lost

my $back = $deaf[0];

Msgbus::Stream->read_until(10, sub { $back->{ended} }, $back);
is($back->{ended}, 'cut', 'a client sees that it was cut off');

cmp_ok($back->{n}, '<', 2000, 'before it had all');

$back->open;
Msgbus::Stream->read_until(20, sub { $back->{n} >= 2000 }, $back);

my @ids = map { $_->{id} } grep { $_->{data} } @{ $back->{events} };

ok("@ids" eq join(' ', 1 .. 2000),
   'it comes back with its cursor and has each event once, in order');

$back->close;

# a reader who is slow to begin with is served from the log, at its own pace

my $slow = stream();
sleep 0.5;
burst(100);
sleep 0.2;

is(scalar $nginx->log(0, 'info', 'msgbus closes a stream'), 20,
   'who still reads what the bus had is not closed');

Msgbus::Stream->read_until(20, sub { $slow->{n} >= 2100 }, $slow);
is($slow->{n}, 2100, 'and gets all');

# one event that is larger than the buffer

my $large = stream(uri => '/large');
Msgbus::Stream->read_until(10, sub { $large->{body} }, $large);
$poster->post('/large', '["' . 'y' x 1_000_000 . '"]');
Msgbus::Stream->read_until(10, sub { $large->{n} }, $large);

is(length((($large->posted)[0]) // ''), 1_000_004,
   'an event may be larger than msgbus_stream_buffer');

$nginx->quit;
$nginx->no_alerts;

done_testing;
