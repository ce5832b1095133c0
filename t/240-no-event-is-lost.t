# Whoever opens a stream while an event is being posted gets it, at once.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use List::Util qw( max sum );
use Test::More;

use Msgbus::Crowd;
use Msgbus::Nginx;
use Msgbus::Stream;


Msgbus::Nginx->limit(60);

my $rounds = 2500;
my $children = 4;

# one that is missed comes with the next ping, after 15 s; less than 10 thousand
# rounds on a few processors may be held up by each other
my $late = 3 * $Msgbus::Nginx::PATIENCE;

my $nginx = Msgbus::Nginx->new(
    workers  => 4,
    http     => 'msgbus_zone zone=bus:4m first_id=1;',
    location => 'location / { msgbus bus; msgbus_require_uuid off; }',
)->start;

# Each child has a channel of its own: in each round it opens a stream, and
# on another connection, which another worker may serve, posts the event: a
# moment before, at the same time, or a moment later.  Two more events while it
# is there follow each other as closely.

my $crowd = Msgbus::Crowd->new($children, sub {
    my ($n, $tell) = @_;

    my $poster = $nginx->client(agent => "poster/$n");
    my $cursor = 0;

    for my $k (1 .. $rounds) {
        my $stream = Msgbus::Stream->new(
            to => "127.0.0.1:$nginx->{port}", sse => 0,
            uri => "/c/$n?last-known-id=$cursor");

        $stream->open;

        my $begun = Msgbus::Client::now();
        my $pause = rand 150;
        1 while Msgbus::Client::now() < $begun + $pause / 1e6;

        $poster->post("/c/$n", "[$k]");
        $poster->pipeline([ POST => "/c/$n", '[0]' ],
                          [ POST => "/c/$n", '[1]' ]) if $k % 4 == 0;

        my $all = $k % 4 ? 1 : 3;

        Msgbus::Stream->read_until(4, sub { $stream->{n} >= $all }, $stream);

        my $took = Msgbus::Client::now() - $begun;
        my $saw = join ' ', $stream->posted;
        my $right = $saw eq ($all == 1 ? "[$k]" : "[$k] [0] [1]");

        $tell->(sprintf "%.6f %d %s", $took, $right, $saw);

        $stream->reset;
        $cursor = $stream->{cursor};

        last if !$right;
    }
});

my (@late, @wrong);
my $latest = 0;

my @done = $crowd->lines(sub {
    my ($line, $k) = @_;

    my ($took, $right, $saw) = $line =~ /^(\S+) (\d) (.*)/;

    push @wrong, "event $k: $saw" if !$right;
    push @late, "event $k after $took s" if $took > $late;
    $latest = max($latest, $took);
});

is_deeply(\@wrong, [], 'each stream has what was posted');
is_deeply(\@late, [], 'and none of it late');
is(sum(@done), $children * $rounds, 'that is all of them');

diag(sprintf '%d streams, the longest %.1f ms', sum(@done), $latest * 1000);

$nginx->quit;
$nginx->no_alerts;

done_testing;
