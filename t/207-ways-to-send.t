# An event is the same event whatever way its bytes came.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Nginx;


Msgbus::Nginx->limit(120);

my $ipv6 = eval { Msgbus::Nginx::free_port('::1') };

my $nginx = Msgbus::Nginx->new(
    workers  => 1,
    http     => 'msgbus_zone zone=bus:16m first_id=1;
                 msgbus_zone zone=other:1m first_id=1;',
    location => 'msgbus_require_uuid off;
                 location / { msgbus bus; }
                 location /spilled/ {
                     client_body_buffer_size 1k;
                     msgbus bus;
                 }
                 location /in-file/ {
                     client_body_in_file_only clean;
                     msgbus bus;
                 }
                 location /single/ {
                     client_body_in_single_buffer on;
                     msgbus bus;
                 }
                 location /impatient/ {
                     client_body_timeout 1s;
                     msgbus other;
                 }',
);

push @{ $nginx->{listen} }, "unix:$nginx->{dir}/socket";
push @{ $nginx->{listen} }, "[::1]:$ipv6" if $ipv6;

$nginx->start;

my $client = $nginx->client;

# the bytes of the newest event in a channel

my $newest = sub {
    my ($channel) = @_;

    my $r = $client->get("$channel?echo=true&sort=-1&max-events=1");

    return $r->status == 200 ? $r->events->[0]{data} : $r->status . $r->error;
};

my $small = '{"a": [1, 2.50, "\u00e9"] }';
my $large = '{"s":"' . join('', map { chr(65 + $_ % 26) } 1 .. 300_000)
            . '"}';
my $n = 0;

