# Who waits for a look at the store before he is answered is there all the same:
# a stream as a stream, who waits for a page as such, and nobody else.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Channels;
use Msgbus::Fake;


Msgbus::Nginx->limit(60);

my $fake = Msgbus::Fake->new->start;
my $nginx = $fake->node(
    location => 'msgbus_fresh_reads on;
                 location /bus/   { msgbus bus; }
                 location /tests/ { msgbus bus; msgbus_test_mode on; }
                 location = /channels { msgbus_channels bus; }',
    size     => '8m',
    workers  => 2,
    more     => 'poll off; retry tries=8 delay=500ms;')->start;

my $client = $nginx->client(agent => 'test/1.0 uuid/t');

$nginx->until(15, 'the bus to be up',
              sub { return $client->get('/bus/health')->status == 200 });

my $list = Msgbus::Channels->new(nginx => $nginx);

sub ask {
    my ($method, $uri, @headers) = @_;

    my $client = $nginx->client(agent => 'reader/1.0 uuid/r', timeout => 30);

    $client->connect and die "connect\n";
    $client->send($client->format($method, $uri, undef, @headers));

    return $client;
}

sub is_there {
    my ($readers, $title) = @_;

    my $found;
    my $took = $list->until(1, sub {
        return ($found = $list->readers('/a')) eq $readers;
    });

    return ok(defined $took, $title) || diag("$found, not $readers");
}

$fake->set(away => 1);

my $stream = ask(GET => '/bus/a', Accept => 'text/event-stream');
my $poll = ask(GET => '/bus/a?wait=20');
my @others = (ask(GET => '/bus/a'), ask(HEAD => '/bus/a?wait=20'),
              ask(GET => '/tests/all?wait=20'));

is_there('1 1 0 0', 'who is going to wait for events is there before');

my $leaves = ask(GET => '/bus/a?wait=20');

is_there('2 1 0 0', '    and who comes then');
$leaves->close;
is_there('1 1 0 0', '    until he leaves');

$fake->set(away => 0);

is($_->response->status, 200 + 4 * ($_ != $others[2]), 'the others are answered')
    for @others;
is_there('1 1 0 0', 'when the store is back each is still there, once');

is($nginx->client(agent => 'p/1 uuid/p')->post('/bus/a', '{}')->status, 201,
   'an event is posted');
is($poll->response->status, 200, '    which one has waited for');
is_there('0 1 0 0', '    and is there no more');

$stream->close;
is_there('0 0 0 0', 'nor is the stream when it has ended');


# --- and when the store does not come back

$fake->set(away => 1);

$poll = ask(GET => '/bus/a?wait=20');
is_there('1 0 0 0', 'who waits in vain is there');
is($poll->response->status, 503, '    until he is refused');
is_there('0 0 0 0', '    and then no more');

$fake->set(away => 0);
$nginx->quit;

done_testing;
