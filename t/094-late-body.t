# A request that is held need not wait for its body, and does not end by it: the
# reader gets all, and the next request its answer.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Nginx;


Msgbus::Nginx->limit(60);

# nginx waits for lingering_timeout when it has answered, and no longer

my $nginx = Msgbus::Nginx->new(
    http     => 'msgbus_zone zone=bus:1m first_id=1;
                 msgbus_require_uuid off;
                 lingering_timeout 100ms;
                 lingering_time 1s;',
    location => 'location / { msgbus bus; }
                 location = /patient {
                     msgbus_channel /c;
                     msgbus bus;
                     lingering_timeout 20s;
                     lingering_time 20s;
                 }
                 location = /health { msgbus_health bus; }
                 location = /step { return 200 step; }',
)->start;

my $poster = $nginx->client(agent => 'poster/1.0');
my $chunks = '5' . "\r\n" . '{"n":' . "\r\n" . '2' . "\r\n" . '1}' . "\r\n";
my $n = 0;

my %body = (
    'a length'        => ['Content-Length: 7', '{"n"', ':1}'],
    'a length, none of it' => ['Content-Length: 7', '', '{"n":1}'],
    'a long one'      => ['Content-Length: 70000', 'x' x 100, 'x' x 69900],
    'chunks'          => ['Transfer-Encoding: chunked', substr($chunks, 0, 9),
                          substr($chunks, 9) . "0\r\n\r\n"],
    'chunks, none of them' => ['Transfer-Encoding: chunked', '',
                               "${chunks}0\r\n\r\n"],
);

for my $what (sort keys %body) {
    my ($said, $early, $late) = @{ $body{$what} };

    for my $way ('while it waits', 'with the next', 'much later') {
        my $reader = $nginx->client(agent => 'reader/1.0');

        # a busy machine may take longer than nginx would wait, to send the rest
        my $uri = $way eq 'with the next' ? '/patient' : '/c';

        $reader->send("GET $uri?wait=20&last-known-id=$n HTTP/1.1\r\nHost: bus\r\n"
                      . "$said\r\n\r\n$early");
        $nginx->wait_for_readers(1);

        # longer than nginx would wait
        sleep 0.3;

        if ($way eq 'while it waits') {
            $reader->send($late);
            sleep 0.3;
        }

        $poster->post('/c', '[1]');
        $n++;

        my $r = $reader->response('GET');

        is($r->status . ' ' . ($r->last_id // ''), "200 $n",
           "$what, $way: the event comes") || diag($r->error);

        next if $way eq 'much later';

        my $bytes = "GET /step HTTP/1.1\r\nHost: bus\r\n\r\n";

        $reader->send($way eq 'with the next' ? "$late$bytes" : $bytes);
        is($reader->response('GET')->body, 'step', 'and then the next answer');

        # nothing of it is left that ends the connection
        sleep 0.3;
        is($reader->get('/step')->body, 'step', 'and another');
    }

    my $stream = $nginx->client(agent => 'reader/1.0');

    $stream->send("GET /c?last-known-id=latest HTTP/1.1\r\nHost: bus\r\n"
                  . "Accept: application/x-ndjson\r\n$said\r\n\r\n$early");
    $nginx->wait_for_readers(1);
    sleep 0.3;
    $stream->send($late) if $what =~ /none/;

    $poster->post('/c', '["to the stream"]');
    $n++;

    $nginx->until(5, 'the stream to have the event', sub {
        $stream->read_some;
        return $stream->{in} =~ /to the stream/;
    });
    pass("$what: a stream lives on, and has the event");

    $stream->close;
    $nginx->wait_for_readers(0);
    pass('and its end is seen, whatever is still to come');
}

$nginx->quit;
$nginx->no_alerts;

done_testing;
