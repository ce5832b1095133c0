# Several servers in the URI that are no replica set: the driver would write to
# whichever answers it last, two nodes to two of them, so the bus writes to none,
# and says so.  Routers of a cluster are several by right.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Fake;


Msgbus::Nginx->limit(60);

my @fake = map { Msgbus::Fake->new->start } 1 .. 2;
my $uri = 'mongodb://' . join(',', map { "127.0.0.1:$_->{port}" } @fake) . '/';

my $text = 'its uri names several servers, and the one that answers is of no '
         . 'replica set';

my $nginx = $fake[0]->node(uri => $uri, more => 'retry tries=1;')->start;

$fake[0]->until(15, 'an error of the database', sub {
    my ($status, $report) = $fake[0]->health($nginx);

    return ($report->{mongodb}{error} // '') eq $text;
});

pass('the report says what is wrong');
is($nginx->client->post('/a', '{}')->status, 503, 'nothing is stored');

my @lines = $nginx->log(0, 'error', 'can not use its store');

like($lines[0], qr/: \Q$text\E$/, 'the error log says it, too');

is_deeply([map { $_->documents } @fake], [], 'neither server has a document');

# routers say that they are

$_->set(hello => { msg => 'isdbgrid' }) for @fake;

$fake[0]->wait_until_up($nginx);
is($nginx->client->post('/a', '{}')->status, 201, 'routers are written to');

$nginx->quit;

# one server alone needs to be no set

$fake[1]->set(hello => {});
$nginx = $fake[1]->node->start;
$fake[1]->wait_until_up($nginx);
is($nginx->client->post('/a', '{}')->status, 201, 'and so is one server alone');

$nginx->quit;
$nginx->no_alerts;

done_testing;
