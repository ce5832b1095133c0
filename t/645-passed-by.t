# What expires in the database while a node is cut off has passed it by: its
# readers are told of a gap.  What was still there is none.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Law;
use Msgbus::Mongodb;
use Msgbus::Proxy;


# three times as long as the loss takes to be noticed
my $ttl = 12;

Msgbus::Nginx->limit(60);

my $mongodb = Msgbus::Mongodb->new(own => 1)->start;
my $proxy = Msgbus::Proxy->new(to => $mongodb->{port})->start;
my $nginx = $mongodb->node(zone => "ttl=${ttl}s",
                           port => $proxy->{port})->start;

$mongodb->wait_until_up($nginx);

my $client = $nginx->client;


sub rse_post {
    my ($data) = @_;

    return $mongodb->ask(rse_insert => { channel => '/a', data => $data,
                                         user_agent => 'rse', uuid => 'r' });
}


sub read_after {
    my ($cursor) = @_;

    my $r = $client->get("/a?echo=true&last-known-id=$cursor");

    return join ' ', $r->gap ? 'gap' : 'ok',
                     map { $_->{data} =~ /(\d)/ } @{ $r->events };
}


# for a moment: nothing is lost

my $first = $client->post('/a', '{"n":1}')->id;

$proxy->tell('drop');
rse_post('{"n":2}');
$mongodb->until(10, 'the loss to be noticed',
                sub { $client->get('/health')->status == 503 });
$proxy->tell('pass');
$mongodb->wait_until_up($nginx);

is(read_after($first), 'ok 2', 'an event of the time without the database');

# for longer than events live

my $last = $client->post('/a', '{"n":3}')->id;

$proxy->tell('drop');
rse_post('{"n":4}');
sleep $ttl + 1;

is($mongodb->ask(expire => { seconds => $ttl - 1 }) > 0, 1,
   'the database has dropped it');

rse_post('{"n":5}');
$proxy->tell('pass');
$mongodb->wait_until_up($nginx);

is(read_after($last), 'gap 5', 'one that expired unseen is told as a gap');
is(read_after($client->get('/a?echo=true&last-known-id=latest')->last_id),
   'ok', 'and who has come later has missed nothing');

my $r = $client->get("/b?echo=true&last-known-id=$last");

ok($r->gap, 'it may have been in any channel');

$nginx->quit;
$nginx->no_alerts;

done_testing;
