# nginx is reloaded twenty times while the database stands still.  Old workers
# end in time; what they had accepted is stored or refused, never both.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Law;
use Msgbus::Mongodb;


my $reloads = 20;

Msgbus::Nginx->limit(150);

my $mongodb = Msgbus::Mongodb->new(own => 1)->start;
my $nginx = $mongodb->node->start;

$mongodb->wait_until_up($nginx);

my $law = $mongodb->law($nginx, rate => 50);

sleep 1.5;

$mongodb->stall;
sleep 0.3;

my %old;

for (1 .. $reloads) {
    $old{$_} = 1 for @{ $nginx->reload(wait => 0) };
    sleep 0.2;
}

$nginx->wait_for_end_of([keys %old], 10);
pass('all old workers have ended within 10 s');

my $resumed = Msgbus::Law::now();

$mongodb->resume;
sleep 3;

$law->end->kept;

cmp_ok(scalar(keys %old), '>=', 2 * $reloads,
       "$reloads reloads have replaced " . keys(%old) . ' workers');
$law->is_back(2, 'within 2 s it is back', $resumed);

$mongodb->has_all_of($law);
$nginx->quit;
$nginx->no_alerts;

done_testing;
