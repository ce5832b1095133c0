# Eight posters write to sixteen channels of a bus that four workers share,
# while three readers follow all of the channels.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Law;
use Msgbus::Nginx;


Msgbus::Nginx->limit(120);

my $nginx = Msgbus::Nginx->new(
    workers  => 4,
    http     => 'msgbus_zone zone=bus:64m ttl=120s;',
    location => 'location / { msgbus bus; }',
)->start;

my $law = Msgbus::Law->new(nginx => $nginx, posters => 8, channels => 16,
                           pollers => 3)->begin;
sleep 6;

$law->end->kept;

is($law->{lost}, 0, 'no connection is lost');
is_deeply($law->{refused}, [], 'no event is refused');

$nginx->quit;
$nginx->no_alerts;

done_testing;
