# There are 128 slots for the workers of a bus.  A worker that finds none, while
# those of before a reload are still there, gets one when they have left.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Nginx;


Msgbus::Nginx->limit(120);

my $workers = 70;

my $nginx = Msgbus::Nginx->new(
    workers  => $workers,
    http     => 'msgbus_zone zone=bus:2m first_id=1;',
    location => 'location / { msgbus bus; msgbus_require_uuid off; }',
)->start;

my @old = $nginx->worker_pids;

is(scalar @old, $workers, "$workers workers run");

# they do not hear that they are to leave

kill STOP => @old;

$nginx->reload(wait => 0, within => 60);

$nginx->until(60, 'the next ones', sub {
    my @lines = $nginx->log(0, 'warn', 'no slot');
    return @lines == 2 * $workers - 128;
});

my @without = map { /\[warn\] (\d+)#/ } $nginx->log(0, 'warn', 'no slot');

is(scalar @without, 2 * $workers - 128,
   @without . ' of as many after a reload get no slot');

kill CONT => @old;

my @now;

$nginx->until(60, 'slots for them', sub {
    @now = map { /\[notice\] (\d+)#/ } $nginx->log(0, 'notice', 'a slot');
    return @now >= @without;
});

is(join(' ', sort @now), join(' ', sort @without),
   'they get one when the others have left');

my $client = $nginx->client;

is($client->post('/a', '[1]')->status, 201, 'posts are stored');

$nginx->quit;
$nginx->no_alerts;

done_testing;
