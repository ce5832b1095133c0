# A zone is full, and full=evict, the default: the oldest events make room.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Nginx;


Msgbus::Nginx->limit(120);

my $begun = Msgbus::Nginx::now();

my $nginx = Msgbus::Nginx->new(
    workers  => 2,
    http     => 'msgbus_zone zone=bus:1m ttl=600s first_id=1;
                 keepalive_requests 1000000;',
    location => 'location / { msgbus bus; msgbus_require_uuid off; }',
)->start;

my @clients = map { $nginx->client(timeout => 30) } 1 .. 4;
my $client = $clients[0];

# the tail is one KiB, and longer each tenth time, so that records of different
# sizes meet at the ring's end

my $posted = 0;
my $last = 0;

my $post_many = sub {
    my ($channel, $n) = @_;

    my @failed;

    while ($n > 0) {
        for my $c (@clients) {
            my @batch = map {
                [POST => $channel, '{"s":"'
                          . 'x' x (1000 + ($_ % 10 ? 0 : 777)) . '"}']
            } 1 .. 50;

            for my $r ($c->pipeline(@batch)) {
                $r->status == 201
                    ? ($last = $r->id)
                    : push @failed, $r->status . $r->body . $r->error;
            }

            $n -= @batch;
            $posted += @batch;
        }
    }

    return \@failed;
};

# a worker's own: how much of the zone it has touched depends on which clients it
# has had

my $memory = sub {
    return map { $nginx->memory($_, 'RssAnon') } $nginx->worker_pids;
};


my $quiet = $client->post('/quiet', '{"quiet":1}')->id;

is_deeply($post_many->('/busy', 2000), [],
          'a full zone takes more events, twice what it can hold');

my @before = $memory->();

is_deeply($post_many->('/busy', 8000), [], 'and more');

my @after = $memory->();
my @grown = map { $after[$_] - $before[$_] } 0 .. $#after;

SKIP: {
    skip 'a sanitizer keeps what is freed', 2 if $ENV{CHECKED_REPORTS};

    cmp_ok($_, '<', 300, "memory is bounded: a worker's grew by $_ KiB "
                         . 'in 8,000 events') for @grown;
}


# which are left

my (@ids, $r, $gaps);

for (my $cursor = 0; ; $cursor = $r->last_id) {
    $r = $client->get("/busy?echo=true&last-known-id=$cursor&max-events=100");

    last if $r->status == 204 || $r->failure;

    $gaps += $r->gap;
    push @ids, map { $_->{id} } @{ $r->events };
}

is($ids[-1], $last, 'the newest event is there');
cmp_ok(scalar @ids, '>', 200, scalar(@ids) . ' events have a place in 1 MiB');
is($gaps, 0, 'a reader who begins at 0 is not told of a gap');

is(join(' ', @ids), join(' ', $ids[0] .. $ids[-1]),
   'the oldest go first: what is left is in one piece');


# who is told

my $read = sub {
    my ($channel, $cursor) = @_;

    my $r = $client->get("$channel?echo=true&last-known-id=$cursor"
                         . '&max-events=1');

    return join ' ', $r->status, (map { $_->{id} } @{ $r->events }),
                     $r->gap ? 'gap' : ();
};

my $oldest = $ids[0];

is($read->('/busy', $quiet + 1), "200 $oldest gap",
   'a reader who is far behind is told of a gap');
is($read->('/busy', $oldest - 2), "200 $oldest gap",
   'so is one who missed a single event');
is($read->('/busy', $oldest - 1), "200 $oldest",
   'one who has seen all that went is not');
is($read->('/busy', $last), '204', 'one who is up to date is not');

is($read->('/quiet', $quiet), '204',
   'a reader of a quiet channel who lost nothing is not told of a gap');

my $news = $client->post('/quiet', '{"quiet":2}')->id;

is($read->('/quiet', $quiet), "200 $news",
   'nor is it with the next event of that channel');

$post_many->('/busy', 2000);

is($read->('/quiet', $quiet), '204 gap',
   'but it is when that event has gone unseen');
is($read->('/quiet', $news), '204', 'and not when it had been seen');


# HEAD

is($client->head("/busy?echo=true&last-known-id=$oldest")
          ->header('Msgbus-Gap'),
   'true', 'HEAD tells the gap too');


# the log

# the warning of a zone that fills is a line of its own, when its second comes

my @lines = $nginx->log(0, 'warn|error|crit|alert|emerg');
my @warnings = grep { /zone "bus" is \d+% full/ } @lines;

@lines = grep { !/zone "bus" is \d+% full/ } @lines;

my $minutes = 1 + int((Msgbus::Nginx::now() - $begun) / 60);

cmp_ok(scalar @lines, '<=', $minutes,
       "$posted events in a full zone are a line a minute in the error log, "
       . 'at most')
    || diag(join "\n", grep { defined } @lines[0 .. 4]);
cmp_ok(scalar @warnings, '<=', $minutes, '    and the warning before it is, too')
    || diag(join "\n", @warnings);

$nginx->quit;
$nginx->no_alerts;

done_testing;
