# Readers do not wait for the database: the p99 of reads with the database
# stopped is at most 1.2 times that without; printed are both.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Law;
use Msgbus::Mongodb;


my ($rounds, $reads) = (8, 600);

Msgbus::Nginx->limit(300);

my $mongodb = Msgbus::Mongodb->new(own => 1)->start;
my $nginx = $mongodb->node(workers => 1)->start;

$mongodb->wait_until_up($nginx);

my $client = $nginx->client;
my $id = $client->post('/a', '{"n":0}')->id;

$client->post('/a', qq({"n":$_})) for 1 .. 20;


sub p99 {
    my ($n) = @_;

    my @us;

    for (1 .. $n) {
        my $t0 = Msgbus::Law::now();
        my $r = $client->get("/a?echo=true&last-known-id=$id");

        push @us, 1e6 * (Msgbus::Law::now() - $t0);
        die "$r->{head}$r->{error}" if $r->status != 200;
    }

    @us = sort { $a <=> $b } @us;

    return $us[0.99 * $#us];
}


sub median { return (sort { $a <=> $b } @_)[@_ / 2] }


# in turns, so that the machine's moods hit both; posts that wait are there too

sub compare {
    my (@with, @without, @waiting);

    for (1 .. $rounds) {
        push @with, p99($reads);

        $mongodb->stall;

        my $post = $nginx->client;

        $post->send($post->format(POST => '/b', '{}'));
        sleep 0.1;
        push @without, p99($reads);
        push @waiting, 1 if !$post->is_closed && !length $post->{in};
        $mongodb->resume;
        $post->response('POST');
        $mongodb->wait_until_up($nginx);
    }

    return (median(@with), median(@without), scalar @waiting);
}


p99($reads);

my $best = 9e9;

# what else runs on the machine can make one of them slower, not faster

for my $try (1 .. 10) {
    my ($on, $off, $waiting) = compare();

    is($waiting, $rounds,
       'posts were waiting for the database while it was read');
    diag sprintf 'p99 of a read: %.0f us, with the database stopped %.0f us '
                 . '(x %.2f)', $on, $off, $off / $on;

    $best = $off / $on if $off / $on < $best;
    last if $best <= 1.2;
}

cmp_ok($best, '<=', 1.2 * $Msgbus::Nginx::PATIENCE,
       'reads are no slower without the database');

$nginx->quit;
$nginx->no_alerts;

done_testing;
