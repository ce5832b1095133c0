# The database stands still for 5 seconds under load.  Readers do not notice;
# posters wait, or are told why not; all goes on when it does.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Law;
use Msgbus::Mongodb;


my $seconds = 5;

Msgbus::Nginx->limit(90);

my $mongodb = Msgbus::Mongodb->new(own => 1)->start;
my $nginx = $mongodb->node->start;

$mongodb->wait_until_up($nginx);

my ($status, $report) = $mongodb->health($nginx);

is("$status $report->{status} $report->{store}", '200 ok mongodb',
   'health when all is well');
ok($report->{mongodb}{reachable}, 'the database is reachable');

my $law = $mongodb->law($nginx, rate => 50);

sleep 2;
$law->wait_for_stored(20);

$mongodb->stall;

my $stalled = Msgbus::Law::now();

# no later than a command's time-out and a try to connect again take

$mongodb->until(10, 'health to tell',
                sub { $nginx->client->get('/health')->status != 200 });

($status, $report) = $mongodb->health($nginx);

is("$status $report->{status}", '503 down', 'health when it stands still');
ok(!$report->{mongodb}{reachable}, 'the report says that it is not reachable');
cmp_ok(length($report->{mongodb}{error} // ''), '>', 0, 'and why');
is($nginx->client->get('/health')->status, 503, 'a balancer sees it too');

my $left = $stalled + $seconds - Msgbus::Law::now();

sleep $left if $left > 0;

my $resumed = Msgbus::Law::now();

$mongodb->resume;
$mongodb->wait_until_up($nginx);
sleep 3;

($status, $report) = $mongodb->health($nginx);
is("$status $report->{status}", '200 ok', 'health when it goes on');

$law->end->kept;

cmp_ok($law->longest_pause($stalled, $resumed), '>', $seconds - 1,
       'nothing was acknowledged while it stood still');

$law->is_back(2, 'within 2 s it is back', $resumed);

cmp_ok(scalar(grep { $_->[0] eq 'answer' } map { @$_ }
              values %{ { $law->records('poller') } }),
       '>', 1000, 'readers read on');

$mongodb->has_all_of($law);
$nginx->quit;
$nginx->no_alerts;

done_testing;
