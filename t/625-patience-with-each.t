# Each post waits for the database as long as it may, from its own beginning,
# whoever came before it: one that was stored, one that waits, one that has left.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Fake;


Msgbus::Nginx->limit(60);

my $patience = 1.2;
my $fake = Msgbus::Fake->new->start;
my $nginx = $fake->node(
    workers => 1,
    more    => 'retry tries=4 delay=300ms;',
)->start;

$fake->wait_until_up($nginx);

my ($first, $leaver, @posters) = map { $nginx->client } 1 .. 5;

is($first->post('/a', '{"n":0}')->status, 201, 'one that is stored');
$_->connect for $leaver, @posters;

sleep 0.5 * $patience;
$fake->set(away => 1);

# the first one would have waited to the middle of these

my @begun;

for my $n (0 .. $#posters) {
    $leaver->send($leaver->format(POST => '/a', '{"n":"left"}')) if $n == 0;

    $begun[$n] = Msgbus::Client::now();
    $posters[$n]->send($posters[$n]->format(POST => '/a', qq({"n":$n})));
    sleep 0.15 * $patience;

    $leaver->close if $n == 0;
}

for my $n (0 .. $#posters) {
    my $r = $posters[$n]->response('POST');
    my $took = Msgbus::Client::now() - $begun[$n];

    is($r->status, 503, "post $n is given up");
    cmp_ok($took, '>', 0.9 * $patience, 'not before its time');
    cmp_ok($took, '<', $patience + 2 * $Msgbus::Nginx::PATIENCE, 'and then');
}

$fake->set(away => 0);
$fake->wait_until_up($nginx);

is($first->post('/a', '{"n":9}')->status, 201, 'the database is back');

$nginx->quit;
$nginx->no_alerts;

done_testing;
