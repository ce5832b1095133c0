# The numbers agree with what clients have counted for themselves: exactly over
# reloads, and over 20 killed workers but for what these had in hand.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Select;
use JSON::PP;
use POSIX ();
use Test::More;
use Time::HiRes qw( sleep );

use Msgbus::Client;
use Msgbus::Nginx;
use Msgbus::Status;
use Msgbus::Stream;


my ($kills, $requesters, $streams) = (20, 6, 6);

Msgbus::Nginx->limit(40);

my $nginx = Msgbus::Nginx->new(
    workers  => 3,
    http     => 'msgbus_zone zone=bus:32m max_event_size=500;
                 msgbus_require_uuid off; msgbus_scope exact all;',
    location => 'location / { msgbus bus; }
                 location = /status { msgbus_status; }',
)->start;

my $status = Msgbus::Status->new(nginx => $nginx);
my $to = "127.0.0.1:$nginx->{port}";


# --- one who sends requests, and counts what comes of them

my %n;        # as the status has it
my %lost;     # the most that may have been counted for what got no answer

sub body { return '{"x":"' . 'y' x int(rand 200) . '"}' }

sub published {
    my ($answer, $events, $bytes) = @_;

    my $batch = $events > 1;

    if ($answer->failure) {
        $lost{'published.events'} += $events;
        $lost{'published.bytes'} += $bytes;
        $lost{'published.batches'} += $batch;
        $lost{'published.replayed'}++;

    } elsif ($answer->header('Idempotency-Replayed')) {
        $n{'published.replayed'} += $events;

    } else {
        $answer->status == 201 or die 'not stored: ', $answer->body, "\n";
        $n{'published.events'} += $events;
        $n{'published.bytes'} += $bytes;
        $n{'published.batches'} += $batch;
    }
}

sub refused {
    my ($answer, $counter, $code) = @_;

    if ($answer->failure) {
        $lost{$counter}++;

    } else {
        $answer->status == $code or die 'not refused: ', $answer->status, "\n";
        $n{$counter}++;
    }
}

sub read_by {
    my ($answer, $kind) = @_;

    if ($answer->failure) {
        $lost{"reads.$_"}++
            for qw( page empty not_modified long_poll refused );
        $lost{'delivered.events'} += 20;
        $lost{'delivered.bytes'} += 20 * 500;
        $lost{$_}++ for 'readers_total.accepted', 'gaps';
        return;
    }

    $n{gaps}++ if $answer->gap;

    $n{'readers_total.accepted'}++ if $kind eq 'long_poll';

    if ($answer->status == 204) {
        $n{'reads.empty'}++;

    } elsif ($answer->status == 304) {
        $n{'reads.not_modified'}++;

    } elsif ($answer->status == 200) {
        my ($events) = $answer->body =~ /"events":\[(.*)\]\}\z/s;

        $n{"reads.$kind"}++;
        $n{'delivered.events'} += @{ $answer->json->{events} };
        $n{'delivered.bytes'} += length $events;

    } else {
        die 'not read: ', $answer->status, "\n";
    }
}

my ($etag, $cursor);

