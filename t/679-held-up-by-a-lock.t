# What a lock in the database holds up is given up by the server before the bus
# gives it up: nothing is stored later, when its poster has been told that it may
# not have been.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Fake;


Msgbus::Nginx->limit(60);

my $fake = Msgbus::Fake->new->start;

# a ttl of 120s: the newest event is made young again after a minute

$fake->put($fake->event(1, created_at =>
                           Msgbus::Fake::date(int(1000 * (time - 90)))));

my $nginx = $fake->node(workers => 1,
                        uri => $fake->uri . '?socketTimeoutMS=400',
                        more => 'poll off; retry tries=2 delay=500ms;')
    ->start;

$fake->wait_until_up($nginx);

my $client = $nginx->client;

is($client->post('/a', '{"n":"before"}')->status, 201, 'posts are stored');

$fake->set(locked => 1);

my $r = $client->post('/a', '{"n":"locked"}');

is($r->status, 503, 'while there is a lock they are refused');
like($r->body, qr/The store does not answer/, 'because of the database');

# until no insert waits for the lock any more: they come in turn

sleep 1 * $Msgbus::Nginx::PATIENCE;

$fake->set(locked => 0);
sleep 0.3;
$fake->until(15, 'posts to be stored again', sub {
    return $client->post('/a', '{"n":"after"}')->status == 201;
});

my @stored = grep { $_ ne 'after' }
             map { $_->{data} =~ /"n":"(\w+)"/ ? $1 : () } $fake->documents;

is("@stored", 'before', 'what was refused is not stored once the lock is gone');

# updates, too: of the newest event, and of the counter

my ($counter) = $fake->documents('counters');

cmp_ok($counter->{c}, '>=', 1, 'the counter was raised');

my $limits = $fake->limits;

is_deeply([sort keys %$limits], ['insert', 'update'], 'two commands write');
is_deeply([grep { $_ != 300 } map { @$_ } values %$limits], [],
          'each says that it may take three quarters of the time-out');

$nginx->quit;
$nginx->no_alerts;

done_testing;
