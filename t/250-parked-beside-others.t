# What one reader asks for is not another's, though both wait for the same
# channel: pages that are read newest first are no long-poll's.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Nginx;


Msgbus::Nginx->limit(30);

my $nginx = Msgbus::Nginx->new(
    http     => 'msgbus_journal disk { path journal; segment 256k; }
                 msgbus_zone zone=bus:1m store=disk ttl=1d max_events=10;
                 msgbus_require_uuid off; msgbus_park on after=1ms;',
    location => 'location / { msgbus bus; }
                 location = /stub { stub_status; }',
)->start;

my $poster = $nginx->client(agent => 'poster');

$nginx->until(10, 'the journal to be read', sub {
    return $poster->get('/c')->status == 204;
});

my @ids = map { $poster->post('/c', "[$_]")->id } 1 .. 30;

# both come in one turn of the worker, the one that the store is asked for first

sub ask {
    my $client = $nginx->client(agent => 'reader');

    $client->connect;
    $client->send($client->format(GET => $_[0]));

    return $client;
}

my ($worker) = $nginx->worker_pids;

$nginx->stop_worker($worker);

my $page = ask("/c?sort=-1&last-known-id=$ids[0]");
my $poll = ask("/c?last-known-id=$ids[-1]&wait=20");

kill CONT => $worker;

my @newest = map { $_->{id} } @{ $page->response('GET')->json->{events} };

is_deeply(\@newest, [ reverse @ids[1 .. 29] ], 'one gets all, newest first');

$nginx->until(5, 'the other to be parked', sub {
    return $nginx->report->body =~ /"waiting_readers":1\b/
           && $nginx->client->get('/stub')->body =~ /Writing: 1 /;
});

is($poster->post('/c', "[1]\n[2]\n[3]\n",
                 'Content-Type' => 'application/x-ndjson')->status, 201,
   'three come');
is_deeply([ map { $_->{data}[0] } @{ $poll->response('GET')->json->{events} } ],
          [ 1, 2, 3 ], '    and the other has them in order');

$nginx->quit;
$nginx->no_alerts;

done_testing;
