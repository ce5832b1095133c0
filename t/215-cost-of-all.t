# A read of 10,000 channels at once, by events=all, costs what a read of one
# channel costs, by events=exact, that has as many events.
#
# Two buses with the same events.  The two kinds of read take turns, some
# hundred reads each, and what is compared is the worker's CPU time, by the
# median of all turns: so a machine that is busy otherwise does little harm.
# What fails all the same is measured again, twice at most.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Nginx;


my $CHANNELS = 10_000;
my $EVENTS = 20_000;
my $READS = 600;
my $TURNS = 15;
my $LIMIT = 1.3;

plan skip_all => 'needs /proc/PID/schedstat' if !-r '/proc/self/schedstat';

Msgbus::Nginx->limit(240);

my $nginx = Msgbus::Nginx->new(
    workers  => 1,
    http     => 'keepalive_requests 10000000;
                 msgbus_zone zone=tree:64m ttl=1h first_id=1;
                 msgbus_zone zone=flat:64m ttl=1h first_id=1;
                 msgbus_scope exact all;',
    location => 'location /tree/ { msgbus tree; }
                 location /flat/ { msgbus flat; }',
)->start;

my ($worker) = $nginx->worker_pids;
my $client = $nginx->client(timeout => 60 * $Msgbus::Nginx::PATIENCE);

my $data = '{"text":"' . 'x' x 100 . '"}';

for my $first (map { $_ * 500 } 0 .. $EVENTS / 500 - 1) {

    for my $bus (qw( tree flat )) {
        my @answers = $client->pipeline(map {
            my $n = $bus eq 'tree' ? $_ % $CHANNELS : 0;
            [POST => sprintf("/$bus/all/%05d", $n), $data];
        } $first .. $first + 499);

        die "a POST failed\n" if grep { $_->status != 201 } @answers;
    }
}


# µs of CPU that the worker has used

sub cpu {
    my ($ns) = Msgbus::Nginx::slurp("/proc/$worker/schedstat") =~ /^(\d+) /;

    return $ns / 1000;
}


# what a read costs, µs; each has another cursor, the same for both buses

my $reader = $nginx->client(agent => 'reader/1.0 uuid/r',
                            timeout => 60 * $Msgbus::Nginx::PATIENCE);
my %path = (tree => '/tree/all?events=all', flat => '/flat/all/00000?events=exact');

sub turn {
    my ($bus, $max, $first) = @_;

    my @reads = map {
        my $cursor = 1 + ($first + $_) * 7919 % ($EVENTS - $max);
        $cursor = $EVENTS if $max == 0;

        [GET => "$path{$bus}&max-events=" . ($max || 1)
                . "&last-known-id=$cursor"];
    } 1 .. ($max > 1 ? $READS / 3 : $READS);

    my $before = cpu();
    my @answers = $reader->pipeline(@reads);
    my $cost = (cpu() - $before) / @reads;

    for my $r (@answers) {
        my $n = () = $r->body =~ /\{"id":/g;

        die "$n events, status ", $r->status, ' ', $r->error, "\n"
            if $n != $max || $r->status != ($max ? 200 : 204);
    }

    return $cost;
}


sub median { return (sort { $a <=> $b } @_)[@_ / 2] }


sub ratio {
    my ($max) = @_;

    my %cost = (tree => [], flat => []);

    for my $turn (1 .. $TURNS) {
        for my $bus ($turn % 2 ? qw( tree flat ) : qw( flat tree )) {
            push @{ $cost{$bus} }, turn($bus, $max, $turn * $READS);
        }
    }

    my ($tree, $flat) = map { median(@{ $cost{$_} }) } qw( tree flat );
    my $ratio = median(map { $cost{tree}[$_] / $cost{flat}[$_] } 0 .. $TURNS - 1);

    diag(sprintf '%3d events: all %.1f us, exact %.1f us, x %.2f', $max, $tree,
         $flat, $ratio);

    return $ratio;
}


# the events of an answer; 0 is a reader who has read everything

for my $max (1, 100, 0) {
    turn($_, $max, 0) for qw( tree flat );

    my $ratio = ratio($max);

    for (1 .. 2) {
        $ratio = ratio($max) if $ratio > $LIMIT;
    }

    cmp_ok($ratio, '<=', $LIMIT, "all of $CHANNELS channels costs what exact "
                                 . "costs, with $max events in the answer");
}

$nginx->quit;
$nginx->no_alerts;

done_testing;
