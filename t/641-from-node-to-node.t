# An event that is posted on one node is read on the other within two polls, and
# what the database needs for an answer, also by a reader who waits there;
# printed are p50 and p99.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Law;
use Msgbus::Mongodb;


my ($poll, $events) = (50, 150);

Msgbus::Nginx->limit(300);

my $mongodb = Msgbus::Mongodb->new->start;
my @nginx = map { $mongodb->node(more => "poll ${poll}ms;")->start } 1, 2;

$mongodb->wait_until_up(@nginx);

my ($here, $there) = map { $_->client } @nginx;


sub percentile {
    my ($p, @values) = @_;

    @values = sort { $a <=> $b } @values;

    return $values[int($p / 100 * $#values + 0.5)];
}


# ms from the answer to the POST on the one to the event on the other, and those
# of a plain driver's questions in between

sub latencies {
    my ($how) = @_;

    my (@ms, @asked);

    for my $n (1 .. $events) {
        my $r = $here->post('/there', qq({"n":$n}));

        die "$r->{head}$r->{body}$r->{error}" if $r->status != 201;

        my $stored = Msgbus::Law::now();
        my $id = $r->id;
        my $query = '/there?echo=true&last-known-id=' . ($id - 1)
                    . ($how eq 'by waiting' ? '&wait=5' : '');

        for ( ;; ) {
            my $seen = $there->get($query);

            die "$seen->{head}$seen->{error}" if $seen->status !~ /^20[04]$/;

            if (@{ $seen->events }) {
                die 'another event' if $seen->events->[0]{id} != $id;
                last;
            }

            die "event $id does not come\n"
                if Msgbus::Law::now() - $stored > 10;

            sleep 0.002;
        }

        push @ms, 1000 * (Msgbus::Law::now() - $stored);

        my $asked = Msgbus::Law::now();

        $mongodb->ask(find => { query => { _id => $id } });
        push @asked, 1000 * (Msgbus::Law::now() - $asked);

        # at any moment between two polls
        sleep rand($poll) / 1000;
    }

    return (\@ms, \@asked);
}


# what else runs on the machine makes it slower, and nothing makes it faster

for my $how ('by asking again', 'by waiting') {
    my ($p50, $p99, $driver);

    for my $try (1 .. 8) {
        my ($ms, $asked) = latencies($how);

        ($p50, $p99) = map { percentile($_, @$ms) } 50, 99;
        $driver = percentile(99, @$asked);

        diag sprintf 'read on the other node %s: p50 %.1f ms, p99 %.1f ms, '
                     . 'poll %d ms; a find of a driver: p99 %.1f ms',
                     $how, $p50, $p99, $poll, $driver;
        last if $p99 <= 2 * $poll + $driver;
    }

    cmp_ok($p99, '<=', 2 * $poll * $Msgbus::Nginx::PATIENCE + $driver,
           "$how: 99 of 100 within two polls");
    cmp_ok($p50, '>', 0.5, 'which takes a poll, so they are two nodes');
}

for my $nginx (@nginx) {
    $nginx->quit;
    $nginx->no_alerts;
}

done_testing;
