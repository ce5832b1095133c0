# A stream whose cursor is older than memory begins with what the store has, and
# goes over into what comes: each event once, in order.  Wherever it is cut off,
# the last id that came leads to the next event.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Nginx;
use Msgbus::Stream;


Msgbus::Nginx->limit(120);

my $nginx = Msgbus::Nginx->new(
    http     => 'msgbus_journal disk { path journal; segment 256k; }
                 msgbus_zone zone=bus:1m store=disk ttl=1d max_events=10;',
    location => 'msgbus_require_uuid off; msgbus_scope exact parent all;
                 msgbus_ping 1h;
                 location / { msgbus bus; }
                 location /off/ { msgbus bus; msgbus_history off; }',
)->start;

my $to = "127.0.0.1:$nginx->{port}";
my $poster = $nginx->client(agent => 'poster/1.0 uuid/p');

$nginx->until(10, 'the journal to be read', sub {
    return $poster->get('/x?echo=true')->status == 204;
});

# events of both channels in turn, in batches; each line is one

my @ids;

for my $batch (0 .. 7) {
    for my $channel ('/a', '/a/b') {
        my $r = $poster->post($channel,
            join('', map { qq({"n":$_,"s":") . 'x' x ($_ * 37 % 500)
                           . qq("}\n) } $batch * 60 .. $batch * 60 + 59),
            'Content-Type' => 'application/x-ndjson');

        push @ids, map { [$_, $channel] } @{ $r->json->{ids} };
    }
}


sub stream {
    my ($uri, $cursor, @options) = @_;

    my $stream = Msgbus::Stream->new(to => $to, uri => $uri,
                                     headers => defined $cursor
                                     ? ['Last-Event-ID', $cursor] : [],
                                     @options);
    $stream->open;

    return $stream;
}


sub events { return grep { !$_->{event} && defined $_->{data} }
                    @{ $_[0]{events} } }

sub got { return map { $_->{id} } events(@_) }

sub wait_for {
    my ($n, $stream) = @_;

    Msgbus::Stream->read_until(10, sub { events($stream) >= $n }, $stream);

    return $stream;
}

sub is_list {
    my ($got, $expected, $title) = @_;

    my $same = "@$got" eq "@$expected";

    return ok($same, $title)
        || diag(scalar @$got, ' ids: ', substr("@$got", 0, 200), "\n",
                scalar @$expected, ': ', substr("@$expected", 0, 200));
}

my @all = map { $_->[0] } @ids;
my @exact = map { $_->[0] } grep { $_->[1] eq '/a' } @ids;

for my $sse (1, 0) {
    my $form = $sse ? 'SSE' : 'NDJSON';

    for my $from (0, $ids[100][0], $ids[-3][0]) {
        my @due = grep { $_ > $from } @exact;
        my @below = grep { $_ > $from } @all;

        my $exact = stream("/a", $from, sse => $sse);
        my $tree = stream('/a?events=all', $from, sse => $sse);
        my $whole = stream('/?events=all', $from, sse => $sse);
        my $up = stream('/a/b?events=parent', $from, sse => $sse);

        wait_for(scalar @due, $exact);
        is_list([got($exact)], \@due, "$form from $from: exact");

        for my $reader ([$tree, 'all'], [$whole, 'the whole bus'],
                        [$up, 'parent']) {
            wait_for(scalar @below, $reader->[0]);
            is_list([got($reader->[0])], \@below, "    $reader->[1]");
        }

        is(scalar(map { $_->gaps } $exact, $tree, $whole, $up), 0,
           '    and no gap');

        # it has gone over into what comes

        my @new = map { $poster->post('/a', qq({"new":$_}))->id } 1 .. 3;

        wait_for(@due + 3, $exact);
        wait_for(@below + 3, $tree);

        is_list([got($exact)], [@due, @new], '    then what comes');
        is_list([got($tree)], [@below, @new], '    to all');

        push @all, @new;
        push @exact, @new;

        $_->close for $exact, $tree, $whole, $up;
    }
}

# the last id of whatever has come is below what has not

my $stream = wait_for(scalar @all, stream('/?events=all', $all[0] - 1));
my ($wrong, $seen) = (0, $all[0] - 1);

for my $event (@{ $stream->{events} }) {
    my $id = $event->{id};

    $wrong++ if defined $event->{data} ? $id <= $seen : $id != $seen;
    $seen = $id;
}

is($wrong, 0, 'no ping and no event names an id beyond what has come');
is($stream->{events}[0]{id}, $all[0] - 1, 'the first ping names the cursor');
$stream->close;

# who is cut off behind each frame comes back with the last id: a frame is what
# the store was asked for at once, and so a chunk

for my $hide (0, 1) {
    my ($cursor, @came) = (0);
    my @due = $hide ? () : @all;

    for my $turn (1 .. 400) {
        my $cut = stream('/?events=all', $cursor,
                         agent => $hide ? 'reader/1.0 uuid/p' : 'reader/1.0',
                         follow => 0);

        Msgbus::Stream->read_until(5, sub {
            return events($cut) || $hide && @{ $cut->{events} };
        }, $cut);

        my @some = @{ $cut->{events} };

        # one event more each time, of those that have come at once

        my $keep = 1 + $turn * 13 % 60;
        my @kept = splice @some, 0, 1 + $keep;

        push @came, map { $_->{id} } grep { defined $_->{data} } @kept;
        $cursor = $kept[-1]{id} if @kept;
        $cut->close;

        last if @came >= @due;
    }

    is_list(\@came, \@due, 'who is cut off anywhere gets each event once'
            . ($hide ? ', but his own' : ''));
}

# one that hides the poster's own has nothing to get, and ends at the newest id

my $own = stream('/?events=all', $all[0], agent => 'reader/1.0 uuid/p');
my $new = $nginx->client(agent => 'other/1.0 uuid/o')->post('/a', '[1]')->id;

wait_for(1, $own);
is_list([got($own)], [$new], 'who hides all of history gets what comes');
is(scalar $own->gaps, 0, '    without a gap');

# where it is off, and without a cursor

is(scalar(wait_for(1, stream('/off/a', 1))->gaps), 1,
   'with msgbus_history off there is a gap');

my $absent = wait_for(4, stream('/a', undef));

cmp_ok(scalar events($absent), '<', 20,
       'a stream without a cursor begins with what is in memory');

# a slow reader of history is not closed: nothing waits for him in memory

my $slow = stream('/?events=all', 0);

sleep 0.5;
wait_for(scalar @all, $slow);
is_list([(got($slow))[0 .. $#all]], \@all, 'a slow reader gets all of it');

$nginx->no_alerts;

done_testing;
