# The picture of docs/dev/design.md is that of the sources, and its table names each
# room; tools/house, which makes the one and looks after both, sees what changes.

use strict;
use warnings;

use Cwd qw( abs_path );
use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Spoiled;


my $tool = abs_path("$FindBin::Bin/../tools/house");

is(`'$tool' --check 2>&1`, '', 'docs/house.svg and docs/dev/design.md are of src/');
is($?, 0, 'and the tool says so by its exit status');


# a small house: a handler that uses the log by way of the bus

my $bus_c = 'src/bus/ngx_msgbus_bus.c';
my $http_c = 'src/http/ngx_http_msgbus_read.c';
my $page = 'docs/dev/design.md';

my %good = (
    'src/base/ngx_msgbus_time.h' => '',
    'src/log/ngx_msgbus_log.c'   => qq(#include "ngx_msgbus_time.h"\n),
    'src/log/ngx_msgbus_log.h'   => '',
    'src/bus/ngx_msgbus.h'       => '',
    $bus_c  => qq(#include "ngx_msgbus.h"\n#include "ngx_msgbus_log.h"\n),
    $http_c => qq(#include <string.h>\n#include "ngx_msgbus.h"\n),
    $page   => "src/base/ngx_msgbus_time.h src/log/ngx_msgbus_log.[ch]\n"
               . "$bus_c src/bus/ngx_msgbus.h $http_c\n",
    'docs/house.svg' => '',
);

my ($rc, $said) = Msgbus::Spoiled->new(\%good, sub {
    return "'$tool' '$_[0]' && cat '$_[0]/docs/house.svg'";
})->run;

is($rc, 0, 'a house is drawn');
like($said, qr{>src/$_<}, "with its floor $_") for qw( http bus log base );
like($said, qr{>$_<}, "and its room $_") for qw( read bus msgbus.h log time );

$good{'docs/house.svg'} = $said;

my $house = Msgbus::Spoiled->new(\%good, sub { return "'$tool' --check '$_[0]'" });

($rc, $said) = $house->run;

is($rc, 0, 'what it has drawn is of the sources');
is($said, '', 'and nothing is to be said');

my $old = 'docs/house.svg is not of these sources';

$house->spoil($old, $bus_c, qq(#include "ngx_msgbus_log.h"\n) => '');
$house->spoil($old, $http_c, '<string.h>' => '"ngx_msgbus_time.h"');
$house->spoil($old, 'docs/house.svg', '>read<' => '>write<');
$house->spoil("nothing of src/bus/ngx_msgbus.h", $page,
              'src/bus/ngx_msgbus.h ' => '');
$house->spoil("there is no src/log/ngx_msgbus_map.c", $page,
              "$bus_c " => "$bus_c src/log/ngx_msgbus_map.c ");

($rc, $said) = $house->run(
    'src/bus/ngx_msgbus.h' => qq(#include "ngx_msgbus_bus.h"\n),
    'src/bus/ngx_msgbus_bus.h' => '',
);

isnt($rc, 0, 'a circle cannot be drawn');
like($said, qr/bus.* includes .*bus/, 'and is told');

done_testing;
