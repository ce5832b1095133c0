# Readers who are parked bear what those bear who are held: connections that run
# short, reloads, killed workers, clients that leave or stall at every moment.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw( sleep usleep );

use Msgbus::Nginx;
use Msgbus::Stream;


Msgbus::Nginx->limit(90);

my $nginx = Msgbus::Nginx->new(
    workers  => 1,
    connections => 64,
    http     => 'msgbus_zone zone=bus:8m first_id=1;
                 msgbus_require_uuid off;
                 msgbus_park on after=1ms;
                 msgbus_ping 300ms;
                 send_timeout 2s;',
    location => '
        location / { msgbus bus; }
        location /few/ { msgbus bus; msgbus_max_waiters 20; }
        location = /stub { stub_status; }
        location = /kept { return 204; }
    ',
)->start;

my $to = "127.0.0.1:$nginx->{port}";

sub stream {
    my ($uri, %o) = @_;
    my $stream = Msgbus::Stream->new(to => $to, %o, uri => $uri);

    $stream->open;

    return $stream;
}

sub begun {
    Msgbus::Stream->read_until(10, sub { !grep { $_->{body} !~ /"ping"/ } @_ },
                               @_);
}

sub poll {
    my $client = $nginx->client(agent => 'reader');

    $client->connect;
    $client->send($client->format(GET => $_[0]));

    return $client;
}

# connections run short: those that are kept alive are closed, who waits is not

my @streams = map { stream('/c?last-known-id=latest', sse => $_ % 2) } 1 .. 20;
my @polls = map { poll('/c?last-known-id=latest&wait=20') } 1 .. 10;

begun(@streams);
$nginx->wait_for_readers(30);
sleep 0.05;

for (1 .. 60) {
    my $client = $nginx->client;

    is($client->get('/kept')->status, 204, 'who comes is served') if $_ % 20 == 0;
}

my @kept = map { my $client = $nginx->client; $client->get('/kept'); $client }
           1 .. 40;

$nginx->client(agent => 'p')->post('/c', '[1]');

Msgbus::Stream->read_until(10, sub { !grep { !$_->{n} } @streams }, @streams);
is(scalar(grep { ($_->posted)[0] eq '[1]' } @streams), 20,
   'with 64 connections of a worker streams have what comes');
is(scalar(grep { $_->response('GET')->status == 200 } @polls), 10,
   '    and long-polls');
is(scalar(grep { $_->{ended} } @streams), 0, '    and none was closed');

$_->close for @streams, @polls, @kept;
$nginx->wait_for_readers(0);

# no more than may wait

@streams = map { stream('/few/c?last-known-id=latest') } 1 .. 20;
begun(@streams);
is($nginx->client(agent => 'r', headers => [])->get(
       '/few/c?wait=5&last-known-id=latest')->status, 503,
   'msgbus_max_waiters counts who is parked');
$_->close for @streams;
$nginx->wait_for_readers(0);

# one that vanishes without a word: its kernel takes what is sent, and more not

my $gone = stream('/c?last-known-id=latest');

begun($gone);
$nginx->wait_for_readers(1);

my $large = '["' . 'x' x 60_000 . '"]';
my $poster = $nginx->client(agent => 'p');
my $from = $nginx->log_size;

$nginx->until(20, 'a stream that is not read to be closed', sub {
    $poster->post('/c', $large);
    return $nginx->log($from, 'info', 'msgbus closes a stream|timed out');
});
$nginx->wait_for_readers(0);
pass('one that does not read is closed');
$gone->close;

# a worker dies under them

my ($worker) = $nginx->worker_pids;

@streams = map { stream('/c?last-known-id=latest', follow => 1) } 1 .. 20;
begun(@streams);
$nginx->wait_for_readers(20);
kill KILL => $worker;

Msgbus::Stream->read_until(15, sub { !grep { $_->{opened} < 2 } @streams },
                           @streams);
$nginx->wait_for_readers(20);
pass('a killed worker leaves no count behind');

# reloads: nothing is lost, and nothing grows

my $n = 0;
my @memory;

for my $reload (1 .. 10) {
    $nginx->client(agent => 'p')->post('/c', '[' . ++$n . ']');
    $nginx->reload(wait => 0);
    $nginx->client(agent => 'p')->post('/c', '[' . ++$n . ']');

    # one may have both from a worker that is about to go

    Msgbus::Stream->read_until(15, sub {
        !grep({ $_->{n} < $n || !$_->{head} } @streams)
        && $nginx->report->body =~ /"waiting_readers":20\b/
        && $nginx->worker_pids == $nginx->child_pids;
    }, @streams);

    push @memory, $nginx->memory(($nginx->worker_pids)[-1], 'RssAnon');
}

my $all = join ' ', map { "[$_]" } 1 .. $n;

is(scalar(grep { join(' ', $_->posted) ne $all } @streams), 0,
   'over ten reloads each has each event once, in order');

SKIP: {
    skip 'ASan keeps what was freed', 1 if $ENV{CHECKED_REPORTS};

    cmp_ok($memory[-1] - $memory[1], '<', 300, '    and no worker is larger');
}

$_->{follow} = 0 for @streams;
$_->close for @streams;
$nginx->wait_for_readers(0);

# they leave at every moment of being parked

for my $n (1 .. 60) {
    my $stream = stream('/c?last-known-id=latest');
    my $poll = poll('/c?last-known-id=latest&wait=20');

    usleep(rand 3_000);
    $poster->send($poster->format(POST => '/c', '[0]')) if $n % 3 == 0;
    usleep(rand 500);

    $n % 2 ? $stream->close : $stream->reset;
    $n % 2 ? $poll->reset : $poll->close;

    $poster->response('POST') if $n % 3 == 0;
}

$nginx->wait_for_readers(0);
pass('whoever left is gone');
is($nginx->client->get('/kept')->status, 204, 'others are served');

$nginx->quit;
$nginx->no_alerts(@Msgbus::Nginx::KILLED);

done_testing;