my @does = (
    (sub {
        my $body = body();
        published($_[0]->post("/c/" . int rand 5, $body), 1, length $body);
    }) x 6,

    (sub {
        my @lines = map { body() } 0 .. 1 + rand 4;
        my $size = 0;

        $size += length for @lines;
        published($_[0]->post('/c/0', join("\n", @lines),
                              'Content-Type', 'application/x-ndjson'),
                  scalar @lines, $size);
    }) x 2,

    sub {
        published($_[0]->post('/k', '[12345]', 'Idempotency-Key',
                              '"' . int(rand 50) . '"'), 1, 7);
    },

    sub { refused($_[0]->post('/c/0', '{"x":'), 'refused.invalid', 400) },
    sub { refused($_[0]->post('/c/0', '["' . 'x' x 500 . '"]'),
                  'refused.too_large', 413) },
    sub { refused($_[0]->get('/c/0?max-events=x'), 'reads.refused', 400) },

    (sub {
        my $page = $_[0]->get('/c/1?max-events=20&last-known-id='
                              . ($cursor // 0));

        read_by($page, 'page');
        ($etag, $cursor) = ($page->header('ETag'), $cursor) if !$page->failure;
        $cursor = rand() < 0.3 ? undef : $page->last_id if !$page->failure;
    }) x 5,

    (sub {
        my $page = $_[0]->get('/k?max-events=20&last-known-id=1',
                              defined $etag ? ('If-None-Match', $etag) : ());

        $etag = $page->header('ETag') if !$page->failure && $page->status == 200;
        read_by($page, 'page');
    }) x 2,

    sub { read_by($_[0]->get('/c/2?last-known-id=latest&wait=1&max-events=20'),
                  'long_poll') },
);

sub requester {
    my ($end) = @_;

    my $client = Msgbus::Client->new(to => $to, agent => 'load/1.0');
    my $select = IO::Select->new($end);

    until ($select->can_read(0.002)) {
        $does[rand @does]->($client);

        # a worker that ends closes a connection that is kept alive while the
        # next request may be under way on it

        $client->close;
    }

    return { n => \%n, lost => \%lost };
}


# --- a few who subscribe, until they have all there is

sub subscribers {
    my ($end) = @_;

    my $select = IO::Select->new($end);
    my $last;

    my @streams = map {
        Msgbus::Stream->new(to => $to, uri => '/c?events=all', follow => 1,
                            sse => $_ % 2, cursor => 0)
    } 1 .. $streams;

    # the end has the newest id in it

    Msgbus::Stream->read_until(60, sub {
        if (!defined $last && $select->can_read(0)) {
            $last = <$end>;
        }

        return defined $last
            && !grep { ($_->{cursor} // 0) < $last } @streams;
    }, @streams);

    for my $stream (@streams) {
        my $kind = $stream->{sse} ? 'sse' : 'ndjson';

        $n{"reads.$kind"} += $stream->{opened};
        $n{'readers_total.accepted'} += $stream->{opened};

        for my $event (@{ $stream->{events} }) {
            next if !defined $event->{data};

            if ($event->{event}) {
                $n{gaps}++;
                next;
            }

            $n{'delivered.events'}++;
            $n{'delivered.bytes'} += length($event->{block}) + $stream->{sse};
        }
    }

    return { n => \%n, lost => \%lost };
}


# --- a child for each, who is told when to end, and says what it has counted

sub child {
    my ($does) = @_;

    pipe my $end, my $tells or die "pipe: $!\n";
    pipe my $hears, my $says or die "pipe: $!\n";

    my $pid = fork // die "fork: $!\n";

    if ($pid == 0) {
        close $_ for $tells, $hears;
        (%n, %lost) = ();
        srand;

        my $counted = eval { $does->($end) } // { died => $@ };

        print {$says} encode_json($counted);
        close $says;
        POSIX::_exit(0);
    }

    close $_ for $end, $says;

    return { pid => $pid, tells => $tells, hears => $hears };
}

sub ends {
    my ($child, $with) = @_;

    print { $child->{tells} } $with;
    close $child->{tells};

    local $/;
    my $counted = decode_json(readline $child->{hears});

    waitpid $child->{pid}, 0;
    die $counted->{died} if $counted->{died};

    return $counted;
}

sub load {
    my ($meanwhile) = @_;

    my $before = $status->counters;

    my $subscribers = child(\&subscribers);
    my @requesters = map { child(\&requester) } 1 .. $requesters;

    $meanwhile->();

    my @counted = map { ends($_, "end\n") } @requesters;

    # all is stored now

    my $page = $nginx->client(agent => 'x')
                     ->get('/c?events=all&sort=-1&max-events=1');

    (%n, %lost) = ();
    read_by($page, 'page');

    push @counted, { n => { %n }, lost => {} };
    push @counted, ends($subscribers, $page->json->{events}[0]{id} . "\n");

    $nginx->until(5, 'subscribers have left', sub {
        my $readers = $status->now->{readers};
        return !grep { $_ } values %$readers;
    });

    my $after = $status->counters;
    my (%n, %lost);

    for my $counted (@counted) {
        $n{$_} += $counted->{n}{$_} for keys %{ $counted->{n} };
        $lost{$_} += $counted->{lost}{$_} for keys %{ $counted->{lost} };
    }

    return (\%n, \%lost,
            { map { $_ => $after->{$_} - $before->{$_} } keys %$after });
}


# --- over reloads

my ($n, $lost, $told) = load(sub {
    for (1 .. 3) {
        sleep 0.3;
        $nginx->reload;
    }
});

is_deeply($lost, {}, 'over reloads each request is answered');

# whom a reload has sent away does not know why it was

cmp_ok(delete $told->{'readers_total.reload'}, '>=', 1,
       'some subscribers come back because of that');

is_deeply($told, { (map { $_ => 0 } keys %$told), %$n },
          'and all numbers are those of the clients');

cmp_ok($n->{$_} // 0, '>', 0, "there is some $_")
    for qw( published.events published.bytes published.batches
            published.replayed refused.invalid refused.too_large reads.page
            reads.empty reads.not_modified reads.long_poll reads.sse
            reads.ndjson reads.refused delivered.events );

# --- over the deaths of workers

my $killed = 0;

($n, $lost, $told) = load(sub {
    for (1 .. $kills) {
        my @pids = $nginx->worker_pids;

        sleep 0.02 + rand 0.05;
        $nginx->kill_worker($pids[rand @pids]);
        $killed++;
    }
});

is($killed, $kills, "$kills workers were killed");
cmp_ok(scalar keys %$lost, '>', 0, 'some of them had requests in hand');

# what a killed worker had in hand: a frame for a stream, or the beginning of one

my %hand = ('delivered.events' => 64, 'delivered.bytes' => 64 * 300,
            map { $_ => 1 } qw( reads.sse reads.ndjson gaps
                                readers_total.accepted ));

for my $counter (sort grep { $_ ne 'readers_total.reload' } keys %$told) {
    my $n = $n->{$counter} // 0;
    my $hand = $kills * ($hand{$counter} // 0);
    my $lost = $lost->{$counter} // 0;

    ok($n - $hand <= $told->{$counter}
       && $told->{$counter} <= $n + $hand + $lost,
       "$counter: $told->{$counter}, clients have $n, and $lost no answer");
}

$nginx->quit;
$nginx->no_alerts(@Msgbus::Nginx::KILLED);

done_testing;
