# No wake is lost: who begins to wait while an event is being posted gets it,
# at once.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use List::Util qw(max sum);
use Test::More;

use Msgbus::Crowd;
use Msgbus::Nginx;


Msgbus::Nginx->limit(240);

# sanitizers look for other things, and take their time

my $rounds = $ENV{CHECKED_REPORTS} ? 3_000 : 15_000;
my $children = 4;

my $nginx = Msgbus::Nginx->new(
    workers  => 4,
    http     => 'msgbus_zone zone=bus:4m first_id=1;
                 keepalive_requests 1000000;
                 keepalive_timeout 600s;',
    location => 'location / { msgbus bus; msgbus_require_uuid off; }
                 location = /pid { return 200 $pid; }',
)->start;

# Each child has a channel of its own, so that no other event wakes its reader.
# In each round it sends a read that waits, and on another connection, which
# another worker may serve, the event: a moment before, at the same time, or a
# moment later.
#
# Who is not answered soon has been forgotten, or the machine is busy.  The
# reader's worker knows: the wake was there before what it is asked now.  When
# it has answered twice, the reader has been answered too, unless the wake was
# lost; then the reader is found by the look that each worker takes once a
# second.

my $soon = 0.1;

# a connection to each worker, by pid

sub connections {
    my %client;

    $nginx->until(30, 'a connection to each worker', sub {
        my $c = $nginx->client;

        $client{ $c->get('/pid')->body } ||= $c;

        return !grep { !$client{$_} } $nginx->worker_pids;
    });

    return \%client;
}

sub is_forgotten {
    my ($reader, $worker) = @_;

    return 0 if length $reader->{in}
             || $reader->wait_for('read', Msgbus::Client::now() + $soon);

    $worker->get('/pid') for 1 .. 2;

    return !$reader->wait_for('read', Msgbus::Client::now() + 0.001);
}

my $crowd = Msgbus::Crowd->new($children, sub {
    my ($n, $tell) = @_;

    my $workers = connections();
    my ($reader, $poster, $its);
    my $cursor = 0;

    for my $k (1 .. $rounds) {

        if ($k % 100 == 1) {
            $reader = $nginx->client(agent => "reader/$n");
            $poster = $nginx->client(agent => "poster/$n");
            $poster->connect;
            $its = $workers->{ $reader->get('/pid')->body };
        }

        my $begun = Msgbus::Client::now();

        $reader->send($reader->format(GET => "/c/$n?wait=30"
                                             . "&last-known-id=$cursor"));

        my $pause = rand 120;
        1 while Msgbus::Client::now() < $begun + $pause / 1e6;

        my $posted = $poster->post("/c/$n", "[$k]");
        my $forgotten = is_forgotten($reader, $its);
        my $r = $reader->response('GET', Msgbus::Client::now() + 40);
        my $took = Msgbus::Client::now() - $begun;

        my $saw = join ' ', $r->status, map { $_->{data} } @{ $r->events };

        $tell->(sprintf "%.6f %d %s %s", $took, $forgotten,
                                         $posted->id // 'none', $saw);

        last if $saw ne "200 [$k]";

        # ids of other channels may have come in between

        $cursor = $r->last_id;
    }
});

my (@forgotten, @wrong);
my $latest = 0;

my @done = $crowd->lines(sub {
    my ($line, $k) = @_;

    my ($took, $forgotten, $id, $saw) = split ' ', $line, 4;

    push @wrong, "event $k, id $id: $saw" if $saw ne "200 [$k]";
    push @forgotten, "event $k, seen after $took s" if $forgotten;
    $latest = max($latest, $took);
});

is_deeply(\@wrong, [], 'each wait ends with the event that was posted');
is_deeply(\@forgotten, [], 'and no reader has been forgotten for a while');
is(sum(@done), $children * $rounds, 'that is all of them');

diag(sprintf '%d waits, the longest %.1f ms', sum(@done), $latest * 1000);

$nginx->quit;
$nginx->no_alerts;

done_testing;
