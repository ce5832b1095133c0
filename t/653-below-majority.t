# A number as write concern: health and the error log warn where it is not
# known to be a majority.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Mongodb;
use Msgbus::Proxy;


Msgbus::Nginx->limit(120);

my $mongodb = Msgbus::Mongodb->new(own => 1)->start;
my $proxy = Msgbus::Proxy->new(to => $mongodb->{port})->start;

my $warning = 'the write concern is below majority: '
              . 'a failover may lose events';
my $line = qr/the write concern of msgbus_mongodb "main" is below majority/;

my @cases = (
    # options, members that the server tells, is there a warning?
    ['', undef, 0],
    ['?w=majority', undef, 0],
    ['?w=1', 3, 1],
    ['?w=2', undef, 1],
    ['?w=2', 3, 0],
    ['?w=2', 4, 1],
    ['?w=2', 5, 1],
    ['?w=3', 5, 0],
    ['?w=1', 1, 0],
);

for (@cases) {
    my ($options, $members, $warned) = @$_;
    my $title = ($options || 'no option')
                . ($members ? ", $members members" : ', members not known');
    my $done = $proxy->done;

    $proxy->tell('answer members', isMaster => $members) if $members;

    my $nginx = $mongodb->node(workers => 1,
                               uri => $mongodb->uri($proxy->{port})
                                      . $options)->start;
    $mongodb->wait_until_up($nginx);

    my (undef, $report) = $mongodb->health($nginx);
    my @found = grep { $_ eq $warning }
                @{ $report->{warnings} };

    is($proxy->done, $done + ($members ? 1 : 0), "$title: as said");
    is(scalar @found, $warned, 'health warns' . ($warned ? '' : ' not'));
    is(scalar $nginx->log(0, 'warn', $line), $warned, 'so does the error log');

    $nginx->quit;
    $nginx->no_alerts;
}

done_testing;
