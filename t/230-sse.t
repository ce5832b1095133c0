# A GET that accepts text/event-stream gets what the bus has, then what comes.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Nginx;
use Msgbus::Stream;


Msgbus::Nginx->limit(60);

my $nginx = Msgbus::Nginx->new(
    workers  => 2,
    http     => 'msgbus_zone zone=bus:1m first_id=1;
                 msgbus_jsonp on;',
    location => '
        msgbus_require_uuid off;
        location / { msgbus bus; }
        location /few/ { msgbus bus; msgbus_max_waiters 2; }
    ',
)->start;

my $to = "127.0.0.1:$nginx->{port}";
my $poster = $nginx->client(agent => 'poster/1.0 uuid/p');

my @open;

sub stream {
    push @open, Msgbus::Stream->new(to => $to, @_);

    return $open[-1];
}

# opens it and reads until a pattern is there

sub until_like {
    my ($stream, $pattern) = @_;

    $stream->open if !$stream->{opened};
    Msgbus::Stream->read_until(5, sub { $stream->{body} =~ $pattern },
                               $stream);

    return $stream->{body} =~ s/\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ/TIME/gr
                           =~ s/^retry: \d+$/retry: LOT/mr
                           =~ s/"age":\d+/"age":0/gr;
}

sub sse {
    my ($id, $data, $more) = @_;

    return qq(data: {"id":$id,"user_agent":"poster/1.0 uuid/p",)
           . qq("created_at":"TIME","age":0,"data":$data) . ($more // '')
           . "}\nid: $id\n\n";
}

sub ping {
    my ($id) = @_;

    return qq(event: msgbus.ping\ndata: {"ping":$id}\nid: $id\n\n);
}


# to the byte

my $stream = stream(uri => '/a');

is(until_like($stream, qr/\n\n/), "retry: LOT\n" . ping(0),
   'the first bytes come at once: they name the place to come back to');

is($stream->{head} =~ s/^(?:Server|Date).*\n//mgr,
   "HTTP/1.1 200 OK\r\n"
   . "Content-Type: text/event-stream; charset=utf-8\r\n"
   . "Transfer-Encoding: chunked\r\n"
   . "Connection: keep-alive\r\n"
   . "Cache-Control: no-cache, no-transform\r\n"
   . "Vary: Accept, User-Agent\r\n"
   . "X-Accel-Buffering: no\r\n", 'so does the header');

$poster->post('/a', '{"x":1}');                                 # id 1

is(until_like($stream, qr/"x"/),
   "retry: LOT\n" . ping(0) . sse(1, '{"x":1}'), 'an event is a block');

$poster->post('/a', "{\r\n\t\"y\" :\n\n[ 2\r]}");               # id 2

is(until_like($stream, qr/"y"/),
   "retry: LOT\n" . ping(0) . sse(1, '{"x":1}')
   . sse(2, "{  \t\"y\" :  [ 2 ]}"),
   'what ends a line in an event becomes a space');

# when to come back: all at once, a crowd would be one again

my %lots;

for (1 .. 20) {
    my $asked = stream(uri => '/a');

    until_like($asked, qr/\n\n/);
    $lots{ $1 // '' }++ if $asked->{body} =~ /\A(?:retry: (\d+)\n)/;
    $asked->close;
}

is(scalar(grep { /^\d+$/ && $_ >= 2000 && $_ <= 4000 } keys %lots),
   keys %lots, 'it is told to come back after 2 to 4 seconds');
cmp_ok(scalar keys %lots, '>', 10, '    by lot');

# what the bus has

is(until_like(stream(uri => '/a'), qr/"y"/),
   "retry: LOT\n" . ping(0) . sse(1, '{"x":1}') . sse(2, "{  \t\"y\" :  [ 2 ]}"),
   'a stream begins with what the bus has');

my %first = (
    'Last-Event-ID'        => [ '/a', 'Last-Event-ID', 1 ],
    'last-event-id'        => [ '/a?last-event-id=1' ],
    'last-known-id'        => [ '/a?last-known-id=1' ],
    'the header first'     => [ '/a?last-event-id=2&last-known-id=7',
                                'Last-Event-ID', 1 ],
    'then last-event-id'   => [ '/a?last-event-id=1&last-known-id=7' ],
    'or lastEventId'       => [ '/a?lastEventId=1&last-known-id=7' ],
    'or the last of both'  => [ '/a?last-event-id=2&lastEventId=1' ],
    'an empty header not'  => [ '/a?last-event-id=1', 'Last-Event-ID', '' ],
);

for my $what (sort keys %first) {
    my ($uri, @headers) = @{ $first{$what} };

    is(until_like(stream(uri => $uri, headers => \@headers), qr/"y"/),
       "retry: LOT\n" . ping(1) . sse(2, "{  \t\"y\" :  [ 2 ]}"),
       "$what says from where");
}

is(until_like(stream(uri => '/a?last-known-id=latest'), qr/\n\n/),
   "retry: LOT\n" . ping(2), '"latest" is nothing older than now');

is(until_like(stream(uri => '/a?last-known-id=2'), qr/\n\n/),
   "retry: LOT\n" . ping(2), 'who has all gets nothing');

# a cursor that the bus cannot have given out

$stream = stream(uri => '/a?last-known-id=99');

is(until_like($stream, qr/"y"/),
   "retry: LOT\n" . ping(99)
   . qq(event: msgbus.gap\ndata: {"after":99,"oldest":1}\nid: 0\n\n)
   . sse(1, '{"x":1}') . sse(2, "{  \t\"y\" :  [ 2 ]}"),
   'is told of a gap, and gets what the bus has');

# what ends lines elsewhere

my $lines = $nginx->client(agent => "x\xe2\x80\xa8y");
my $text = "\xe2\x80\xa8|\xe2\x80\xa9|\xc2\x85|\xe2\x80\xaa|\xc2\x84|"
           . "\xc3\xa9|\xe2\x82\xac|\xe3\x80\xa8|\xe2\x80\xa8";

$lines->post('/lines', qq([\n"$text"]));

for my $sse (1, 0) {
    my $read = stream(uri => '/lines', sse => $sse);
    my $got = until_like($read, qr/\[ "[^\n]*\n/);

    unlike($got, qr/\xe2\x80[\xa8\xa9]|\xc2\x85/,
           ($sse ? 'SSE' : 'NDJSON') . ': U+2028, U+2029 and U+0085 do not'
           . ' end lines');
    like($got, qr/"user_agent":"x\\u2028y"/, '    of a User-Agent neither');
    like($got, qr/"data":\[\ "\\u2028\|\\u2029\|\\u0085\|
                  \xe2\x80\xaa\|\xc2\x84\|\xc3\xa9\|\xe2\x82\xac\|
                  \xe3\x80\xa8\|\\u2028"\]\}\n/x,
         '    they are escaped, and nothing else is');
}

# what is ignored

is(until_like(stream(uri => '/a?max-events=1&wait=x&callback=!'), qr/"y"/),
   "retry: LOT\n" . ping(0) . sse(1, '{"x":1}') . sse(2, "{  \t\"y\" :  [ 2 ]}"),
   'max-events, wait and callback are not looked at');

# what is refused

my %refused = (
    '/a?sort=-1'            => 'A stream needs sort=1',
    '/a?last-known-id=x'    => 'Invalid last-known-id',
    '/a?last-event-id=x'    => 'Invalid last-event-id',
    '/a?lastEventId=x'      => 'Invalid last-event-id',
    '/'                     => 'Invalid channel name',
    '/a/'                   => 'Invalid channel name',
);

for my $uri (sort keys %refused) {
    my $r = $nginx->client->get($uri, Accept => 'text/event-stream');

    is($r->status . $r->body, qq(400{ "message": "$refused{$uri}" }),
       "$uri is refused");
}

my $r = $nginx->client->head('/a', Accept => 'text/event-stream');

is($r->status, 200, 'HEAD does not stream');
is($r->header('Content-Type'), 'text/event-stream; charset=utf-8',
   'and has its headers');

# they count as readers who wait

$_->close for @open;

$nginx->wait_for_readers(0);

my @few = map { stream(uri => '/few/a') } 1 .. 2;

until_like($_, qr/\n\n/) for @few;
$r = $nginx->client->get('/few/a', Accept => 'text/event-stream');
is($r->status . $r->body, '503{ "message": "Too many readers wait" }',
   'more streams than msgbus_max_waiters are refused');
is($nginx->client->get('/few/a?last-known-id=latest')->status, 204,
   'who does not wait is not');
is($nginx->client->head('/few/a', Accept => 'text/event-stream')->status, 200,
   'nor is HEAD');
$_->close for @few;

# who is meant

my %accept = (
    '*/*'                                             => 'page',
    'text/*'                                          => 'page',
    'text/html, */*;q=0.8'                            => 'page',
    'application/json'                                => 'page',
    'text/event-stream'                               => 'sse',
    'TEXT/Event-Stream ; q=0.5'                       => 'sse',
    'text/event-stream;charset=utf-8'                 => 'sse',
    'text/event-stream, */*;q=0.1'                    => 'sse',
    'text/event-stream, */*'                          => 'sse',
    'text/event-stream;q=0.4, */*;q=0.5'              => 'page',
    'text/event-stream;q=0'                           => 'page',
    'text/event-stream;q=0.000, application/json'     => 'page',
    'application/json, text/event-stream'             => 'page',
    'application/json;q=0.9, text/event-stream'       => 'sse',
    'application/json;q=0.91,text/event-stream;q=.9'  => 'page',
    'application/x-ndjson'                            => 'ndjson',
    'application/x-ndjson, text/event-stream'         => 'ndjson',
    'application/x-ndjson;q=0.5, text/event-stream'   => 'sse',
    'text/event-streams'                              => 'page',
    ', ;q=1,,'                                        => 'page',
);

my %got;

for my $accept (keys %accept) {
    my $type = $nginx->client->head('/a', Accept => $accept)
                     ->header('Content-Type');

    $got{$accept} = $type =~ /^text\/event-stream;/    ? 'sse'
                  : $type =~ /^application\/x-ndjson;/ ? 'ndjson' : 'page';
}

is_deeply(\%got, \%accept, 'Accept says who is meant');

$nginx->quit;
$nginx->no_alerts;

done_testing;
