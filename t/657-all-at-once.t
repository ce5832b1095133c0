# One worker does all that it can at once, with the database standing still in
# between: posts and batches, posters who leave, readers of all kinds, reports
# of its health.  Everyone is answered, and in the end the report agrees with
# the database.  It is what "make tsan" is best at: the worker's event loop and
# its committer's thread are in each other's way all the time.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use POSIX ();
use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Law;
use Msgbus::Mongodb;


my $seconds = 6;

Msgbus::Nginx->limit(90);

my $mongodb = Msgbus::Mongodb->new(own => 1)->start;
my $nginx = $mongodb->node(workers => 1)->start;

$mongodb->wait_until_up($nginx);

my $latest = '/a?latest=true';
my $cursor = '/a?echo=true&max-events=50&last-known-id=1';
my $future = '/a?last-known-id=4000000000000';
my $batch = join "\n", map { qq({"n":$_}) } 1 .. 5;
my @ndjson = ('Content-Type' => 'application/x-ndjson');


# each of them a process: what it does again and again, and what it may get

my %crowd = (
    poster  => [ qr/^(?:201|503)$/, sub { $_[0]->post('/a', '{"n":0}') } ],
    batches => [ qr/^(?:201|503)$/,
                 sub { $_[0]->post('/a/b', $batch, @ndjson) } ],
    leaver  => [ qr/^0$/, \&leave ],
    reader  => [ qr/^20[04]$/, sub { $_[0]->get($cursor) } ],
    latest  => [ qr/^20[04]$/, sub { $_[0]->get($latest) } ],
    future  => [ qr/^20[04]$/, sub { $_[0]->get($future) } ],
    health  => [ qr/^(?:200|503)$/, sub { $nginx->report } ],
);


# a post that nobody waits for any more, committed or not yet

sub leave {
    my ($client) = @_;

    $client->send($client->format(POST => '/b', '{}'));
    sleep rand 0.004;
    $client->reset;

    return;
}


# "ANSWERS STORED, and what was unexpected"

sub begin {
    my ($what) = @_;

    my ($expected, $do) = @{ $crowd{$what} };
    my $pid = open(my $out, '-|') // die "cannot fork: $!\n";

    return $out if $pid;

    my ($n, $stored, $wrong) = (0, 0, '');
    my $client = $nginx->client;
    my $end = Msgbus::Law::now() + $seconds;

    while (Msgbus::Law::now() < $end && $wrong eq '') {
        my $r = $do->($client);
        my $status = $r ? $r->status : 0;

        $wrong = $r->{head} // $r->error if $status !~ $expected;
        $stored += $what eq 'batches' ? 5 : 1 if $status == 201;
        $n++;
    }

    syswrite STDOUT, "$n $stored $wrong";
    POSIX::_exit(0);
}


my %out = map { $_ => begin($_) } sort keys %crowd;

sleep 1;
$mongodb->stall;
sleep 2;
$mongodb->resume;

my $stored = 0;

for my $what (sort keys %out) {
    my $said = do { local $/; readline($out{$what}) };
    my ($n, $count, $wrong) = $said =~ /^(\d+) (\d+) (.*)/s;

    is($wrong, '', "$what: each answer is one of those that it may get");
    cmp_ok($n, '>', 0, 'and there were some');

    $stored += $count;
}

cmp_ok($stored, '>', 0, 'events are acknowledged');

$mongodb->wait_until_up($nginx);

my ($health, $has);

# what arrives after its poster was told that it may be stored is nobody's

ok(eval {
    $mongodb->until(15, 'the report to agree with the database', sub {
        (undef, $health) = $mongodb->health($nginx);
        $has = $mongodb->ask(count => { channel => { '$ne' => '' } });

        return $health->{mongodb}{pending} == 0
            && $health->{mongodb}{committed} + $health->{mongodb}{foreign}
               == $has;
    });

    1;
}, 'nothing is pending, the report has counted each event once')
    or diag("$has in the database, the report: ", explain $health->{mongodb});

cmp_ok($has, '>=', $stored, 'what was acknowledged is in the database');

$nginx->quit;
$nginx->no_alerts;

done_testing;
