# A node that stands still for long enough that a journal makes room for newer
# events meanwhile: its readers are told of a gap, and get what is there.  And
# while one reads a journal at a start, segments leave: it starts all the same.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Nginx;


Msgbus::Nginx->limit(120);

my $folder;

sub node {
    return Msgbus::Nginx->new(
        http     => 'msgbus_journal disk { path ' . ($folder // 'journal')
                    . '; segment 64k; size 256k; }'
                    . ' msgbus_zone zone=bus:16m store=disk ttl=1h;',
        location => 'location / { msgbus bus; msgbus_require_uuid off; }
                     location = /health { msgbus_health bus; }',
    );
}

sub start {
    my ($nginx) = @_;

    $nginx->start;
    $nginx->until(10, 'the journal to be read', sub {
        return $nginx->client->get('/health')->status == 200;
    });

    return $nginx;
}

my $writes = start(node());

$folder = "$writes->{dir}/journal";

my $stands = start(node());
my $n = 0;

sub post {
    my ($times) = @_;

    my $id;

    for (1 .. $times) {
        my $r = $writes->client->post('/a', sprintf '{"n":%d,"s":"%s"}', ++$n,
                                            'x' x 900);

        $id = $r->id if $r->status == 201;
    }

    return $id;
}

sub seen {
    my ($r) = @_;

    return map { $_->{data} =~ /"n":(\d+)/ } @{ $r->events };
}

sub first_segment { return (sort glob "$folder/0*.journal")[0] }

my $first = post(10);

$stands->until(10, 'the other node to see it', sub {
    return $stands->client->get("/a?echo=true")->last_id >= $first;
});

my ($worker) = $stands->worker_pids;
my $was = first_segment();

# not while it has a lock: then the other one would wait for it

for (1 .. 20) {
    $stands->stop_worker($worker);
    last if post(1);
    kill CONT => $worker;
    sleep 0.05;
}

my $last = post(600);

$writes->until(20, 'segments to leave', sub { return first_segment() ne $was });
is(post(1) ? 1 : 0, 1, 'a node writes while the other stands still');

kill CONT => $worker;

my $newest = post(1);

$stands->until(10, 'the other node to come back', sub {
    return $stands->client->get("/a?echo=true")->last_id >= $newest;
});

my @all;
my $cursor = $first;
my $gap = 0;

for ( ;; ) {
    my $r = $stands->client->get("/a?echo=true&last-known-id=$cursor");

    last if !@{ $r->events };
    $gap ||= $r->gap;
    push @all, seen($r);
    $cursor = $r->last_id;
}

cmp_ok($all[0], '>', 11, 'it has missed events, which are gone');
ok($gap, 'and its readers are told of a gap');
is(join(' ', @all), join(' ', $all[0] .. $n), 'from there on all are there');

# one that starts while others make room

my $stop = 0;
my $pid = fork // die "cannot fork: $!\n";

if (!$pid) {
    $SIG{TERM} = sub { POSIX::_exit(0) };
    post(1) for 1 .. 5000;
    POSIX::_exit(0);
}

my $failed = 0;

for (1 .. 4) {
    $stands->quit;
    start($stands);

    my $r = $stands->client->get('/a?echo=true&max-events=1000');

    my @seen = seen($r);

    $failed++ if join(' ', @seen) ne join ' ', $seen[0] .. $seen[-1];
}

kill TERM => $pid;
waitpid $pid, 0;

is($failed, 0, 'one that starts while segments leave has all of the rest');

my @errors = grep { /can not use its store/ } $stands->log(0);

is("@errors", '', 'and finds nothing wrong with that');

$stands->quit;
$writes->quit;

done_testing;
