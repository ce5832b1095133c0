# Many come back with one cursor and the store is asked once; who asks while a
# worker is reloaded, killed or stopped is answered or loses his connection, and
# nobody waits for a store that stands still.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Fake;


Msgbus::Nginx->limit(120);

my $fake = Msgbus::Fake->new->start;
my $nginx = $fake->node(
    workers => 1, size => '1m', zone => 'ttl=1d max_events=10',
    more => 'poll 50ms; retry tries=2 delay=300ms;',
    location => 'location / { msgbus bus; } msgbus_scope exact parent all;',
)->start;

$fake->wait_until_up($nginx);

my $uuid = 0;

sub reader { return $nginx->client(agent => 'r/1 uuid/' . ++$uuid) }

my $client = reader();
my @ids = map { $client->post('/a', "[$_]")->id } 1 .. 40;

sub got {
    my ($r) = @_;

    return join ' ', map { $_->{data}[0] } @{ $r->json->{events} };
}

sub asks {
    my ($cursor) = @_;

    my $asks = reader();

    $asks->connect;
    $asks->send($asks->format(GET => "/a?last-known-id=$cursor"));

    return $asks;
}

sub looks { return grep { defined $_->{filter}{channel} } $fake->finds }


# --- a crowd

$fake->set(late => 0.3);
looks();

my @crowd = map { asks(0) } 1 .. 200;
my %got = map { got($_->response('GET')) => 1 } @crowd;

is_deeply([keys %got], [join ' ', 1 .. 40],
          'two hundred who come back at once have all that they missed');
cmp_ok(scalar looks(), '<=', 4, 'and the database was asked a few times');


# --- who leaves

my $first = asks(0);

sleep 0.1;

my @left = map { asks($ids[$_]) } 1 .. 20;

sleep 0.1;
$_->reset for @left;
$first->response('GET');
sleep 0.5;

cmp_ok(scalar looks(), '<=', 4, 'nothing is asked for who has left');

$fake->set(late => 0);


# --- a reload, with a store that answers, and with one that does not

for my $away (0, 1) {
    my ($old) = $nginx->worker_pids;

    $fake->set(late => 0.5) if !$away;
    $fake->set(away => $away);

    my $asks = asks(0);

    sleep 0.1;
    $nginx->reload;

    my $r = $asks->response('GET');

    is($r->status, $away ? 503 : 200,
       'a reload leaves who asks his answer, ' . ($away ? '503' : '200'));

    my $began = Msgbus::Client::now();

    $nginx->wait_for_end_of([$old], 20);
    cmp_ok(Msgbus::Client::now() - $began, '<',
           8 * $Msgbus::Nginx::PATIENCE, 'and the old worker ends');

    $fake->set(late => 0);
    $fake->set(away => 0);
    $fake->wait_until_up($nginx);
}


# --- kill -9, with questions on their way

$fake->set(late => 1);

my @asking = map { asks($ids[$_]) } 0 .. 9;

sleep 0.2;
$nginx->kill_worker($nginx->worker_pids);
$fake->set(late => 0);

is(scalar(grep { $_->response('GET')->status } @asking), 0,
   'who asked a worker that is killed loses his connection');

$fake->until(10, 'a new worker', sub {
    my $r = eval { reader()->get('/a?last-known-id=0') };

    return $r && $r->status == 200;
});

is(got(reader()->get('/a?last-known-id=0')), join(' ', 1 .. 40),
   'and the next one answers');


# --- the end

$fake->set(away => 1);
asks(0);
sleep 0.1;

my $began = Msgbus::Client::now();

$nginx->stop;
cmp_ok(Msgbus::Client::now() - $began, '<', 8 * $Msgbus::Nginx::PATIENCE,
       'a worker that is stopped does not wait for the database');

$nginx->no_alerts(qr{exited on signal 9});

done_testing;
