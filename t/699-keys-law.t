# 16 clients post the same 1,000 keys at once to two nodes on one database, with
# killed workers, reloads, a database that stands still, connections to it that
# break, and connections of their own that they cut; each is posted again until
# there is an id.  Each key is stored once, and each client is told the same id.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Mongodb;
use Msgbus::Proxy;
use Msgbus::Retriers;


Msgbus::Nginx->limit(180);

my $mongodb = Msgbus::Mongodb->new(own => 1)->start;
my $proxy = Msgbus::Proxy->new(to => $mongodb->{port})->start;
my @nginx = ($mongodb->node(workers => 4)->start,
             $mongodb->node(workers => 4, port => $proxy->{port})->start);

$mongodb->wait_until_up(@nginx);

my $retriers = Msgbus::Retriers->new(to => [map { $_->{port} } @nginx],
                                     dir => $nginx[0]{dir})->start;

my @harm = (
    sub { $proxy->tell('cut reply', insert => 10) },
    sub { $nginx[0]->kill_worker(($nginx[0]->worker_pids)[0]) },
    sub { $proxy->tell('lose reply', 'insert') },
    sub { $mongodb->stall; sleep 0.7; $mongodb->resume },
    sub { $nginx[1]->kill_worker(($nginx[1]->worker_pids)[-1]) },
    sub { $proxy->tell('cut request', insert => 100) },
    sub { $nginx[0]->reload(wait => 0) },
);
my $harms = 0;

while ($retriers->left) {
    $harm[$harms++ % @harm]->();
    sleep 0.3;

    last if $harms == 4 * @harm;
}

$proxy->tell('pass');
$retriers->wait(60);

cmp_ok($harms, '>=', scalar @harm, "$harms times something happened");

my $newest = (sort { $b <=> $a } map { $_->{id} }
              Msgbus::Retriers::stored($nginx[0]))[0];

$mongodb->wait_for_id($newest, @nginx);

my $had = $retriers->kept(@nginx);

cmp_ok($had->{true} // 0, '>', 10_000, 'most answers were given again');
cmp_ok($had->{cut} // 0, '>', 0, 'and some nobody waited for');
is($mongodb->ask(count => { channel => '/law' }), $retriers->all,
   'the database has no more than these');

$_->quit for @nginx;

done_testing;