my $is_stored = sub {
    my ($title, $r, $channel, $data) = @_;

    ok($r->status == 201 && ($r->id // '') eq ++$n
       && $newest->($channel) eq $data, $title)
        || diag($r->head, $r->body, $r->error,
                substr($newest->($channel), 0, 200));

    $n = $r->id if $r->id;
};


# bodies

$is_stored->('a small body', $client->post('/a', $small), '/a', $small);
$is_stored->('a large body', $client->post('/a', $large), '/a', $large);

$is_stored->('a body in chunks',
             $client->post('/a', [unpack '(a7)*', $small]), '/a', $small);
$is_stored->('a large body in chunks',
             $client->post('/a', [unpack '(a9973)*', $large]), '/a', $large);

for my $way (qw(spilled in-file single)) {
    for my $body ($small, $large) {
        my $length = length $body;

        $is_stored->("$way, $length bytes",
                     $client->post("/$way/a", $body), "/$way/a", $body);
        $is_stored->("$way, $length bytes in chunks",
                     $client->post("/$way/a", [unpack '(a1000)*', $body]),
                     "/$way/a", $body);
    }
}

$client->trickle($client->format(POST => '/slow', $small));
$is_stored->('one byte a packet', $client->response('POST'),
             '/slow', $small);

$client->trickle($client->format(POST => '/slow', [split //, $small]));
$is_stored->('one byte a packet, and a chunk each',
             $client->response('POST'), '/slow', $small);

my $length = length $small;

$client->send("POST /expect HTTP/1.1\r\nHost: bus\r\n"
              . "Content-Length: $length\r\nExpect: 100-continue\r\n\r\n");

ok($client->wait_for('read', $client->now + $client->{timeout}),
   'Expect: 100-continue is answered before there is a body');

$client->send($small);

my $r = $client->response('POST');

is("@{ $r->{interim} }", 100, 'with 100');
$is_stored->('and then the body is taken', $r, '/expect', $small);


# connections

my @answers = $client->pipeline(
    map { [POST => '/pipe', "[$_]"],
          [GET => '/pipe?echo=true&sort=-1&max-events=1'] } 1 .. 100);

is(scalar @answers, 200, '100 POSTs and 100 GETs in one go are all answered');

my @wrong = grep {
    my ($post, $get) = @answers[2 * $_ - 2, 2 * $_ - 1];

    $post->id != $n + $_ || $get->events->[0]{data} ne "[$_]"
} 1 .. 100;

is("@wrong", '', 'in order, and each GET sees the POST before it');

$n += 100;

my @bodies = ($small, $large, [unpack '(a500)*', $large]);

@answers = $client->pipeline(
    map { ([POST => "/pipe", $_], [POST => '/spilled/pipe', $_]) } @bodies);

is(join(' ', map { $_->status } @answers), join(' ', (201) x 6),
   'large bodies and chunks in one go with what comes next');

$n += 6;

for my $close ('', 'Connection: keep-alive') {
    my $old = $nginx->client;
    my $headers = join "\r\n", $close || (), "Content-Length: $length";

    $old->send("POST /old HTTP/1.0\r\n$headers\r\n\r\n$small");
    $is_stored->("HTTP/1.0 $close", $old->response('POST'), '/old', $small);

    is(!!$old->{sock}, !!$close, $close ? 'stays open' : 'is closed');

    $old->send("GET /old?echo=true HTTP/1.0\r\n\r\n");
    $r = $old->response('GET');

    is(scalar @{ $r->events }, $close ? 2 : 1, 'and reads');
    is($r->header('Transfer-Encoding'), undef, 'without chunks');
}

for my $to ("unix:$nginx->{dir}/socket", $ipv6 ? "[::1]:$ipv6" : ()) {
    my $other = Msgbus::Client->new(to => $to);

    $is_stored->($to =~ /unix/ ? 'over a unix socket' : 'over IPv6',
                 $other->post('/socket', $small), '/socket', $small);
    is($other->get("/socket?echo=true&last-known-id=" . ($n - 1))->last_id,
       $n, 'and read');
}


# those who leave

my ($worker) = $nginx->worker_pids;
my $sockets = $nginx->open_sockets($worker);
my $whole = $client->format(POST => '/left', $large);
my $chunks = $client->format(POST => '/left', [unpack '(a500)*', $large]);

for my $bytes ($whole, $chunks) {
    for my $part (30, 200, 1000, 20_000, 200_000, length($bytes) - 1) {
        for my $way (qw(close reset)) {
            my $leaver = $nginx->client;

            $leaver->send(substr $bytes, 0, $part);
            sleep 0.01;
            $leaver->$way;
        }
    }
}

$nginx->until(5, 'the connections of 24 leavers to be closed',
              sub { $nginx->open_sockets($worker) <= $sockets });
pass('the connection of a client that leaves within its request is closed');

is($newest->('/left'), 204, 'and nothing of it is stored');
is($client->post('/a', $small)->id, ++$n, 'nor does it take an id');

my $silent = $nginx->client;
my $other = substr $silent->format(POST => '/impatient/a', $small), 0, -1;

$silent->send($other);

ok($silent->is_closed(30), 'a body that does not come in time is given up');
is($newest->('/impatient/a'), 204, 'and is not stored');

for my $way (qw(close reset)) {
    my $hasty = $nginx->client;

    $hasty->send($hasty->format(POST => "/hasty/$way", $small));
    sleep 0.1;
    $hasty->$way;

    $nginx->until(5, 'what a hasty client has posted',
                  sub { $newest->("/hasty/$way") ne '204' });

    is($newest->("/hasty/$way"), $small,
       'an event whose poster did not wait for the answer is stored');

    $r = $client->get("/hasty/$way?echo=true");
    is(scalar @{ $r->events }, 1, 'once');
}

is(scalar(() = glob "$nginx->{dir}/client_body/*"), 0,
   'no temporary file is left behind');


$nginx->quit;
$nginx->no_alerts;

is(scalar $nginx->log(0, 'error|crit'), 0, 'nor is there an [error]')
    || diag($nginx->log(0, 'error|crit'));

done_testing;
