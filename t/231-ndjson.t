# A GET that accepts application/x-ndjson gets an event a line.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Nginx;
use Msgbus::Stream;


Msgbus::Nginx->limit(30);

my $nginx = Msgbus::Nginx->new(
    http     => 'msgbus_zone zone=bus:1m first_id=1;
                 log_format events "$msgbus_operation $msgbus_events $status";',
    location => 'msgbus_require_uuid off; msgbus_ping 1h;
                 location / { msgbus bus; }
                 location /pinged/ { msgbus bus; msgbus_ping 300ms; }
                 location /logged/ { msgbus bus; access_log events.log events; }',
)->start;

my $poster = $nginx->client(agent => 'poster');

sub stream {
    my $stream = Msgbus::Stream->new(to => "127.0.0.1:$nginx->{port}",
                                     sse => 0, @_);
    $stream->open;

    return $stream;
}

sub until_like {
    my ($stream, $pattern) = @_;

    Msgbus::Stream->read_until(5, sub { $stream->{body} =~ $pattern },
                               $stream);

    return $stream->{body} =~ s/\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ/TIME/gr
                           =~ s/"age":\d+/"age":0/gr;
}

sub line {
    my ($id, $data) = @_;

    return qq({"id":$id,"user_agent":"poster","created_at":"TIME","age":0,)
           . qq("data":$data}\n);
}


my $stream = stream(uri => '/a');

is(until_like($stream, qr/\n/), qq({"ping":0}\n),
   'a stream that has nothing tells its place at once');
like($stream->{head},
     qr/^Content-Type: application\/x-ndjson; charset=utf-8\r$/m,
     'its type');

$poster->post('/a', "[\n1]");                                   # id 1

is(until_like($stream, qr/id/), qq({"ping":0}\n) . line(1, '[ 1]'),
   'an event is one line');

$poster->post('/b', "[2]");                                     # id 2

# one of its own reader's may come at any time before

my $pinged = stream(uri => '/pinged/a?last-known-id=1');

until_like($pinged, qr/ping/);
$poster->post('/b', "[3]");                                     # id 3

like(until_like($pinged, qr/"ping":3/),
     qr/\A(?:\{"ping":2\}\n)+\{"ping":3\}\n\z/,
     'a ping moves the place on, past what is not for this reader');

is(until_like(stream(uri => '/a'), qr/id/),
   qq({"ping":0}\n) . line(1, '[ 1]'), 'what the bus has comes first');

is(until_like(stream(uri => '/a?last-known-id=9'), qr/id/),
   qq({"ping":9}\n{"gap":{"after":9,"oldest":1}}\n) . line(1, '[ 1]'),
   'a gap is a line, and what the bus has follows');

# what the access log says

my $logged = stream(uri => '/logged/c');

until_like($logged, qr/ping/);
$poster->post('/logged/c', "[$_]") for 1 .. 3;
until_like($logged, qr/\[3\]/);
$logged->close;

$nginx->until(5, 'a line of the log', sub {
    return Msgbus::Nginx::slurp("$nginx->{dir}/events.log") =~ /read/;
});

like(Msgbus::Nginx::slurp("$nginx->{dir}/events.log"), qr/^read 3 200$/m,
     '$msgbus_events tells how many it had');

$nginx->quit;
$nginx->no_alerts;

done_testing;
