# A real Prometheus reads two nodes by the configuration in contrib/, and alerts
# fire where something is wrong. Its times are seconds; thresholds are those of
# the rules.
#
# What can not be caused in seconds promtool causes, in t/461-alert-rules.t:
# MsgbusNotScraped and MsgbusVersionsDiffer (another Prometheus, another build),
# MsgbusStoreBehind (10 seconds), MsgbusIdConflicts (a race).

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Socket qw( SOL_SOCKET SO_RCVBUF );
use Test::More;

use Msgbus::Fake;
use Msgbus::Prometheus;
use Msgbus::Stream;
use Msgbus::Torn;


plan skip_all => 'prometheus is not there'
    if !grep { -x "$_/prometheus" } split /:/, $ENV{PATH};

Msgbus::Nginx->limit(120);

my $fake = Msgbus::Fake->new->start;
my $stored = $fake->node(
    workers => 2, size => '1m', zone => 'ttl=1d max_events=10',
    more => 'poll 50ms; retry tries=6 delay=500ms;',
    location => 'msgbus_require_uuid off;
                 client_max_body_size 1m;
                 location / { msgbus bus; }
                 location /memory/ { msgbus memory; add_header Worker $pid; }
                 location = /metrics { msgbus_status; }',
);

my $plain = Msgbus::Nginx->new(
    workers => 1, connections => 40,
    http => 'msgbus_zone zone=evicts:128k;
             msgbus_zone zone=rejects:128k full=reject;
             msgbus_zone zone=slow:8m;
             msgbus_journal small { path small; segment 64k; size 1m; }
             msgbus_zone zone=grows:1m store=small;
             msgbus_journal large { path large; segment 64k; size 1000000g; }
             msgbus_zone zone=wide:256k store=large;',
    location => 'msgbus_require_uuid off;
                 client_max_body_size 1m;
                 location /evicts/ { msgbus evicts; msgbus_max_waiters 1; }
                 location /rejects/ { msgbus rejects; }
                 location /grows/ { msgbus grows; }
                 location /slow/ { msgbus slow; msgbus_stream_buffer 64k; }
                 location = /metrics { msgbus_status; }',
);

my $port = Msgbus::Nginx::free_port();

$stored->{http} .= 'msgbus_zone zone=memory:1m;';
$plain->{listen} = ["127.0.0.1:$port sndbuf=16k"];

$stored->start;

my $torn = Msgbus::Torn->new($plain)->start;
my $tears = $torn->works;

$fake->wait_until_up($stored);

$plain->until(15, 'journals', sub {
    my $zones = $plain->client->get('/metrics?format=json')->json->{zones};

    return !grep { $_->{store} && !$_->{store}{up} } values %$zones;
});

my $prometheus = Msgbus::Prometheus->new(
    map { "127.0.0.1:$_->{port}" } $stored, $plain)->start;

my %node = (stored => "127.0.0.1:$stored->{port}",
            plain  => "127.0.0.1:$plain->{port}");

sub comes {
    my ($title, $is_so) = @_;

    ok(eval { $plain->until(15, $title, $is_so); 1 }, $title)
        or diag(join ' ', 'so far:', $prometheus->fired);
}

sub fires {
    my (@names) = @_;

    for my $name (@names) {
        comes("$name fires", sub { grep { $_ eq $name } $prometheus->fired });
    }
}

# what Prometheus has of a metric; undef: nothing yet

sub value {
    my ($expression) = @_;

    my ($sample) = $prometheus->query($expression);

    return $sample ? $sample->{value} : undef;
}


