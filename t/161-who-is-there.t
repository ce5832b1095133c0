# The list of channels has the readers of each: those who wait for a page, and
# those of streams, held or parked, over HTTP/1 and HTTP/2, on whatever worker;
# readers of a tree apart.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Channels;
use Msgbus::Http2;
use Msgbus::Nginx;
use Msgbus::Stream;


Msgbus::Nginx->limit(60);

my $port = Msgbus::Nginx::free_port();

my $nginx = Msgbus::Nginx->new(
    workers  => 3,
    listen   => ["127.0.0.1:$port http2"],
    http     => 'msgbus_zone zone=bus:2m; msgbus_require_uuid off;
                 msgbus_scope exact parent all many; msgbus_stream_buffer 1m;',
    location => 'location /parked/ { msgbus bus; msgbus_park on after=1ms; }
                 location /held/   { msgbus bus; msgbus_park off; }
                 location /count/  { msgbus bus;
                                     add_header X-There $msgbus_subscribers; }
                 location /few/    { msgbus bus; msgbus_max_waiters 1;
                                     error_page 503 = /other; }
                 location = /other { proxy_pass http://127.0.0.1:PORT/held/other?wait=20&last-known-id=latest; }
                 location = /channels { msgbus_channels bus; }',
);

$nginx->{location} =~ s/PORT/$nginx->{port}/;
$nginx->start;

my $to = "127.0.0.1:$nginx->{port}";
my $list = Msgbus::Channels->new(nginx => $nginx);
my $poster = $nginx->client(agent => 'poster/1.0');

sub is_there {
    my ($channel, $readers, $title) = @_;

    my $found;
    my $took = $list->until(1, sub {
        return ($found = $list->readers($channel)) eq $readers;
    });

    return ok(defined $took, $title)
           || diag("$channel: $found, not $readers");
}

sub poll {
    my ($uri) = @_;

    my $client = $nginx->client(agent => 'reader/1.0', timeout => 30);

    $client->connect and die "connect: $!\n";
    $client->send($client->format(GET => $uri));

    return $client;
}

sub stream {
    my ($uri, %o) = @_;

    my $stream = Msgbus::Stream->new(to => $to, uri => $uri, %o);

    $stream->open;

    return $stream;
}


# --- in each way, several of them, on all workers

for my $way ('held', 'parked') {
    my @polls = map { poll("/$way/$way-c?wait=20&last-known-id=latest") } 1 .. 7;

    is_there("/$way-c", '7 0 0 0', "$way: who waits for a page");

    my @streams = map { stream("/$way/$way-c", sse => $_ % 2) } 1 .. 5;

    is_there("/$way-c", '7 5 0 0', '    and streams, SSE and NDJSON alike');

    my @trees = ((map { stream("/$way/$way-c?events=all") } 1 .. 3),
                 poll("/$way/$way-c?events=all&wait=20&last-known-id=latest"));

    is_there("/$way-c", '7 5 1 3', '    and readers of its tree, apart');

    my @parents = map { stream("/$way/$way-c/b?events=parent") } 1 .. 2;

    is_there("/$way-c/b", '0 2 0 0',
             '    readers of parents, too, at the channel that they name');
    is_there("/$way-c", '7 5 1 3', '    and there alone');

    $poster->post("/$way/$way-c", '{}');

    is_there("/$way-c", '0 5 0 3', '    an event ends the waits, not the streams');

    $_->close for splice(@streams, 0, 2), splice(@trees, 0, 1);

    is_there("/$way-c", '0 3 0 2', '    who leaves is gone');

    my @latest = map { poll("/$way/$way-d?wait=1&last-known-id=latest") } 1 .. 2;

    is_there("/$way-d", '2 0 0 0', '    a channel without events');
    sleep 1;
    is_there("/$way-d", 'none', '    until the time is over');

    $_->close for @streams, @trees, @parents;

    ok(defined $list->until(1, sub { $list->sum == 0 }), '    and all who left');
}


# --- the whole bus

my @whole = map { stream('/held/?events=all') } 1 .. 2;

is_there('/', '0 0 0 2', 'the whole bus is a tree of its own');
is(scalar @{ $list->page('prefix=/held-c')->{channels} }, 1,
   '    and no part of another');
$_->close for @whole;
is_there('/', 'none', '    until nobody reads it');


# --- several channels

my @many = (stream('/held/?channels=/m,/n/*,/n/o,/o'),
            stream('/parked/?channels=/o,/m'),
            poll('/parked/?channels=/m,/n&wait=20&last-known-id=latest'));

is_there('/m', '1 2 0 0', 'who reads several channels counts for each');
is_there('/n', '1 0 0 1', '    or for its tree');
is_there('/o', '0 2 0 0', '    of a list that it shares with nobody');
is_there('/n/o', 'none', '    and not where its list has the tree above');
$list->until(1, sub { return $list->sum == 7 });
is($list->sum, 7, '    and nowhere else');
$_->close for @many;
is_there('/m', 'none', '    and for none when it leaves');


# --- over HTTP/2

my $h2 = Msgbus::Http2->new(to => "127.0.0.1:$port");
my @ids = (
    $h2->headers(GET => '/held/two?wait=20&last-known-id=latest',
                 ['user-agent', 'reader/1.0'], 1),
    map { $h2->headers(GET => '/parked/two',
                       ['user-agent', 'reader/1.0', 'accept', $_], 1) }
        'text/event-stream', 'application/x-ndjson');

is_there('/two', '1 2 0 0', 'streams of an HTTP/2 connection');
$h2->frame('RST_STREAM', 0, $ids[1], pack 'N', 8);
is_there('/two', '1 1 0 0', '    of which one is given up');
$h2->{client}->close;
is_there('/two', 'none', '    and all with the connection');


# --- one who does not read is still there

my $slow = stream('/held/slow');

Msgbus::Stream->read_until(5, sub { $slow->{body} =~ /ping/ }, $slow);
$poster->post('/held/slow', '["' . 'x' x 60_000 . '"]') for 1 .. 12;
is_there('/slow', '0 1 0 0', 'a stream whose client does not read is one');
$slow->close;
is_there('/slow', '0 0 0 0', '    as long as there is a client');


# --- who asks once, and is answered, is nobody

$poster->get('/held/once?last-known-id=0');
$poster->head('/held/once?wait=20');
$poster->get('/held/once?wait=0');
is($list->readers('/once'), 'none', 'who does not wait is not there');


# --- nor is who may not wait, however long his request goes on elsewhere

ok(defined $list->until(1, sub { $list->sum == 0 }), 'nobody is there');

my $first = stream('/few/few');

is_there('/few', '0 1 0 0', 'who may wait is there');

my $second = poll('/few/few?wait=20&last-known-id=latest');

is_there('/other', '1 0 0 0', '    who is refused waits elsewhere');
is($list->readers('/few'), '0 1 0 0', '    and not here');
$_->close for $first, $second;
is_there('/other', 'none', '    until it leaves');


# --- the variable

my @there = ((map { stream('/held/v') } 1 .. 3), stream('/held/v?events=all'),
             stream('/held/?events=all'),
             poll('/held/v?wait=20&last-known-id=latest'));

is_there('/v', '1 3 0 1', 'readers of several kinds');

# asked of any worker
for my $n (1 .. 6) {
    my $r = $nginx->client(agent => 'a/1.0')->post('/count/v', '{}');

    if ($n == 1) {
        is($r->header('X-There'), 5, '    are counted by $msgbus_subscribers');
        is_there('/v', '0 3 0 1', '    the wait is over');

    } elsif ($r->header('X-There') != 4) {
        fail('    the same at each worker');
    }
}

is($poster->get('/count/nobody')->header('X-There'), 0, '    nobody is 0');
is($poster->get('/count/?events=all')->header('X-There'), 1,
   '    and of the whole bus those of the whole bus');

$_->close for @there;
ok(defined $list->until(1, sub { $list->sum == 0 }), 'at the end is nobody');

$nginx->quit;
$nginx->no_alerts;

done_testing;
