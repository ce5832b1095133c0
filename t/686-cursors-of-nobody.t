# A cursor above all ids may be another node's.  It is judged by a look at the
# database that began after this very request came: so many who ask with cursors
# that nobody gave out are all told of a gap, at once, and streams too; and a
# reader who has what another node gave out is never set back by what others have
# asked for before.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(time);

use Msgbus::Fake;
use Msgbus::Stream;


Msgbus::Nginx->limit(60);

my $fake = Msgbus::Fake->new->start;
my $nginx = $fake->node(
    location => 'location / { msgbus bus; msgbus_require_uuid off;
                              msgbus_ping 500ms; }',
    more     => 'poll 1s;',
)->start;

$fake->wait_until_up($nginx);

my $client = $nginx->client;
my $last = $client->post('/a', '{"n":1}')->id;

# 40 at the same time, each with a cursor of its own

my @clients = map { $nginx->client } 1 .. 40;
my $begin = time;

for my $n (0 .. $#clients) {
    my $cursor = 100_000_000_000_000 + $n;

    $clients[$n]->connect;
    $clients[$n]->send("GET /a?echo=true&last-known-id=$cursor HTTP/1.1\r\n"
                       . "Host: a\r\n\r\n");
}

my @answers = map { $_->response } @clients;

is(scalar(grep { $_->gap } @answers), 40, 'all are told of a gap');
is(scalar(grep { $_->last_id == $last } @answers), 40, 'and where they are');
cmp_ok(time - $begin, '<', 3 * $Msgbus::Nginx::PATIENCE, 'after one look');

# one who waits is told as soon

$begin = time;

my $r = $client->get('/a?echo=true&wait=20&last-known-id=100000000000099');

ok($r->gap, 'so is one who waits for events');
cmp_ok(time - $begin, '<', 10, 'at once');

# a stream

my $stream = Msgbus::Stream->new(to => "127.0.0.1:$nginx->{port}",
                                 uri => '/b?echo=true',
                                 headers => [ 'Last-Event-ID', "100000000000000" ]);

$stream->open;
Msgbus::Stream->read_until(10, sub { $stream->{body} =~ /msgbus\.gap/ },
                           $stream);

like($stream->{body}, qr/event: msgbus\.gap\ndata: \{"after":100000000000000,/,
     'and a stream');

# somebody asks with the id that another node is about to give out; a reader
# who has it from there is not set back

my $next = $last + 1;

ok($client->get("/a?echo=true&last-known-id=$next")->gap,
   'an id that is not there yet is nobody\'s');

$fake->put($fake->event($next, data => '{"n":2}'));
$r = $client->get("/a?echo=true&last-known-id=$next");

ok(!$r->gap, 'but when it is, it is its reader\'s');
is($r->last_id, $next, 'who stays where he is');
is($r->status, 204, 'and gets nothing twice');

$nginx->quit;
$nginx->no_alerts;

done_testing;
