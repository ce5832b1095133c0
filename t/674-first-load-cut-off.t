# The database goes away while a node that starts reads its events, and some of
# those that are still to be read expire meanwhile: readers of the first ones are
# told of a gap.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Fake;


Msgbus::Nginx->limit(60);

my $fake = Msgbus::Fake->new->start;

$fake->put(map { $fake->event($_, data => qq({"n":$_})) } 1 .. 3000);

# a look is 1,000 events

$fake->set(unreadable => 1000);

my $nginx = $fake->node->start;
my $client = $nginx->client;

sub read_after {
    my ($cursor) = @_;

    my $r = $client->get("/a?echo=true&last-known-id=$cursor&max-events=1");

    return join ' ', $r->gap ? 'gap' : 'ok', map { $_->{id} } @{ $r->events };
}

$fake->until(10, 'the first events to be read',
             sub { read_after(999) eq 'ok 1000' });

$fake->remove({ _id => { '$lte' => Msgbus::Fake::long(1500) } });
$fake->set(unreadable => undef);
$fake->wait_until_up($nginx);

is(read_after(1000), 'gap 1501', 'what expired before it was read is a gap');
is(read_after(1500), 'ok 1501', 'which ends where events go on');
is(read_after(1501), 'ok 1502', 'and there is none behind it');

$nginx->quit;
$nginx->no_alerts;

done_testing;
