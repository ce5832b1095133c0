# No wake is lost: who begins to wait while an event is being posted gets it,
# at once.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use List::Util qw(max sum);
use Test::More;
use Time::HiRes qw(usleep);

use Msgbus::Nginx;


Msgbus::Nginx->limit(60);

my $rounds = 15_000;
my $children = 4;
my $late = 0.5 * $Msgbus::Nginx::PATIENCE;

my $nginx = Msgbus::Nginx->new(
    workers  => 4,
    http     => 'msgbus_zone zone=bus:4m first_id=1;',
    location => 'location / { msgbus bus; msgbus_require_uuid off; }',
)->start;

# Each child has a channel of its own, so that no other event wakes its reader.
# In each round it sends a read that waits, and on another connection, which
# another worker may serve, the event: a moment before, at the same time, or a
# moment later.

my @pipes;

for my $n (1 .. $children) {
    pipe my $from, my $to or die "pipe: $!\n";

    my $pid = fork // die "fork: $!\n";

    if ($pid) {
        close $to;
        push @pipes, { pid => $pid, from => $from };
        next;
    }

    close $from;
    srand $n;

    my ($reader, $poster);
    my $cursor = 0;

    for my $k (1 .. $rounds) {

        if ($k % 100 == 1) {
            $reader = $nginx->client(agent => "reader/$n");
            $poster = $nginx->client(agent => "poster/$n");
            $_->connect(Msgbus::Client::now() + 5) for $reader, $poster;
        }

        my $begun = Msgbus::Client::now();

        $reader->send($reader->format(GET => "/c/$n?wait=2"
                                             . "&last-known-id=$cursor"),
                      $begun + 5);

        my $pause = rand 120;
        1 while Msgbus::Client::now() < $begun + $pause / 1e6;

        my $posted = $poster->post("/c/$n", "[$k]");
        my $r = $reader->response('GET', $begun + 5);
        my $took = Msgbus::Client::now() - $begun;

        my $saw = join ' ', $r->status, map { $_->{data} } @{ $r->events };

        print $to sprintf("%.6f %s %s\n", $took,
                          $posted->id // 'none', $saw);

        last if $saw ne "200 [$k]";

        # ids of other channels may have come in between

        $cursor = $r->last_id;
    }

    close $to;
    POSIX::_exit(0);
}

my (@late, @wrong, @done);
my $latest = 0;

for my $p (@pipes) {
    my $k = 0;

    while (my $line = readline $p->{from}) {
        chomp $line;
        my ($took, $id, $saw) = split ' ', $line, 3;

        $k++;
        push @wrong, "event $k, id $id: $saw" if $saw ne "200 [$k]";
        push @late, "event $k after $took s" if $took > $late;
        $latest = max($latest, $took);
    }

    push @done, $k;
    waitpid $p->{pid}, 0;
}

is_deeply(\@wrong, [], 'each wait ends with the event that was posted');
is_deeply(\@late, [], 'and none of them late');
is(sum(@done), $children * $rounds, 'that is all of them');

diag(sprintf '%d waits, the longest %.1f ms', sum(@done), $latest * 1000);

$nginx->quit;
$nginx->no_alerts;

done_testing;