comes('both nodes are read', sub { (value('sum(up)') // 0) == 2 });
comes('    and their zones', sub { (value('count(msgbus_zone_bytes)') // 0) == 7 });

# its disk can not have as much as it may take

is(join(' ', grep { $_ ne 'MsgbusDiskNearlyFull' } $prometheus->fired), '',
   'nothing fires while all is well');
fires('MsgbusDiskNearlyFull');


# --- a zone that drops, one that refuses, clients that do wrong

my $client = $plain->client(agent => 'test/1.0');
my $kilo = '["' . 'x' x 1000 . '"]';

for (1 .. 300) {
    $client->post('/evicts/a', $kilo);
    $client->post('/rejects/a', $kilo);
}

$client->post('/slow/a', 'no JSON');
$client->get('/evicts/a?last-known-id=1');

my @streams = map {
    Msgbus::Stream->new(to => $node{plain}, uri => '/evicts/b')
} 1, 2;

$_->open for @streams;

fires(qw( MsgbusEventsEvictedEarly MsgbusZoneNearlyFull MsgbusPostsFail
          MsgbusPostsInvalid MsgbusGapsTold MsgbusSubscribersRefused ));

is(value('sum(max_over_time(msgbus_refused_total{reason="invalid"}[1h]))'), 1,
   'Prometheus has what a client counts itself');


# --- a journal that has reached its size

$plain->until(15, 'the journal to drop events', sub {
    $client->post('/grows/a', '["' . 'x' x 10_000 . '"]') for 1 .. 20;
    return (value('msgbus_store_dropped_bytes_total{zone="grows"}') // 0) > 0;
});

fires(qw( MsgbusJournalNearlyFull MsgbusJournalDropsEarly ));


# --- a worker that stands still with the lock, and one that dies with it

if ($tears) {
    $torn->stands(0.1);
    $client->post('/slow/a', '[]');
    fires('MsgbusLockHeldLong');

    $torn->dies;
    $client->post('/slow/a', '[]');
    $client->close;
    $plain->until(15, 'a worker', sub { $torn->done && $plain->worker_pids });
    fires('MsgbusRebuilt');
}


# --- clients that do not read, and connections that are nearly all used

my @deaf = map {
    Msgbus::Stream->new(to => "127.0.0.1:$port", uri => '/slow/a')
} 1 .. 28;

for my $stream (@deaf) {
    $stream->open;
    setsockopt $stream->{client}{sock}, SOL_SOCKET, SO_RCVBUF, 4096;
}

$plain->wait_for_readers(28, 'slow');
fires('MsgbusConnectionsNearlyUsed');

my $large = '["' . 'x' x 100_000 . '"]';

$client->post('/slow/a', $large) for 1 .. 40;

fires('MsgbusSlowConsumers');
$_->close for @deaf, @streams;


# --- a worker that stands still while the other one commits

my $posts = $stored->client(agent => 'test/1.0');
my @waiting = map {
    Msgbus::Stream->new(to => $node{stored}, uri => '/memory/b')
} 1 .. 8;

$_->open for @waiting;
$stored->wait_for_readers(8, 'memory');

# a connection to each of them, kept alive
my %to;

$stored->until(15, 'a connection to each worker', sub {
    my $one = $stored->client(agent => 'test/1.0');

    $to{ $one->post('/memory/a', '{}')->header('Worker') } = $one;

    return keys %to == 2;
});

my ($still, $goes) = sort keys %to;

for my $pid ($still, $goes) {
    $stored->stop_worker($pid);
    $to{ $pid eq $still ? $goes : $still }->post('/memory/b', '{}');
    select undef, undef, undef, 1.2;
    kill CONT => $pid;
}

fires('MsgbusDeliverySlow');
$_->close for @waiting;


# --- a store that is slow, and one that is away

$posts->post('/a', '{}') for 1 .. 20;
$fake->set(late => 1.2);
$posts->get('/a?last-known-id=0');
$fake->set(late => 0);
fires('MsgbusHistorySlow');

$fake->set(rate => 2e4);
$posts->post('/a', '["' . 'x' x 20_000 . '"]');
$fake->set(rate => 0);
fires('MsgbusCommitSlow');

$fake->set(away => 1);

my @held = map { $stored->client(agent => 'test/1.0') } 1 .. 9;

for my $one (@held) {
    $one->connect;
    $one->send($one->format(POST => "/a", "{}"));
}

fires(qw( MsgbusPendingGrows MsgbusStoreDown ));
comes('posts that fail for want of the store are told by it', sub {
    value('sum(max_over_time(msgbus_refused_total{reason=~"store_away|timeout"}[1h]))');
});
$fake->set(away => 0);


# --- a node that is restarted, and one that is away

$plain->quit;
$plain->start;
fires('MsgbusRestarted');

$plain->quit;
fires('MsgbusDown');

my %rest = map { $_ => 1 } qw( MsgbusNotScraped MsgbusVersionsDiffer
                               MsgbusStoreBehind MsgbusIdConflicts ),
           $tears ? () : qw( MsgbusLockHeldLong MsgbusRebuilt );
my %fired = map { $_ => 1 } $prometheus->fired;

is(join(' ', grep { !$fired{$_} && !$rest{$_} }
             map { $_->[0] } Msgbus::Prometheus::alerts()), '',
   'all alerts have fired but those that are named above');

$stored->quit;

done_testing;
