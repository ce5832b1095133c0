# How many events the database has is nothing to a start: no query counts them.
# Holes between their ids cost a few more queries, and no event that there is
# room for.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Fake;


Msgbus::Nginx->limit(60);

my $many = 3000;
my $fake = Msgbus::Fake->new->start;

sub node {
    my ($size) = @_;

    # it is about what is in memory

    return $fake->node(workers => 1, size => $size,
                       location => 'location / { msgbus bus; }
                                    msgbus_history off;',
                       uri => $fake->uri . '?socketTimeoutMS=500')->start;
}

# what a reader gets who has the first event, and whether it is told of a gap

sub events {
    my ($nginx) = @_;

    my $r = $nginx->client->get('/a?echo=true&last-known-id=1'
                                . '&max-events=500');

    return ([map { $_->{id} } @{ $r->events }], $r->gap ? 1 : 0);
}

# a database in which a skip takes its time, longer than a query may take

$fake->put(map { $fake->event($_) } 1 .. $many);
$fake->set(skip_cost => 0.01);

my $nginx = node('256k');

$fake->wait_until_up($nginx);
$fake->wait_for_id($many, $nginx);

my ($ids, $gap) = events($nginx);

cmp_ok($many - $ids->[0], '>', 500, 'as many events as there is room for');
is_deeply($ids, [$ids->[0] .. $ids->[0] + 499], 'are there without a hole');
is($gap, 1, 'what is older is told of');
is($fake->counts->{getMore} // 0, 0, 'a look is one question and one answer');

$nginx->quit;

# holes: few events, far apart

$fake->remove({ _id => { '$gt' => Msgbus::Fake::long(30) } });

my @ids = (1 .. 30, map { my $far = $_ * 1_000_000; $far .. $far + 9 } 1 .. 8);

$fake->put(map { $fake->event($_) } @ids[30 .. $#ids]);

$nginx = node('1m');
$fake->wait_until_up($nginx);
$fake->wait_for_id($ids[-1], $nginx);

($ids, $gap) = events($nginx);
is_deeply([1, @$ids], \@ids, 'holes leave no event out that has room');
is($gap, 0, 'and nobody is told of a gap');

$nginx->quit;

# where there are more holes than are looked at, the newest events are there,
# and the rest is told of

$fake->put(map { $fake->event($_ * 1_000_000) } 9 .. 100);
$nginx = node('1m');
$fake->wait_until_up($nginx);
$fake->wait_for_id(100_000_000, $nginx);

($ids, $gap) = events($nginx);
cmp_ok(@$ids, '>=', 16, 'of very many holes, some are looked behind');
is_deeply($ids, [map { $_ * 1_000_000 } 101 - @$ids .. 100],
          'the newest events are there');
is($gap, 1, 'what is older is told of');

$nginx->quit;
$nginx->no_alerts;

done_testing;
