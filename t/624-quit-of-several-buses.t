# Several buses whose databases stand still keep nginx no longer from its end
# than one.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Mongodb;


Msgbus::Nginx->limit(90);

my $mongodb = Msgbus::Mongodb->new(own => 1)->start;

# commands do not end by themselves while it is looked

my $http = $mongodb->http(size => '1m') =~ s/ timeout 2s;/ timeout 60s;/r;
my $location = 'location / { msgbus bus; }';

for my $name (qw(b c d e)) {
    $http .= "msgbus_zone zone=$name:1m store=main;\n";
    $location .= "location /$name/ { msgbus $name; }";
}

my $nginx = Msgbus::Nginx->new(workers => 1, http => $http,
                               location => $location)->start;

$mongodb->until(15, 'all buses to be up', sub {
    return !grep { $nginx->client->get("$_/health")->status != 200 }
                 '', qw(/b /c /d /e);
});

# each of them polls, and so is in a call

$mongodb->stall;
sleep 1;

my $took = $nginx->quit(30);

cmp_ok($took, '>', 1, sprintf 'a quit waits for databases: %.1f s', $took);
cmp_ok($took, '<', 3 + 3 * $Msgbus::Nginx::PATIENCE,
       'and for all at once');

$mongodb->resume;
$nginx->no_alerts;

done_testing;
