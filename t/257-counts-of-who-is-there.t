# Of 2,000 readers who come and go, while workers are killed and nginx reloads,
# the list of channels has each, where he is, within a second each time; and
# nobody in the end.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Errno qw( EAGAIN );
use IO::Socket::INET;
use Test::More;
use Time::HiRes qw( sleep );

use Msgbus::Channels;
use Msgbus::Nginx;


my ($most, $kills, $reloads) = (2_000, 20, 4);

Msgbus::Nginx->limit(120);

my $nginx = Msgbus::Nginx->new(
    workers     => 4,
    connections => 4_096,
    main        => 'worker_rlimit_nofile 8192;',
    http        => 'msgbus_zone zone=bus:4m; msgbus_require_uuid off;
                    msgbus_scope exact all many; msgbus_max_wait 1h;',
    location    => 'location /        { msgbus bus; }
                    location /parked/ { msgbus bus; msgbus_park on after=1ms; }
                    location = /channels { msgbus_channels bus; }',
)->start;

my $list = Msgbus::Channels->new(nginx => $nginx);

# a socket => what its reader counts at, and as what
my %readers;
my ($came, $went, $slowest) = (0, 0, 0);


# who waits for a page or reads a stream, of one of 40 channels, of a tree, of
# several

sub come {
    my $n = int rand 40;
    my $stream = int rand 2;
    my $where = ('', '/parked')[int rand 2];

    my ($uri, @counts) = rand() < 0.7 ? ("/c$n?", ["/c$n", $stream])
        : rand() < 0.5 ? ("/t$n?events=all&", ["/t$n", 2 + $stream])
        : ("/?channels=/c$n,/c$n/x,/t$n/*&", ["/c$n", $stream],
           ["/c$n/x", $stream], ["/t$n", 2 + $stream]);

    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                       PeerPort => $nginx->{port})
        or die "connect: $!\n";

    print {$socket} "GET $where${uri}last-known-id=latest",
        $stream ? '' : '&wait=3600', " HTTP/1.1\r\nHost: bus\r\n",
        'User-Agent: reader/1.0', "\r\n",
        $stream ? "Accept: text/event-stream\r\n" : '', "\r\n";
    $socket->flush;
    $socket->blocking(0);

    $readers{$socket} = { socket => $socket, counts => \@counts };
    $came++;
}

sub go {
    my ($reader) = @_;

    close((delete $readers{$reader->{socket}})->{socket});
    $went++;
}


# those whom nginx has left are no readers

sub look {
    for my $reader (values %readers) {
        my $n = sysread $reader->{socket}, my $bytes, 65536;

        go($reader) if defined $n ? $n == 0 : $! != EAGAIN;
    }
}


# what the list is to be, and what it is

sub truth {
    my %truth;

    for my $counts (map { @{ $_->{counts} } } values %readers) {
        my ($channel, $manner) = @$counts;

        $truth{$channel} //= [0, 0, 0, 0];
        $truth{$channel}[$manner]++;
    }

    return join "\n", map { "$_ @{ $truth{$_} }" } sort keys %truth;
}

sub told {
    my $all = $list->all;

    return join "\n", map { join ' ', $_, Msgbus::Channels::numbers($all->{$_}) }
                      sort keys %$all;
}

sub agrees {
    my ($what) = @_;

    my ($truth, $told);

    my $took = $list->until(1, sub {
        look();
        $truth = truth();
        $told = told();

        return $told eq $truth;
    });

    if (!defined $took) {
        my %told = map { $_ => 1 } split /\n/, $told;
        my %truth = map { $_ => 1 } split /\n/, $truth;

        fail("$what, the list agrees");
        diag('told: ', join ', ', grep { !$truth{$_} } sort keys %told);
        diag('true: ', join ', ', grep { !$told{$_} } sort keys %truth);
        return 0;
    }

    $slowest = $took if $took > $slowest;

    return 1;
}


# some go, and others come

sub change {
    my ($n) = @_;

    for my $reader (values %readers) {
        go($reader) if keys %readers > $most - $n && rand() < 0.5;
    }

    come() while keys %readers < $most - int rand $n;
}


# --- who comes and goes

my $fine = 0;

for (1 .. 8) {
    change(400);
    $fine += agrees('readers come and go');
}

is($fine, 8, 'readers come and go, and the list has them');


# --- workers are killed

$fine = 0;

for my $n (1 .. $kills) {
    my @pids = $nginx->worker_pids;

    # sometimes two at once, and sometimes one who has just got readers
    kill KILL => $pids[0] if $n % 5 == 0;
    change(200) if $n % 2;

    $nginx->kill_worker($pids[1 + $n % 3]);
    $fine += agrees("worker $n is killed");

    change(100);
}

is($fine, $kills, 'workers are killed, and their readers vanish');


# --- nginx reloads

$fine = 0;

for my $n (1 .. $reloads) {
    $nginx->reload;
    $fine += agrees("reload $n");

    change(200);
    $fine += agrees("and after reload $n");
}

is($fine, 2 * $reloads, 'nginx reloads, and the list has who is there then');
# --- a worker is killed in whose place no other one comes

my ($old) = $nginx->worker_pids;

sleep 0.2;
$nginx->stop_worker($old);

my $others = $nginx->reload(wait => 0);

$nginx->wait_for_end_of([grep { $_ != $old } @$others], 15);

ok(agrees('a worker stands still'),
   'readers of a worker that stands still are there');
cmp_ok(scalar keys %readers, '>', 0, '    some are');

kill KILL => $old;
$nginx->until(15, 'its readers to be cut off', sub { look(); !%readers });
ok(agrees('it is killed'), '    until it is killed, and nobody has its slot');

change(200);
ok(agrees('others come'), '    and others come');


is($list->{incomplete} ? 1 : 0, 0, 'it was complete');


# --- nobody

go($_) for values %readers;

ok(agrees('all have gone'), 'in the end is nobody');
is(told(), '', '    in no channel');

note(sprintf '%d came, %d went, the list took %.3f s at most', $came, $went,
     $slowest);

$nginx->quit;
$nginx->no_alerts(@Msgbus::Nginx::KILLED);

done_testing;
