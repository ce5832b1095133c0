# The machine of a node sleeps for longer than events live.  What was posted
# elsewhere meanwhile, and has expired, has passed it by: its readers are told
# of a gap.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(time);

use Msgbus::Clocks;
use Msgbus::Mongodb;


my $ttl = 120;
my $slept = 130;

Msgbus::Nginx->limit(60);

my $mongodb = Msgbus::Mongodb->new(own => 1)->start;
my $nginx = $mongodb->node(zone => "ttl=${ttl}s", workers => 1);
my $clocks = Msgbus::Clocks->new($nginx)->start;

plan skip_all => 'another library is preloaded' if !$clocks->works;

my ($worker) = $nginx->worker_pids;

$mongodb->wait_until_up($nginx);

my $client = $nginx->client;
my $first = $client->post('/a', '{"n":1}')->id;


sub seen_after {
    my ($cursor) = @_;

    my $r = $client->get("/a?echo=true&last-known-id=$cursor");

    return join ' ', $r->gap ? 'gap' : 'ok',
                     map { $_->{data} =~ /(\d)/ } @{ $r->events };
}


# An event of another node, as many seconds later.

sub insert {
    my ($n, $later) = @_;

    $mongodb->ask(insert => { events => [{
        _id => $first + $n - 1, channel => '/a', data => qq({"n":$n}),
        user_agent => 'x', uuid => 'x',
        created_at => int(1000 * (time + $later)),
    }] });

    return;
}


kill STOP => $worker;

# the second one is gone when the node wakes up, the third one is not

insert(2, -$ttl - 1);
insert(3, $slept);
is($mongodb->ask(expire => { seconds => $ttl }), 1, 'an event has expired');
$clocks->ahead($slept);

kill CONT => $worker;

$mongodb->until(10, 'what is left to be read',
                sub { seen_after($first + 1) =~ /3/ });
is(seen_after($first), 'gap 3', 'who has not seen it is told of a gap');
is(seen_after($first + 1), 'ok 3', 'whose cursor is behind it is not');

is($client->post('/a', '{"n":4}')->status, 201, 'posts are stored again');
is(seen_after($first + 2), 'ok 4', 'and read without a gap');

$nginx->quit;
$nginx->no_alerts;

done_testing;
