# msgbus_park lets who waits do so without a request: a stream to which nothing is
# sent, and a long-poll after a time.
#
# nginx counts requests that are being answered as "Writing"; a parked reader is
# none, but a connection.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw( sleep );

use Msgbus::Nginx;
use Msgbus::Stream;


Msgbus::Nginx->limit(60);

my $nginx = Msgbus::Nginx->new(
    http     => 'msgbus_zone zone=bus:1m first_id=1;
                 limit_conn_zone $uri zone=conn:1m;',
    location => '
        msgbus_require_uuid off;
        msgbus_ping 200ms;
        location / { msgbus bus; }
        location /off/ { msgbus_channel /c; msgbus bus; msgbus_park off; }
        location /closes/ { msgbus_channel /c; msgbus bus; keepalive_timeout 0; }
        location /rate/ { msgbus_channel /c; msgbus bus; limit_rate 1m; }
        location /after/ { msgbus_channel /c; msgbus bus; post_action /done; }
        location /sub/ {
            msgbus_channel /c; msgbus bus;
            sub_filter_types *; sub_filter "no such" "text";
        }
        location /trailer/ {
            msgbus_channel /c; msgbus bus;
            add_trailer X-Trailer yes;
        }
        location /one/ { msgbus_channel /c; msgbus bus; limit_conn conn 1; }
        location /soon/ {
            msgbus_channel /c; msgbus bus; msgbus_park on after=100ms;
        }
        location /late/ {
            msgbus_channel /c; msgbus bus; msgbus_park on after=1h;
        }
        location /short/ {
            msgbus_channel /c; msgbus bus; msgbus_park on after=1ms;
            keepalive_timeout 200ms; msgbus_ping 1h;
        }
        location = /stub { stub_status; }
        location = /done { return 204; }
    ',
)->start;

my $to = "127.0.0.1:$nginx->{port}";
my $poster = $nginx->client(agent => 'poster');

sub stub {
    return $nginx->client->get('/stub')->body =~ /$_[0]: (\d+)/ ? $1 : '';
}

# so many requests are answered, this one among them

sub requests {
    my ($n) = @_;

    return eval {
        $nginx->until(5, "$n requests", sub { return stub('Writing') == $n });
        1;
    };
}

sub stream {
    my ($uri, %o) = @_;

    my $stream = Msgbus::Stream->new(to => $to, %o,
                                     uri => "$uri?last-known-id=latest");
    $stream->open;
    Msgbus::Stream->read_until(5, sub { $stream->{body} =~ /"ping"/ },
                               $stream);

    return $stream;
}

sub has {
    my ($stream, $what) = @_;

    Msgbus::Stream->read_until(5, sub { $stream->{body} =~ $what }, $stream);

    return $stream->{body} =~ $what;
}


# who is parked, where nothing else is said

my @parked = map { stream('/c', sse => $_ % 2) } 1 .. 10;

ok(requests(1), 'streams that are idle are no requests');
cmp_ok(stub('Active connections'), '>=', 11, '    but connections');
like($nginx->report->body, qr/"waiting_readers":10\b/,
     '    and readers who wait');

$poster->post('/c', '{"n":1}');
is(scalar(grep { has($_, qr/"n":1/) } @parked), 10, 'they get what comes');
is(scalar(grep { has($_, qr/("ping":1\b).*\1/s) } @parked), 10, '    and pings');
ok(requests(1), '    and are parked again');

$_->close for @parked;
$nginx->wait_for_readers(0);
pass('they leave');

# who is not

my %held = (
    'msgbus_park off'       => [ '/off/' ],
    'keepalive_timeout 0'   => [ '/closes/' ],
    'limit_rate'            => [ '/rate/' ],
    'a post_action'         => [ '/after/' ],
    'a filter of bodies'    => [ '/sub/' ],
    'a trailer'             => [ '/trailer/' ],
    'limit_conn'            => [ '/one/' ],
    'HTTP/1.0'              => [ '/c', old => 1 ],
);

for my $what (sort keys %held) {
    my ($uri, @o) = @{ $held{$what} };
    my $stream = stream($uri, @o);

    $poster->post('/c', qq({"of":"$uri"}));
    ok(has($stream, qr/"of"/), "$what: what comes is delivered");
    ok(requests(2), '    to a request that is held');

    $stream->close;
    $nginx->wait_for_readers(0);
}

# what else is on the connection

my $stream = stream('/c');

ok(requests(1), 'one is parked');
$stream->{client}->send("GET /none?wait=0 HTTP/1.1\r\nHost: bus\r\n\r\n");
$poster->post('/c', '{"n":2}');
ok(has($stream, qr/"n":2/), 'a client that sends while it is parked is served');
$stream->close;
$nginx->wait_for_readers(0);
pass('    and leaves');

$stream = Msgbus::Stream->new(to => $to, uri => '/c?last-known-id=latest');
{
    no warnings 'redefine';
    my $format = \&Msgbus::Client::format;

    local *Msgbus::Client::format = sub {
        return $format->(@_) . "GET /none HTTP/1.1\r\nHost: bus\r\n\r\n";
    };

    $stream->open;
}

Msgbus::Stream->read_until(5, sub { $stream->{body} =~ /"ping"/ }, $stream);
ok(requests(2), 'who sends its next request with this one is not parked');
$poster->post('/c', '{"n":3}');
ok(has($stream, qr/"n":3/), '    and served');
$stream->close;
$nginx->wait_for_readers(0);

# a long-poll: after a time, or when there are many

sub poll {
    my ($uri) = @_;
    my $client = $nginx->client(agent => 'reader');

    $client->connect;
    $client->send($client->format(GET => "$uri?last-known-id=latest&wait=20"));

    return $client;
}

for my $of ([ '/soon/', 'after=100ms', 1 ], [ '/late/', 'after=1h', 2 ]) {
    my ($uri, $what, $n) = @$of;
    my $client = poll($uri);

    $nginx->wait_for_readers(1);
    sleep 0.3;
    ok(requests($n), "$what: " . ($n == 1 ? 'it is parked' : 'it is held'));
    $poster->post('/c', '[4]');
    is($client->response('GET')->status, 200, '    and answered');
}

my @polls = map { poll('/late/') } 1 .. 150;

$nginx->wait_for_readers(150);
ok(requests(101), 'of very many, no more than a hundred are held');
$poster->post('/c', '[5]');
is(scalar(grep { $_->response('GET')->status == 200 } @polls), 150,
   '    all are answered');
ok(requests(1), '    and none is left');

# nginx would close a connection that it keeps after keepalive_timeout

my $idle = stream('/short/');
my $late = poll('/short/');

$nginx->wait_for_readers(2);
ok(requests(1), 'both are parked');
sleep 0.6;
$nginx->wait_for_readers(2);
$poster->post('/c', '{"n":6}');
ok(has($idle, qr/"n":6/), 'a parked stream outlives keepalive_timeout');
is($late->response('GET')->status, 200, '    so does a long-poll');
$idle->close;
$nginx->wait_for_readers(0);

# what can not be

for my $bad ('', 'yes', 'on 1s', 'on after=', 'on after=0', 'on after=x',
             'off after=1s', 'on after=1s after=1s')
{
    my $wrong = Msgbus::Nginx->new(
        http     => "msgbus_zone zone=bus:1m; msgbus_park $bad;",
        location => 'location / { msgbus bus; }',
    );

    ok(!eval { $wrong->start; 1 }, qq("$bad" is refused));
    like($@, qr/\[emerg\].*msgbus_park|invalid (?:parameter|value)/,
         '    with a reason');
}

$nginx->quit;
$nginx->no_alerts;

done_testing;
