# A long-poll from the beginning that comes before the database has answered gets
# all that it has, and not only what fits into memory.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Fake;


Msgbus::Nginx->limit(60);

my $fake = Msgbus::Fake->new->start;

sub node {
    return $fake->node(
        workers => 1, size => '1m', zone => 'ttl=1h max_events=10',
        uri => $fake->uri,
        location => 'location / { msgbus bus; } msgbus_require_uuid off;',
    )->start;
}

my $before = node();

$fake->wait_until_up($before);
$before->client(agent => 'poster/1.0')->post('/a', "[$_]") for 1 .. 40;
$before->quit;

$fake->set(away => 1);

my $nginx = node();
my $uri = '/a?echo=true&wait=20';

my @readers = map {
    my $client = $nginx->client(agent => 'reader/1.0');

    $client->connect;
    $client->send($client->format(GET => $_));
    $client;
} "$uri&last-known-id=0", $uri;

$nginx->wait_for_readers(2);
$fake->set(away => 0);

my @got = map { $_->response } @readers;

is(scalar @{ $got[0]->json->{events} }, 40, 'from the beginning: all');
is(scalar @{ $got[1]->json->{events} }, 10,
   'without a cursor: what is in memory');

$nginx->quit;
$nginx->no_alerts;

done_testing;
