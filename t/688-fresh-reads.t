# With msgbus_fresh_reads a read waits for a look at the store that began after
# it came, and shows whatever any node had acknowledged by then: who posts at one
# node reads at another what he wrote.  All who wait share a look, whatever their
# number.  Without the store there is no such answer; other reads go on.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Fake;
use Msgbus::Http2;
use Msgbus::Stream;


Msgbus::Nginx->limit(120);

my $location = 'location /fresh/  { msgbus bus; msgbus_fresh_reads on; }
                location /tests/  { msgbus bus; msgbus_fresh_reads on;
                                    msgbus_test_mode on; }
                location /        { msgbus bus; }
                msgbus_ping 500ms;';

my ($posts, $rounds) = (40, 3);


# Nodes that look by themselves every other second only.

sub nodes {
    my ($make) = @_;

    my @nodes = map { $make->($_)->start } 1 .. 2;

    for my $node (@nodes) {
        $node->until(15, 'the bus to be up', sub {
            return $node->client->get('/health')->status == 200;
        });
    }

    return @nodes;
}


sub writes_are_read {
    my ($what, $here, $there) = @_;

    my ($poster, $reader) = ($here->client, $there->client);
    my ($fresh, $plain, $streams, $waits) = (0, 0, 0, 0);

    for my $n (1 .. $posts) {
        my $id = $poster->post('/a', qq({"n":$n}))->id;
        my $cursor = $id - 1;

        $plain++ if $reader->get("/a?echo=true&last-known-id=$cursor")->last_id
                    < $id;

        my $r = $reader->get("/fresh/a?echo=true&last-known-id=$cursor");

        $fresh++ if $r->status == 200 && $r->events->[0]{id} == $id
                    && $r->last_id == $id && !$r->gap;
    }

    is($fresh, $posts, "$what: what was posted at one node is read at the other");
    cmp_ok($plain, '>', $posts / 2, 'as a plain read does not show it');

    for (1 .. $rounds) {
        my $id = $poster->post('/a', '{}')->id;
        my $cursor = $id - 1;
        my $begin = Msgbus::Client::now();

        # a cursor that the reader's node has not come to yet

        my $r = $reader->get("/fresh/a?echo=true&last-known-id=$id");

        is($r->status . ' ' . $r->last_id, "204 $id", 'its cursor is known');
        ok(!$r->gap, 'and no gap');

        $id = $poster->post('/a', '{}')->id;
        $cursor = $id - 1;
        $r = $reader->get("/fresh/a?echo=true&wait=20&last-known-id=$cursor");
        $waits++ if $r->status == 200 && $r->last_id == $id;

        $id = $poster->post('/a', '{}')->id;
        $r = $reader->head('/fresh/a?echo=true&last-known-id=latest');

        is($r->last_id, $id, 'HEAD and "latest" are as new');
    }

    is($waits, $rounds, 'who would wait for events finds them at once');

    my $id = $poster->post('/a', '{"n":"stream"}')->id;
    my $stream = Msgbus::Stream->new(
        to => "127.0.0.1:$there->{port}", uri => '/fresh/a?echo=true',
        headers => ['Last-Event-ID', $id - 1]);

    $stream->open;
    Msgbus::Stream->read_until(10, sub { $stream->{body} =~ /id: $id/ },
                               $stream);

    like($stream->{body}, qr/\A.*event: msgbus\.ping\ndata: .*?"n":"stream"/s,
         'a stream begins with it');

    $id = $poster->post('/a', '{"n":"tests"}')->id;
    like($reader->get('/tests/all')->body, qr/"id":$id,/, 'GET /all has it');

    return;
}


my $fake = Msgbus::Fake->new->start;
my $port = Msgbus::Nginx::free_port();
my ($here, $there) = nodes(sub {
    my ($n) = @_;

    return $fake->node($n == 2 ? (listen => ["127.0.0.1:$port http2"]) : (),
                       location => $location, size => '8m', workers => 2,
                       more => 'poll off; retry tries=4 delay=250ms;');
});

writes_are_read('MongoDB', $here, $there);


# 200 at the same time

my @clients = map { $there->client } 1 .. 200;
my $id = $here->client->post('/a', '{"n":"many"}')->id;
my $cursor = $id - 1;

$fake->set(away => 1);

for my $client (@clients) {
    $client->connect;
    $client->send($client->format(
        GET => "/fresh/a?echo=true&last-known-id=$cursor"));
}

my $before = $fake->counts->{find} // 0;

$fake->set(away => 0);

my @answers = map { $_->response } @clients;
my $finds = $fake->counts->{find} - $before;

is(scalar(grep { $_->status == 200 && $_->last_id == $id } @answers), 200,
   '200 who ask at the same time get it');
cmp_ok($finds, '<=', 8, "by a few looks for all of them: $finds");


# a look that was on its way when one came is not for him

$fake->set(late => 0.4);

my $news = 0;

for (1 .. 3) {
    my ($early, $late) = ($there->client, $there->client);

    $early->connect;
    $early->send($early->format(
        GET => "/fresh/a?echo=true&last-known-id=$cursor"));
    sleep 0.1;

    my $id = $here->client->post('/a', '{"n":"late"}')->id;
    my $r = $late->get('/fresh/a?echo=true&last-known-id=' . ($id - 1));

    $news++ if $r->status == 200 && $r->last_id == $id;
    $early->response;
}

is($news, 3, 'nobody gets what a look saw that began before he came');
$fake->set(late => 0);


# over HTTP/2, and with a body that is late: it is nobody's, but to be read

my $h2 = Msgbus::Http2->new(to => "127.0.0.1:$port");

$id = $here->client->post('/a', '{"n":"h2"}')->id;

