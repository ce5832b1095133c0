# What a replica set says while another of its servers becomes the primary: it
# is not the primary, it shuts down, it cannot tell whether what it has done
# will last.  Each event is stored once all the same.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Law;
use Msgbus::Mongodb;
use Msgbus::Proxy;


Msgbus::Nginx->limit(120);

my $mongodb = Msgbus::Mongodb->new(own => 1)->start;
my $proxy = Msgbus::Proxy->new(to => $mongodb->{port})->start;
my $nginx = $mongodb->node(port => $proxy->{port})->start;

$mongodb->wait_until_up($nginx);

my $law = $mongodb->law($nginx, rate => 40);

my @faults = (
    ['answer error', insert => 10107, 'NotWritablePrimary'],
    ['answer error', insert => 189, 'PrimarySteppedDown'],
    ['answer error', insert => 11600, 'InterruptedAtShutdown'],
    ['answer error', insert => 91, 'ShutdownInProgress'],
    ['answer error', insert => 50, 'MaxTimeMSExpired'],
    ['answer error', find => 10107, 'NotWritablePrimary of a find'],
    ['answer concern', insert => 64, 'WriteConcernFailed'],
    ['answer concern', insert => 11602, 'InterruptedDueToReplStateChange'],
);

sleep 0.5;

my @at;

for (@faults) {
    my ($what, $command, $code, $title) = @$_;
    my $done = $proxy->done;

    $proxy->tell($what, $command => $code);
    $mongodb->until(10, "$title to happen", sub { $proxy->done > $done });
    push @at, [Msgbus::Law::now(), $title];

    # not before it is over: else two of them add up
    $mongodb->until(10, 'events to be stored again',
                    sub { $nginx->client->post('/x', '{}')->status == 201 });
    sleep 0.3;
}

sleep 1;

$law->end->kept;

$law->is_back(2, "$_->[1]: it goes on", $_->[0]) for @at;
$law->is_back(2, 'within 2 s', map { $_->[0] } @at);

is(scalar @at, scalar @faults, 'each has happened');

$mongodb->has_all_of($law);

# An insert that is late, and others of the same event are told of another
# primary until its poster is told 503: that they came to nothing does not say
# that the first did.

my $done = $proxy->done;

$proxy->tell('late request', insert => 12_000);
$proxy->tell('answer error', insert => 10107) for 1 .. 20;

my $r = $nginx->client(timeout => 30)->post('/late', '{}');

cmp_ok($proxy->done, '>=', $done + 2, 'an insert was late, others refused');
$proxy->tell('pass');
is($r->status, 503, 'a POST that was late');
like($r->body, qr/may have been stored/, 'may have been stored');
is($mongodb->ask(count => { channel => '/late' }), 0, 'it is not yet');
$mongodb->until(20, 'what is late to come',
                sub { $mongodb->ask(count => { channel => '/late' }) });
is($mongodb->ask(count => { channel => '/late' }), 1, 'and then it was');

$nginx->quit;
$nginx->no_alerts;

done_testing;
