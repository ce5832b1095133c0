# What another program has written into the collection is taken where it is an
# event: a whole number from 1 to 2^53 - 1 as _id.  All else is passed over, and
# told once.  Times that are far from now stay with their event.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(time);

use Msgbus::Fake;


Msgbus::Nginx->limit(60);

my $fake = Msgbus::Fake->new->start;

sub odd {
    my ($n) = @_;

    my @ids = (
        Msgbus::Fake::object_id(sprintf '%024x', $n), "text$n",
        Msgbus::Fake::long(-$n), Msgbus::Fake::double(10.5 + $n),
        Msgbus::Fake::double(1e300 * $n), { deep => $n },
        "900719925474100$n", "1000000000000000$n",
        "900000000000000000$n",
    );

    $fake->put(map { $fake->event($_, data => '{"odd":1}') } @ids);
}

my @taken = (1, Msgbus::Fake::long(5), Msgbus::Fake::double(8));

odd(1);
$fake->put(map { $fake->event($_) } Msgbus::Fake::long(0), @taken);

# created far from now: before 1970, after all of us

my $far = '253370764800000';

$fake->put($fake->event(9, created_at => Msgbus::Fake::date('-1000000000000')),
           $fake->event(10, created_at => Msgbus::Fake::date($far)));

my $nginx = $fake->node(more => 'poll 50ms; retry tries=5 delay=200ms;')->start;

$fake->wait_until_up($nginx);

my $client = $nginx->client;

sub seen {
    my ($cursor) = @_;

    return join ' ', map { $_->{id} }
           @{ $client->get("/a?echo=true&last-known-id=$cursor")->events };
}

is(seen(0), '1 5 8 9 10', 'events are those with ids that can be one');

my $r = $client->post('/a', '{"mine":1}');

is($r->status . ' ' . ($r->id // ''), '201 11', 'ids go on behind them');

my %mine = map { $_->{_id} => $_ } $fake->documents;
my $created = $mine{11}{created_at};

cmp_ok(abs($created / 1000 - time), '<', 90, 'at a time that is about now');

# more of them, while the bus runs

odd(2);
$fake->put($fake->event(12));

$r = $client->post('/a', '{"mine":2}');
is($r->status . ' ' . ($r->id // ''), '201 13', 'likewise of those that come');
is(seen(10), '11 12 13', 'and readers go on');

my ($status, $report) = $fake->health($nginx);

is_deeply([grep { /passed over/ } @{ $report->{warnings} }],
          ['documents whose _id is no whole number from 1 to 2^53 - 1 are '
           . 'passed over'], 'the report of health says so');

my @lines = $nginx->log(0, 'warn', 'passes over documents of "main"');

is(@lines, 1, 'and the log, once');

# what has the id of an event and can not be shown

$fake->put(map { $fake->event(13 + $_, data => 'no JSON') } 1 .. 200);
$fake->put($fake->event(214));
$fake->until(10, 'them to be passed over', sub { seen(13) eq '214' });

@lines = $nginx->log(0, 'warn', 'passes over event');

is(@lines, 1, 'those that can not be shown are told of once a minute');

is($nginx->client->get('/health')->status, 200, 'the bus is well');

$nginx->quit;

# where only such documents are, the bus begins with its own first id

my $other = Msgbus::Fake->new->start;

$other->put($other->event(Msgbus::Fake::object_id('0' x 24)),
            $other->event('1' . '0' x 16));

$nginx = $other->node->start;
$other->wait_until_up($nginx);

like($nginx->client->post('/a', '{}')->id, qr/^[1-9]\z/,
     'and a database without any event is an empty one');

$nginx->quit;
$nginx->no_alerts;

done_testing;
