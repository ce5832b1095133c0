# A worker that is killed in the middle of a change counts as a rebuild, in each
# form that the numbers have, and a lock that is held for long is told.  What the
# dead worker had begun is not there; what it had acknowledged is.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Nginx;
use Msgbus::Torn;


Msgbus::Nginx->limit(60);

my $nginx = Msgbus::Nginx->new(
    workers  => 2,
    http     => 'msgbus_zone zone=bus:1m; msgbus_zone zone=other:1m;
                 msgbus_require_uuid off;',
    location => 'location / { msgbus bus; }
                 location /other/ { msgbus other; }
                 location = /report { msgbus_health bus; }
                 location = /status { msgbus_status; }',
);

my $torn = Msgbus::Torn->new($nginx)->start;

plan skip_all => 'nothing can be preloaded here' if !$torn->works;

sub zone {
    my ($name) = @_;

    return $nginx->client->get('/status?format=json')->json->{zones}{$name};
}

sub post { return $nginx->client(agent => 'a/1.0')->post(@_) }

is(post('/a', '[0]')->status, 201, 'an event');
is(zone('bus')->{rebuilds}, 0, 'nothing was taken back so far');


# --- killed, twice

for my $times (1, 2) {
    $torn->dies;
    is(post('/a', '["lost"]')->status, 0, 'a worker dies with a post in hand');
    ok($torn->done, '    in the middle of a change');

    $nginx->until(10, 'workers', sub { $nginx->worker_pids == 2 });

    is(post('/a', "[$times]")->status, 201, 'another one goes on');

    is(zone('bus')->{rebuilds}, $times, "$times such changes are told");
}

is(join(' ', map { $_->{data} }
        @{ $nginx->client(agent => 'b/1.0')->get('/a')->events }),
   '[0] [1] [2]', 'and what was acknowledged is there');
is(zone('bus')->{published}{events}, 3, '    and counts');
is(zone('other')->{rebuilds}, 0, 'another zone has none');

my %form = (prometheus  => 'msgbus_rebuilds_total{zone="bus"} 2',
            openmetrics => 'msgbus_rebuilds_total{zone="bus"} 2');

like($nginx->client->get("/status?format=$_")->body, qr/^\Q$form{$_}\E$/m, $_)
    for sort keys %form;

is($nginx->client->get('/report?verbose=true')->json->{rebuilds}, 2,
   'the report of health says so, too');

$nginx->reload;
is(zone('bus')->{rebuilds}, 2, 'a reload changes nothing');

is(scalar(() = $nginx->log(0, 'warn', 'died in the middle of a change')), 1,
   'the error log has one line of them in a minute');


# --- a lock that is held

my $before = zone('other')->{lock};
my $began = Msgbus::Nginx::now();

$torn->stands(0.15);
is(post('/other/a', '[]')->status, 201, 'a worker stands still with the lock');

my $took = Msgbus::Nginx::now() - $began;
my $after = zone('other')->{lock};

cmp_ok($before->{longest}, '<', 0.15, 'nobody had held it so long');
cmp_ok($after->{longest}, '>=', 0.15, 'now somebody has');
cmp_ok($after->{longest}, '<=', $took, '    and not longer than the post took');
cmp_ok($after->{holds}, '>', $before->{holds}, 'it counts as a hold');

$nginx->quit;
$nginx->no_alerts(@Msgbus::Nginx::KILLED);

done_testing;