my $r = $h2->answer($h2->request(
    GET => '/fresh/a?echo=true&last-known-id=' . ($id - 1)));

is($r->{status}, 200, 'over HTTP/2');
like($r->{body}, qr/"id":$id,/, 'it is as new');

my $late = $there->client;
my $uri = '/fresh/a?echo=true&last-known-id=';

$id = $here->client->post('/a', '{"n":"body"}')->id;
$late->connect;
$late->send($late->format(GET => $uri . ($id - 1), undef,
                          'Content-Length' => 3));
is($late->response->last_id, $id, 'before a body that is late has come');

$id = $here->client->post('/a', '{"n":"wait"}')->id;
$late->send('abc' . $late->format(GET => "$uri$id&wait=1", undef,
                                  'Content-Length' => 3));
is($late->response->status, 204, 'and with a wait behind it');

$late->send('abc');
is($late->get("/a?last-known-id=$id")->status, 204,
   'the connection is as good as ever');


# the store is away

my $client = $there->client;

$fake->set(away => 1);

my $begin = Msgbus::Client::now();
$r = $client->get('/fresh/a?echo=true&last-known-id=0');
my $took = Msgbus::Client::now() - $begin;

is($r->status, 503, 'without the store a fresh read is refused');
is($r->json->{message}, 'The store does not answer', 'and told why');
is($r->header('Retry-After'), 1, 'and when to ask again');
cmp_ok($took, '>', 0.8, 'it waits as long as a post would');
cmp_ok($took, '<', 3 * $Msgbus::Nginx::PATIENCE, 'and not longer');

cmp_ok($client->get("/a?echo=true&last-known-id=$cursor")->last_id, '>=', $id,
   'other reads need no store');

$r = $client->get('/fresh/a?echo=true', Accept => 'text/event-stream');
is($r->status, 503, 'a stream does not begin, either');

$r = $client->get('/fresh/a?echo=true&wait=20');
is($r->status, 503, 'nor a wait');


# who leaves while he waits, and a reload meanwhile

my @leavers = map { $there->client } 1 .. 10;
my $stays = $there->client;
my $from = $there->log_size;

for my $client (@leavers, $stays) {
    $client->connect;
    $client->send($client->format(
        GET => "/fresh/a?echo=true&last-known-id=$cursor"));
}

sleep 0.2;
$_->close for @leavers;

$there->until(10, 'those who left to be told', sub {
    my @left = $there->log($from, 'info', 'client left while');

    return @left == @leavers;
});

$there->reload(wait => 0);
$fake->set(away => 0);

$r = $stays->response;
is($r->status, 200,
   'who waits over a reload is answered when the store is back');

$fake->wait_until_up($there);
$r = $there->client->get('/fresh/a?echo=true&last-known-id=latest');
is($r->status, 204, 'the new workers look, too');


# likewise over HTTP/2

$fake->set(away => 1);
$from = $there->log_size;
$h2 = Msgbus::Http2->new(to => "127.0.0.1:$port");

my @streams = map { $h2->request(GET => '/fresh/a?echo=true') } 1 .. 5;

sleep 0.2;
$h2->reset($_) for @streams;

$there->until(10, 'those whose streams were reset to be told', sub {
    my @left = $there->log($from, 'info', 'client left while');

    return @left == @streams;
});

$fake->set(away => 0);
$fake->wait_until_up($there);


# many whose patience is over at once, and so is their worker's time

my $alone = $fake->node(location => $location, size => '8m', workers => 1,
                        connections => 1024,
                        more => 'retry tries=4 delay=250ms;')->start;

$fake->wait_until_up($alone);
$fake->set(away => 1);

my ($worker) = $alone->worker_pids;
my @crowd = map { $alone->client(timeout => 20) } 1 .. 300;

$alone->stop_worker($worker);

for my $client (@crowd) {
    $client->connect and die "connect\n";
    $client->send($client->format(GET => '/fresh/a?echo=true'));
}

kill CONT => $worker;
$alone->client->get('/a') for 1 .. 10;
$alone->stop_worker($worker);
sleep 1.5;
kill QUIT => $worker;
kill CONT => $worker;
$alone->wait_for_end_of([$worker], 20);

is(scalar(grep { $_->status == 503 } map { $_->response } @crowd), 300,
   'a worker that ends meanwhile refuses all of them first');

$fake->set(away => 0);
$fake->wait_until_up($alone);
$alone->quit;
$alone->no_alerts;


# a committer that dies

my $killed = 0;

for (1 .. 2) {
    my @pids;

    $there->until(10, 'two workers', sub {
        return (@pids = $there->worker_pids) == 2;
    });

    my $id = $here->client->post('/a', '{"n":"killed"}')->id;

    # who has the role is one of the two

    $there->kill_worker($pids[$_ - 1]);
    $r = $there->client->get('/fresh/a?echo=true&last-known-id=' . ($id - 1));
    $killed++ if $r->status == 200 && $r->last_id == $id;
}

is($killed, 2, 'when a worker is killed, another one looks');

$_->quit for $here, $there;
$_->no_alerts(@Msgbus::Nginx::KILLED) for $here, $there;


# the same on one journal

my $path = Msgbus::Nginx->new->{dir} . '/journal';

($here, $there) = nodes(sub {
    return Msgbus::Nginx->new(
        workers  => 1,
        http     => "msgbus_journal disk { path $path; segment 256k; poll off; }"
                    . ' msgbus_zone zone=bus:8m store=disk ttl=1h;',
        location => $location,
    );
});

writes_are_read('a journal', $here, $there);

$_->quit for $here, $there;
$_->no_alerts for $here, $there;

done_testing;
