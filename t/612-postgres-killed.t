# PostgreSQL is killed and started again below a FerretDB, under load: the
# connection of the module stays, and the commands on it fail for a while.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Law;
use Msgbus::Mongodb;


my $times = 3;

Msgbus::Nginx->limit(120);

my $mongodb = Msgbus::Mongodb->new(ferretdb => 1)->start;
my $nginx = $mongodb->node->start;

$mongodb->wait_until_up($nginx);

my $law = $mongodb->law($nginx, rate => 50);

my @back;

for (1 .. $times) {
    sleep 1;
    $mongodb->restart_postgres;
    $mongodb->until(20, 'PostgreSQL to recover',
                    sub { eval { $mongodb->ask('count'); 1 } });
    push @back, Msgbus::Law::now();
    sleep 1.5;
}

sleep 1;
$law->end->kept;

my $log = Msgbus::Nginx::slurp("$mongodb->{dir}/log");

cmp_ok(scalar(() = $log =~ /was not properly shut down/g), '==', $times,
       "PostgreSQL was killed and recovered $times times");

$law->is_back(2, 'within 2 s it is back', @back);

$mongodb->has_all_of($law);
$nginx->quit;
$nginx->no_alerts;

done_testing;
