# limit_conn counts a reader for as long as it waits.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Documented;


Msgbus::Nginx->limit(60);

my $nginx = Msgbus::Documented->recipe('Waiting subscribers')->start;
my @waiting = map { $nginx->client(agent => "reader/1.0 uuid/$_") } 1 .. 2;
my $client = $nginx->client;
my $wait = '/a?last-known-id=latest&wait=20';

$_->send($_->format(GET => $wait)) for @waiting;

my $r;

$nginx->until(5, 'two to wait', sub {
    $r = $client->get('/a?echo=true');
    return $r->status == 503;
});

is($r->status, 503, 'while as many wait as may, others are refused');
is($r->body, '{ "message": "Service Unavailable" }', 'as JSON');
is($client->post('/a', '[1]')->status, 503, 'who posts, too');
ok($client->{sock}, 'their connection lives on');
ok(!$_->is_closed, 'and who waits goes on to wait') for @waiting;

# one leaves

$waiting[0]->close;

$nginx->until(5, 'a place', sub {
    $r = $client->post('/a', '[2]');
    return $r->status != 503;
});

is($r->status, 201, 'when one leaves, there is a place');

$r = $waiting[1]->response;

is($r->status, 200, 'who waits is answered');
is($r->events->[0]{data}, '[2]', 'with what it waited for');

# an answer ends it too, and an idle connection does not count

my @idle = map { $nginx->client } 1 .. 5;

is($_->get('/a?echo=true')->status, 200, 'idle connections do not count')
    for @idle, @idle;

for my $time (1 .. 3) {
    my @again = map { $nginx->client(agent => "reader/1.0 uuid/$_") } 1 .. 2;

    $_->send($_->format(GET => '/b?last-known-id=latest&wait=1')) for @again;

    is(join(' ', map { $_->response->status } @again), '204 204',
       'nor do those whose time is over');
}

$nginx->quit;
$nginx->no_alerts;

done_testing;
