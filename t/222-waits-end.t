# A reload, a quit and a killed worker end waits as a client can bear it.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Nginx;


Msgbus::Nginx->limit(60);

my $nginx = Msgbus::Nginx->new(
    workers  => 2,
    http     => 'msgbus_zone zone=bus:1m first_id=1;',
    location => 'location / { msgbus bus; msgbus_require_uuid off; }',
)->start;

my $patience = $Msgbus::Nginx::PATIENCE;

sub begin {
    my ($uri) = @_;

    my $client = $nginx->client(agent => 'reader/1');

    $client->connect(Msgbus::Client::now() + 5);
    $client->send($client->format(GET => $uri), Msgbus::Client::now() + 5);

    return $client;
}

sub answers {
    return [ map { $_->response('GET', Msgbus::Client::now() + 10)->status }
             @_ ];
}

# a reload

my @old = map { begin('/c?wait=20') } 1 .. 8;
sleep 0.3;

my $begun = Msgbus::Client::now();
$nginx->reload;

is_deeply(answers(@old), [ (204) x 8 ], 'a reload answers who waits with 204');
cmp_ok(Msgbus::Client::now() - $begun, '<', 2 * $patience, 'within a second');

my @new = map { begin('/c?wait=20') } 1 .. 8;
sleep 0.3;
$nginx->client->post('/c', '[1]');
is_deeply(answers(@new), [ (200) x 8 ],
          'who comes back to the new workers is woken there');

# many reloads: slots and eventfds go from cycle to cycle

$nginx->reload for 1 .. 5;

@new = map { begin('/c?wait=20&last-known-id=latest') } 1 .. 8;
sleep 0.3;
$nginx->client->post('/c', '[2]');
is_deeply(answers(@new), [ (200) x 8 ], 'after many reloads as well');

# killed workers

for (1 .. 5) {
    my @readers = map { begin('/k?wait=20&last-known-id=latest') } 1 .. 8;
    sleep 0.2;

    $nginx->kill_worker(($nginx->worker_pids)[0]);

    my $posted = Msgbus::Client::now();
    $nginx->client->post('/k', '[3]');

    my $got = answers(@readers);
    my @woken = grep { $_ == 200 } @$got;
    my @lost = grep { $_ == 0 } @$got;

    is(@woken + @lost, 8, 'a killed worker loses its own readers only');
    cmp_ok(Msgbus::Client::now() - $posted, '<', 1 * $patience,
           'the others are woken at once');
}

# the end

my @last = map { begin('/c?wait=20&last-known-id=latest') } 1 .. 8;
sleep 0.3;

$begun = Msgbus::Client::now();
$nginx->quit;

is_deeply(answers(@last), [ (204) x 8 ], 'a quit answers who waits with 204');
cmp_ok(Msgbus::Client::now() - $begun, '<', 2 * $patience,
       'and nginx is gone within a second');

$nginx->no_alerts(qr/exited on signal 9/);

done_testing;
