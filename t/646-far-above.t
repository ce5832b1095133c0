# Somebody writes an id far above the newest one, which no insert meets: also
# a node that posts without a pause goes on above it within a second.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(time);

use Msgbus::Law;
use Msgbus::Mongodb;


Msgbus::Nginx->limit(60);

my $mongodb = Msgbus::Mongodb->new->start;
my $nginx = $mongodb->node->start;

$mongodb->wait_until_up($nginx);

my $client = $nginx->client;
my $last = 0;


sub post_for {
    my ($seconds) = @_;

    my $until = time + $seconds;
    my $n = 0;

    while (time < $until) {
        $last = $client->post('/a', '{"n":1}')->id // die 'not stored';
        $n++;
    }

    return $n;
}


cmp_ok(post_for(2), '>', 10, 'posts without a pause');

my $far = $last + 5000;

$mongodb->ask(insert => { events => [{
    _id => $far, channel => '/a', data => '{"n":2}', user_agent => 'x',
    uuid => 'x', created_at => int(1000 * time),
}] });

post_for(1 * $Msgbus::Nginx::PATIENCE);

cmp_ok($last, '>', $far, 'ids go on above it');

my $r = $client->get('/a?echo=true&last-known-id=' . ($far - 1));

is($r->events->[0]{id}, $far, 'and it is read in its place');

$nginx->quit;
$nginx->no_alerts;

done_testing;
