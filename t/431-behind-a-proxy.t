# Behind another nginx, whose connections to the bus are kept, clients see what
# they see without it.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Documented;


Msgbus::Nginx->limit(60);

my $nginx = Msgbus::Documented->recipe('Behind another nginx',
    more => 'msgbus_jsonp on; msgbus_scope exact parent all;')->start;

my $bus = Msgbus::Client->new(to => '127.0.0.1:' . $nginx->port(8081));
my $front = $nginx->client(agent => 'front/1.0');
my $n = 0;

# the same request to both

sub same {
    my ($method, $uri, $body, @headers) = @_;

    my $direct = $bus->request($method, $uri, $body, @headers);
    my $proxied = $front->request($method, "/bus$uri", $body, @headers);

    is($proxied->status, $direct->status, "$method $uri: the status "
                                          . $direct->status);

    # the second may be another one, and have one more digit
    my @lengths = map { length } $proxied->{body}, $direct->{body};

    s/"age":\d+/"age":0/g for $proxied->{body}, $direct->{body};

    ok($proxied->body eq $direct->body, '    the body');

    for my $name (qw(Content-Type Msgbus-Last-Id Msgbus-Gap Allow Vary ETag
                     Cache-Control),
                  $lengths[0] == $lengths[1] ? 'Content-Length' : ())
    {
        is($proxied->header($name), $direct->header($name), "    $name");
    }
}


$bus->{agent} = $front->{agent};

my $large = '["' . 'x' x 500_000 . '"]';

for my $body ('[1]', ['[', '1]'], $large, [unpack '(a70000)*', $large]) {
    is($front->post('/bus/a', $body)->id, ++$n, 'a POST');
}

same(GET => '/a?max-events=1');
same(HEAD => '/a?max-events=1');
same(GET => '/a');
same(GET => "/a?last-known-id=$n");
same(GET => '/?events=all&max-events=1');
same(GET => '/a?max-events=1&callback=f');
same(GET => '/a?last-known-id=99999');
same(GET => '/a.b');
same(GET => '/a?max-events=0');
same(POST => '/a', '[');
same(PUT => '/a', '[]');
same(OPTIONS => '/a');
same(GET => '/health');

ok($front->{sock}, 'all on one connection');

# a reader who waits

my $waiting = $nginx->client(agent => 'waiting/1.0');

$waiting->send($waiting->format(GET => "/bus/a?last-known-id=$n&wait=20"));
$nginx->wait_for_readers(1);
is($front->post('/bus/a', '["waited"]')->id, ++$n, 'a POST');
is($waiting->response->events->[0]{data}, '["waited"]', 'wakes a reader');

$waiting->send($waiting->format(GET => '/bus/b?last-known-id=latest&wait=1'));
is($waiting->response->status, 204, 'or the time is over');

# who leaves takes its connection to the bus along

sleep 0.2;

my $sockets = $nginx->open_sockets;
my @leaving = map { $nginx->client } 1 .. 20;

$_->send($_->format(GET => '/bus/b?last-known-id=latest&wait=20'))
    for @leaving;

$nginx->wait_for_readers(20);
$_->close for @leaving;
$nginx->wait_for_readers(0);
$nginx->until(5, 'nobody to wait',
              sub { $nginx->open_sockets <= $sockets });
pass('who leaves does not wait on behind the proxy');

# kept connections: a POST that goes over one is stored once, also when the bus
# has just closed it

for my $time (1 .. 2) {
    my @answers = map { $front->post('/bus/many', "[$_]") } 1 .. 200;

    is(scalar grep({ $_->status == 201 } @answers), 200, '200 POSTs');
    $nginx->reload if $time == 1;
}

my $stored = $front->get('/bus/many?max-events=500')->events;

is(scalar @$stored, 400, 'each is stored once, over a reload too');
is(join(' ', map { $_->{data} } @$stored),
   join(' ', map { "[$_]" } 1 .. 200, 1 .. 200), 'in order');

$nginx->quit;
$nginx->no_alerts;

done_testing;
