# A reload, a quit and a killed worker end waits as a client can bear it.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Nginx;


Msgbus::Nginx->limit(60);

my $nginx = Msgbus::Nginx->new(
    workers  => 2,
    http     => 'msgbus_zone zone=bus:1m first_id=1;',
    location => 'location / { msgbus bus; msgbus_require_uuid off; }',
)->start;

# A second, and what nginx itself takes; and what is far from the 30 s that a
# wait lasts which nothing ends.

my $second = 2 * $Msgbus::Nginx::PATIENCE;
my $soon = 5 * $Msgbus::Nginx::PATIENCE;

sub begin {
    my ($uri) = @_;

    my $client = $nginx->client(agent => 'reader/1');

    $client->connect;
    $client->send($client->format(GET => $uri));

    return $client;
}

# so many who do wait: on a busy machine who has sent a request may not yet have
# been read, and be served by whom it is not meant for

sub begin_all {
    my ($n, $uri) = @_;

    $nginx->wait_for_readers(0);

    my @readers = map { begin($uri) } 1 .. $n;

    $nginx->wait_for_readers($n);

    return @readers;
}

# statuses, or why there is none

sub answers {
    return [ map { $_->failure || $_->status }
             map { $_->response('GET', Msgbus::Client::now() + 40) } @_ ];
}

# what 8 readers are answered when this is done, and how long that takes; a
# machine that has stood still for a moment gets another try

sub timed {
    my ($uri, $before, $do) = @_;

    my ($got, $took);

    for (1 .. 3) {
        $before->();

        my @readers = begin_all(8, $uri);
        my $begun = Msgbus::Client::now();

        $do->();
        $got = answers(@readers);
        $took = Msgbus::Client::now() - $begun;

        last if $took < $second || grep { $_ ne 204 } @$got;
    }

    return ($got, $took);
}

# a reload

my ($got, $took) = timed('/c?wait=30', sub { }, sub { $nginx->reload });

is_deeply($got, [ (204) x 8 ], 'a reload answers who waits with 204');
cmp_ok($took, '<', $second, 'within a second');

my @new = begin_all(8, '/c?wait=30');

$nginx->client->post('/c', '[1]');
is_deeply(answers(@new), [ (200) x 8 ],
          'who comes back to the new workers is woken there');

# many reloads: slots and eventfds go from cycle to cycle

$nginx->reload for 1 .. 5;

@new = begin_all(8, '/c?wait=30&last-known-id=latest');
$nginx->client->post('/c', '[2]');
is_deeply(answers(@new), [ (200) x 8 ], 'after many reloads as well');

# killed workers

for (1 .. 5) {
    my @readers = begin_all(8, '/k?wait=30&last-known-id=latest');

    $nginx->kill_worker(($nginx->worker_pids)[0]);

    my $posted = Msgbus::Client::now();
    $nginx->client->post('/k', '[3]');

    my @wrong = grep { !/^(?:200|lost)$/ } @{ answers(@readers) };

    is("@wrong", '', 'a killed worker loses its own readers');
    cmp_ok(Msgbus::Client::now() - $posted, '<', $soon,
           'the others are woken at once');
}

# the end

($got, $took) = timed('/c?wait=30&last-known-id=latest', sub {
    $nginx->start if !$nginx->{pid};
}, sub { $nginx->quit });

is_deeply($got, [ (204) x 8 ], 'a quit answers who waits with 204');
cmp_ok($took, '<', $second, 'and nginx is gone within a second');

$nginx->no_alerts(qr/exited on signal 9/);

done_testing;
