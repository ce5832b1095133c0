# What a store can not read in time, though it is there, is refused to who asks
# for that, and to nobody else: the others' questions go on to it.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Fake;
use Msgbus::Stream;


Msgbus::Nginx->limit(60);

my $fake = Msgbus::Fake->new->start;
my $nginx = $fake->node(
    workers => 1, size => '1m', zone => 'ttl=1d max_events=10',
    more => 'retry tries=2 delay=20s;',
    uri => $fake->uri,
    location => 'location / { msgbus bus; } msgbus_require_uuid off;
                 msgbus_ping 200ms;',
)->start;

$fake->wait_until_up($nginx);

my $client = $nginx->client(agent => 'reader/1.0');
my @ids = map { $client->post('/a', "[$_]")->id } 1 .. 60;

sub got {
    my ($r) = @_;

    return join ' ', map { $_->{data}[0] } @{ $r->json->{events} };
}

# a query over more than 30 ids takes it too long

$fake->set(wide => 30);

my $wide = '/a?last-known-id=0';
my $r = $client->get($wide);

is($r->status, 503, 'what the store can not read is refused');
like($r->body, qr/"The store can not read what is asked for"/, '    as that');
is($r->header('Retry-After'), 1, '    to be asked again');
like(join("", $nginx->log), qr/msgbus can not read history from "\w+": .*time limit/,
     '    and the error log says why');

# and at once after it, though a store that fails is left alone for 20 seconds

is(got($client->get("/a?last-known-id=$ids[39]&max-events=4")),
   '41 42 43 44', 'what it can read it is asked for');
is($client->get($wide)->status, 503, '    and for the rest again');
is($client->get("$wide&wait=9")->status, 503, 'a wait is refused like a page');
is($client->get("$wide&sort=-1")->status, 503,
   '    and one that begins in memory');
is(got($client->get("/a?last-known-id=$ids[54]")), '56 57 58 59 60',
   'memory answers as ever');
is($client->post('/a', '[61]')->status, 201, 'and posts are stored');

# a stream has begun, and can not be refused

my $stream = Msgbus::Stream->new(to => "127.0.0.1:$nginx->{port}",
                                 uri => '/a', headers => ['Last-Event-ID', 0]);
$stream->open;
Msgbus::Stream->read_until(10, sub { @{ $stream->{events} } > 3 }, $stream);

is($stream->{n}, 0, 'a stream waits for it');

$fake->set(wide => 0);
Msgbus::Stream->read_until(15, sub { $stream->{n} >= 61 }, $stream);

is(join(' ', $stream->posted), join(' ', map { "[$_]" } 1 .. 61),
   '    and gets all, in order, when it can be read');
is(scalar $stream->gaps, 0, '    without a gap');
is(got($client->get($wide)), join(' ', 1 .. 61), 'and so do pages');

$nginx->quit;
$nginx->no_alerts;

done_testing;
