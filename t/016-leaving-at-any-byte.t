# A client may leave at any byte of its request or of the answer: nothing of a
# request that did not end is stored, and the worker and others go on.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Nginx;


Msgbus::Nginx->limit(120);

my $nginx = Msgbus::Nginx->new(
    http     => 'msgbus_zone zone=bus:16m first_id=1;
                 msgbus_jsonp on;',
    location => 'msgbus_max_response 8m;
                 location /         { msgbus bus; }
                 location /spilled/ { msgbus bus; client_body_buffer_size 1k; }',
)->start;

my ($worker) = $nginx->worker_pids;
my $reader = $nginx->client(agent => 'reader/1.0 uuid/r');

$reader->get('/left');

my $sockets = $nginx->open_sockets($worker);
my $event = '{"a":"nothing of this is stored"}';
my $poster = $nginx->client;


# requests, each left after each of its bytes but the last

my %request = (
    'a POST'                  => $poster->format(POST => '/left', $event),
    'a POST in chunks'        => $poster->format(POST => '/left', [unpack '(a9)*', $event]),
    'a POST through a file'   => $poster->format(POST => '/spilled/left', $event),
    'a POST after a 100'      => $poster->format(POST => '/left', $event,
                                                 Expect => '100-continue'),
    'a batch'                 => $poster->format(POST => '/left', "$event\n$event\n",
                                                 'Content-Type' => 'application/x-ndjson'),
    'a POST by GET'           => $poster->format(GET => '/left?method=POST&post-data={}'
                                                        . '&callback=f'),
    'a POST that is refused'  => $poster->format(POST => '/left', '{"a":}'),
    'a POST that waits to be shown'
                              => $poster->format(POST => '/left', $event,
                                                 Prefer => 'return=representation'),
    'a read'                  => $poster->format(GET => '/left?echo=true'),
);

my $leavers = 0;

for my $what (sort keys %request) {
    my $bytes = $request{$what};

    for my $n (0 .. length($bytes) - 1) {
        my $leaver = $nginx->client;

        $leaver->send(substr $bytes, 0, $n);
        $n % 2 ? $leaver->close : $leaver->reset;
        $leavers++;
    }

    is($reader->get('/left')->status, 204, "of $what that was cut nothing is stored");
}

# behind one that was whole; which is then stored, though nobody takes the answer

my $whole = $poster->format(POST => '/whole', '[1]');
my $next = $request{'a POST'};
my $wholes = 0;

for my $n (0 .. length($next) - 1) {
    my $leaver = $nginx->client;

    $leaver->send($whole . substr $next, 0, $n);
    $wholes++;

    if ($n % 2) {
        $leaver->close;

    } else {
        $leaver->response('POST');
        $leaver->reset;
    }
}

$nginx->until(10, 'all whole requests to be stored', sub {
    @{ $reader->get('/whole?max-events=500')->events } == $wholes;
});
pass('what was whole in front of it is');
is($reader->get('/left')->status, 204, 'and nothing of what was cut behind it');


# in the middle of a long answer; what sockets hold is less than that

for (1 .. 8) {
    $poster->post('/long', '["' . 'x' x 900_000 . '"]')->status == 201
        or die "a POST failed\n";
}

for my $uri ('/long?', '/long?callback=f') {
    for my $n (0, 1, 100, 1_000, 100_000, 1_000_000) {
        for my $way (qw( close reset )) {
            my $leaver = $nginx->client(agent => 'leaver/1.0 uuid/l');

            $leaver->send($leaver->format(GET => $uri));

            while (length $leaver->{in} < $n) {
                die "no long answer: $uri\n"
                    if $leaver->more($leaver->now + 10);
            }

            sleep 0.01;
            $leaver->$way;
        }
    }
}

my $r = $reader->get('/long');

is(length $r->body > 7_200_000 ? $r->status : $r->error, 200,
   'a long answer that others have left is whole for the next');


# what is left of them

$nginx->until(10, 'the connections of leavers to be closed',
              sub { $nginx->open_sockets($worker) <= $sockets + 1 });
pass("no connection of $leavers leavers is left");
is($reader->get('/left')->status, 204, 'nothing has been stored late');

is(scalar(() = glob "$nginx->{dir}/client_body/*"), 0, 'nor a temporary file');
is(join(' ', $nginx->worker_pids), $worker, 'the worker is the same');

$nginx->quit;
$nginx->no_alerts;
is(join("\n", $nginx->log(0, 'error|crit')), '', 'nor is there an [error]');

done_testing;
