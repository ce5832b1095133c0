# Times that are known from elsewhere are counted in the right bucket: from an
# event's commit to a subscriber whose worker stands still, of a commit that a
# narrow path slows down, of a page of history that comes late.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw( sleep );

use Msgbus::Fake;
use Msgbus::Status;
use Msgbus::Stream;


Msgbus::Nginx->limit(60);

my $fake = Msgbus::Fake->new->start;
my $nginx = $fake->node(
    workers => 2, size => '1m', zone => 'ttl=1d max_events=10',
    more => 'poll 1m; retry tries=6 delay=500ms;',
    location => 'msgbus_require_uuid off;
                 location / { msgbus bus; }
                 location /memory/ { msgbus memory; add_header Worker $pid; }
                 location = /status { msgbus_status; }',
);

$nginx->{http} .= "\nmsgbus_zone zone=memory:1m;";
$nginx->start;
$fake->wait_until_up($nginx);

my $client = $nginx->client(agent => 'test/1.0');


# One value more, between two that were measured here, in the bucket that has it.

sub one_more {
    my ($title, $then, $now, $least, $most) = @_;

    is($now->{count} - $then->{count}, 1, "$title: one value");

    my $value = $now->{sum} - $then->{sum};

    cmp_ok($value, '>=', $least, '    that is not less than it took');
    cmp_ok($value, '<=', $most, '    and not more');

    my $below = -1;

    for my $i (0 .. $#{ $now->{buckets} }) {
        my ($end, $n) = @{ $now->{buckets}[$i] };

        if ($n > $then->{buckets}[$i][1]) {
            cmp_ok($value, '>', $below, "    in a bucket that begins at $below");
            cmp_ok($value, '<=', $end eq '+Inf' ? 9**9 : $end,
                   "    and ends at $end");
            return;
        }

        $below = $end;
    }

    fail('    in a bucket');
}

sub measured {
    my ($title, $zone, $histogram, $least, $happens) = @_;

    my $status = Msgbus::Status->new(nginx => $nginx, zone => $zone);
    my $then = $histogram->($status->now);
    my $began = Msgbus::Nginx::now();

    my $at_least = $happens->();

    one_more($title, $then, $histogram->($status->now), $least // $at_least,
             Msgbus::Nginx::now() - $began);
}


# --- a worker that stands still while the other one commits

my %to;

$nginx->until(15, 'a connection to each worker', sub {
    my $one = $nginx->client(agent => 'test/1.0');

    $to{ $one->post('/memory/a', '{}')->header('Worker') } = $one;

    return keys %to == 2;
});

# who has the stream is by chance

my $stream = Msgbus::Stream->new(to => $client->{to}, uri => '/memory/b');

$stream->open;
$nginx->wait_for_readers(1, 'memory');
Msgbus::Stream->read_until(15, sub { $stream->{head} }, $stream);

my ($still) = $stream->{head} =~ /^Worker: (\d+)/mi;
my ($goes) = grep { $_ ne $still } keys %to;

for my $seconds (0.3, 1.1) {
    my $n = $stream->{n};

    measured("held for $seconds s", 'memory', sub { $_[0]{delivery_delay} }, undef,
             sub {
        $nginx->stop_worker($still);
        is($to{$goes}->post('/memory/b', '{}')->status, 201, 'the other commits');

        my $committed = Msgbus::Nginx::now();

        sleep $seconds;

        my $held = Msgbus::Nginx::now() - $committed;

        kill CONT => $still;
        Msgbus::Stream->read_until(15, sub { $stream->{n} > $n }, $stream);

        return $held;
    });
}

$stream->close;


# --- a store that takes its time

measured('a commit over a narrow path', 'bus', sub { $_[0]{store}{commit_seconds} },
         0.5, sub {
    $fake->set(rate => 2e4);
    is($client->post('/a', '["' . 'x' x 10_000 . '"]')->status, 201, 'it is stored');
    $fake->set(rate => 0);
});

$client->post('/a', '{}') for 1 .. 20;

measured('a page of history that comes late', 'bus',
         sub { $_[0]{store}{history_seconds} }, 0.4, sub {
    $fake->set(late => 0.4);
    is($client->get('/a?last-known-id=0')->status, 200, 'it comes');
    $fake->set(late => 0);
});

# its events are a number, not a time

my $status = Msgbus::Status->new(nginx => $nginx);
my $then = $status->now->{store}{batch_events};

is($client->post('/a', join("\n", ('[]') x 7),
                 'Content-Type', 'application/x-ndjson')->status, 201, 'a batch');

one_more('a batch of seven', $then, $status->now->{store}{batch_events}, 7, 7);

$nginx->quit;
$nginx->no_alerts;

done_testing;
