# The database is killed and started again, five times, under load.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Law;
use Msgbus::Mongodb;


my $kills = 5;

Msgbus::Nginx->limit(120);

my $mongodb = Msgbus::Mongodb->new(own => 1)->start;
my $nginx = $mongodb->node->start;

$mongodb->wait_until_up($nginx);

my $law = $mongodb->law($nginx, rate => 50);

my ($killed, @back) = (0);

for my $i (1 .. $kills) {
    sleep 1;
    $killed++ if $mongodb->kill == 9;
    sleep 0.2 * $i;
    $mongodb->start_server;
    push @back, Msgbus::Law::now();
    sleep 1;
}

sleep 1.5;
$law->end->kept;

is($killed, $kills, "it was killed $kills times");

$law->is_back(2, 'within 2 s it is back', @back);

$mongodb->has_all_of($law);
$nginx->quit;
$nginx->no_alerts;

done_testing;
