# A crowd of parked readers bears reload after reload: nothing is lost, nothing
# grows, and nginx's own status and ours count who is there.
#
# MSGBUS_CROWD=10000 MSGBUS_RELOADS=10 is a large one, of a minute or two.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Nginx;
use Msgbus::Stream;


my $many = $ENV{MSGBUS_CROWD} // 600;
my $reloads = $ENV{MSGBUS_RELOADS} // 3;

Msgbus::Nginx->limit(30 + $many * $reloads / 100);

plan skip_all => "needs a limit of $many open files"
    if `sh -c 'ulimit -n'` < $many + 200;

my $nginx = Msgbus::Nginx->new(
    main        => 'worker_rlimit_nofile 20000;',
    connections => $many + 1000,
    http        => 'msgbus_zone zone=bus:16m first_id=1;
                    msgbus_require_uuid off;
                    msgbus_park on;
                    msgbus_ping 1h;',
    location    => 'location / { msgbus bus; }
                    location = /stub { stub_status; }',
)->start;

my @crowd = map {
    my $stream = Msgbus::Stream->new(to => "127.0.0.1:$nginx->{port}",
                                     uri => '/c?last-known-id=0',
                                     sse => $_ % 2, follow => 1);
    $stream->open;

    # not all at once into the queue of who is not accepted yet

    Msgbus::Stream->read_until(5, sub { $stream->{head} }, $stream)
        if $_ % 100 == 0;

    $stream;
} 1 .. $many;

sub status {
    my $body = $nginx->client->get('/stub')->body;

    return map { $body =~ /$_: ?(\d+)/ ? $1 : '?' }
           'Active connections', 'Reading', 'Writing', 'Waiting';
}

sub all_are_there {
    my ($n) = @_;

    return Msgbus::Stream->read_until(20 + $many / 100, sub {
        !grep({ $_->{n} < $n || !$_->{head} } @crowd)
        && $nginx->report->body =~ /"waiting_readers":$many\b/
        && $nginx->worker_pids == 1 && $nginx->child_pids == 1;
    }, @crowd);
}

my $poster = sub { $nginx->client(agent => 'poster')->post('/c', "[$_[0]]") };
my $n = 0;
my @memory;

$poster->(++$n);
ok(all_are_there($n), "$many streams are there");

for my $reload (1 .. $reloads) {
    $poster->(++$n);
    $nginx->reload(wait => 0);
    $poster->(++$n);

    ok(all_are_there($n), "and after reload $reload");

    my $status;

    $nginx->until(5, 'them to be parked', sub {
        $status = join ' ', status();
        return $status eq join ' ', $many + 1, 0, 1, 0;
    });
    is($status, join(' ', $many + 1, 0, 1, 0),
       '    as many connections, and no request but that which asks');

    push @memory, $nginx->memory(($nginx->worker_pids)[-1], 'RssAnon');
}

my $all = join ' ', map { "[$_]" } 1 .. $n;

is(scalar(grep { join(' ', $_->posted) ne $all } @crowd), 0,
   'each has each event once, in order');

SKIP: {
    skip 'ASan keeps what was freed', 1 if $ENV{CHECKED_REPORTS};

    diag("memory of the worker, KB: @memory");
    cmp_ok($memory[-1] - $memory[0], '<', 200 + $many / 20,
           '    and no worker is larger than the first');
}

# a killed worker's are not counted, by us; nginx's own status, in its shared
# memory, never forgets a connection whose worker was killed, parked or not

my $opened = 0;

$opened += $_->{opened} for @crowd;
kill KILL => $nginx->worker_pids;
Msgbus::Stream->read_until(20, sub {
    my $sum = 0;

    $sum += $_->{opened} for @crowd;
    return $sum >= $opened + $many;
}, @crowd);
ok(all_are_there($n), 'a killed worker\'s come back, and are counted once');
is((status())[2], 1, '    and hold no request');

# nor are those of one that was to exit, and so has no successor

my ($old) = $nginx->worker_pids;

$nginx->stop_worker($old);
$nginx->reload(wait => 0);
kill KILL => $old;
$_->{follow} = 0 for @crowd;
$_->close for @crowd;
$nginx->wait_for_readers(0);
pass('one that is killed while it exits leaves no count behind');

$nginx->quit;
$nginx->no_alerts(@Msgbus::Nginx::KILLED);

done_testing;
