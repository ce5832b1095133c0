# An event of another node that is too large for the log of this one comes from
# the database.  Where that is not asked it is told as a gap: to readers who come,
# to those who wait, and in streams of any channel, whose pings must not move them
# past it.

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
    workers  => 1, size => '1m',
    location => 'msgbus_ping 300ms;
                 location / { msgbus bus; msgbus_history off; }
                 location /past/ { msgbus bus; }',
)->start;

$fake->wait_until_up($nginx);

my $client = $nginx->client;
my $first = $client->post('/a', '{"n":1}')->id;

my $waits = $nginx->client;

$waits->send("GET /a?echo=true&wait=20&last-known-id=$first HTTP/1.1\r\n"
             . "Host: a\r\n\r\n");

my $gets = $nginx->client;

$gets->send("GET /past/a?echo=true&wait=20&last-known-id=$first HTTP/1.1\r\n"
            . "Host: a\r\n\r\n");

my @past = map {
    Msgbus::Stream->new(to => "127.0.0.1:$nginx->{port}",
                        uri => "/past/$_?echo=true",
                        headers => [ 'Last-Event-ID', $first ])
} qw( a b );

$_->open for @past;

my $stream = Msgbus::Stream->new(to => "127.0.0.1:$nginx->{port}",
                                 uri => '/b?echo=true',
                                 headers => [ 'Last-Event-ID', $first ]);

$stream->open;
Msgbus::Stream->read_until(5, sub { $stream->{body} =~ /id: $first/ }, $stream);

$nginx->wait_for_readers(5);

$fake->put($fake->event($first + 1, data => '["' . 'x' x 300_000 . '"]'));

$fake->until(10, 'it to be passed', sub {
    return $client->get('/a?echo=true&last-known-id=0')->last_id > $first;
});

my $r = $client->get("/a?echo=true&last-known-id=$first");

ok($r->gap, 'who reads from before it is told');
ok(!$client->get('/a?echo=true&last-known-id=' . ($first + 1))->gap,
   'who reads from behind it is not');

$r = $waits->response;
ok($r->gap, 'who waits for it is told at once');

# the database has it

sub large {
    my ($r) = @_;

    return join ' ', $r->gap, map { $_->{id} . ' ' . length $_->{data}[0] }
                                  @{ $r->json->{events} };
}

my $large = '0 ' . ($first + 1) . ' 300000';

is(large($gets->response), $large, 'from the database, who waits gets it');
is(large($client->get("/past/a?echo=true&last-known-id=$first")), $large,
   '    and who reads');
is(large($client->get("/past/a?echo=true&sort=-1&last-known-id=$first")), $large,
   '    also the newest first');

# what moves the ids on, in a channel that the stream is not about

$client->post('/a', '{"n":2}');
Msgbus::Stream->read_until(5, sub { $stream->{body} =~ /id: @{[$first + 2]}/ },
                           $stream);

like($stream->{body},
     qr/\A(?:(?!id: @{[$first + 1]}|id: @{[$first + 2]}).)*
        event:\ msgbus\.gap\ndata:\ \{"after":$first,/sx,
     'a stream of another channel is told before a ping moves it on');

Msgbus::Stream->read_until(5, sub { $past[0]{n} > 1 }, @past);

is(join(' ', map { $_->{id} } grep { defined $_->{data} }
                              @{ $past[0]{events} }),
   join(' ', $first + 1, $first + 2), 'a stream gets it from the database');

Msgbus::Stream->read_until(5, sub { $past[1]{cursor} == $first + 2 }, @past);
is(scalar(map { $_->gaps } @past), 0, '    and none is told of a gap');
is($past[1]{cursor}, $first + 2, '    also one of another channel');

$nginx->quit;
$nginx->no_alerts;

done_testing;
