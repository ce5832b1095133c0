# No wake is lost: who begins to wait while an event is being posted gets it,
# at once.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Handle;
use List::Util qw(max);
use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Nginx;


Msgbus::Nginx->limit(60);

my $posts = 5000;
my $readers = 8;

my $nginx = Msgbus::Nginx->new(
    workers  => 4,
    http     => 'msgbus_zone zone=bus:4m first_id=1;',
    location => 'location / { msgbus bus; msgbus_require_uuid off; }',
)->start;

my @pipes;

for my $n (1 .. $readers) {
    pipe my $from, my $to or die "pipe: $!\n";

    my $pid = fork // die "fork: $!\n";

    if ($pid) {
        close $to;
        push @pipes, { pid => $pid, from => $from };
        next;
    }

    close $from;
    $to->autoflush(1);

    # a reader: waits, and waits again, until it has seen the last event;
    # writes down each event and how old it was when it came

    my $client = $nginx->client(agent => "reader/$n", timeout => 10);
    my $cursor = 0;
    my $seen = 0;

    while ($seen < $posts) {
        my $r = $client->get("/c?wait=5&last-known-id=$cursor");
        my $now = Msgbus::Client::now();

        last if $r->status != 200 && $r->status != 204;

        for my $e (@{ $r->events }) {
            my ($k, $posted) = $e->{data} =~ /\[(\d+),([\d.]+)\]/;

            printf $to "%d %.6f\n", $k, $now - $posted;
            $seen = $k;
        }

        $cursor = $r->last_id;
    }

    close $to;
    POSIX::_exit(0);
}

# The next event is posted when all have told of the last, so that it meets
# readers who are about to wait again; a reader who misses it would sleep until
# the bus looks by itself, once a second.

my $poster = $nginx->client;
my $late = 0.3 * $Msgbus::Nginx::PATIENCE;
my $latest = 0;
my $created = 0;
my (@late, @wrong);

POST:
for my $k (1 .. $posts) {
    my $r = $poster->post('/c', sprintf '[%d,%.6f]', $k,
                                Msgbus::Client::now());

    $created++ if $r->status == 201;

    for my $p (@pipes) {
        my $line = readline $p->{from};

        if (!defined $line) {
            push @wrong, "a reader ended before event $k";
            last POST;
        }

        my ($n, $age) = split ' ', $line;

        push @wrong, "$n in the place of $k" if $n != $k;
        push @late, "$n after $age s" if $age > $late;
        $latest = max($latest, $age);

        last POST if @late > 5;
    }

    sleep rand 0.0003;
}

is_deeply(\@late, [], 'no reader learns of an event late');
is_deeply(\@wrong, [], 'each sees each event once, in order');
is($created, $posts, 'all events were posted');

diag(sprintf '%d readers, %d events, the latest after %.1f ms',
             $readers, $created, $latest * 1000);

kill KILL => map { $_->{pid} } @pipes;
waitpid $_->{pid}, 0 for @pipes;

$nginx->quit;
$nginx->no_alerts;

done_testing;
