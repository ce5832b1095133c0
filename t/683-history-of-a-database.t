# History from a MongoDB: pages of one channel, of several, of a subtree and of
# the whole bus are what it has, found by its indexes; and what has expired in
# it is forgotten.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/unit";

use JSON::PP ();
use List::Util qw( max );
use Test::More;
use Time::HiRes qw( time );

use History;
use Msgbus::Fake;
use Msgbus::Mongodb;
use Unit;


plan skip_all => Unit->lacks if Unit->lacks;

my $mongodb = Msgbus::Mongodb->new->start;

srand(my $seed = $ENV{SEED} || int time);
note("SEED=$seed");

$mongodb->ask(create_index => { keys => [[channel => 1], [_id => 1],
                                         [uuid => 1]],
                                name => 'get_events' });
$mongodb->ask(create_index => { keys => [[created_at => 1]], name => 'ttl',
                                expireAfterSeconds => 86400 });


# 500 channels below 20 others, and a rare one

my (@events, $id);
my $now = int(1000 * time);
my $count = $ENV{HISTORY_EVENTS} || 20_000;

for (1 .. $count) {
    $id += 1 + (rand() < 0.01 ? int rand 1000 : 0);

    push @events, [$id, $_ % 7_000 == 100 ? '/rare/one'
                        : '/t/' . int(rand 20) . '/' . int(rand 25),
                   'u' . int rand 3];
}

for (my $i = 0; $i < @events; $i += 2000) {
    $mongodb->ask(insert => { events => [map {
        { _id => $_->[0], channel => $_->[1], uuid => $_->[2],
          user_agent => 'x', data => '{"n":' . $_->[0] . '}',
          created_at => $now }
    } @events[$i .. ($i + 1999 < $#events ? $i + 1999 : $#events)]] });
}

my $history = History->new($mongodb, ttl => 86400);

my %questions = (
    'a channel' => { scopes => ['/t/3/4'], max => 20 },
    'a rare one' => { scopes => ['/rare/one'] },
    'none' => { scopes => ['/none'] },
    'its parents' => { scopes => ['/t/3/4', '/t/3', '/t'], max => 20 },
    'a subtree' => { scopes => ['/t/3/'], max => 100 },
    'a rare subtree' => { scopes => ['/rare/'] },
    'several' => { scopes => ['/t/1/1', '/t/2/', '/rare/one'], max => 50 },
    'thirty-two' => { scopes => ['/t/1/', '/t/2', '/t/9/',
                                 map { "/t/3/$_" } 1 .. 29], max => 50 },
    'the whole bus' => { scopes => ['/'], max => 500 },
    'without a poster' => { scopes => ['/t/5/'], hide => 'u1', max => 50 },
    'the whole bus without one' => { scopes => ['/'], hide => 'u2' },
);


# what is asked for on the wire, by a fake that has no events

my $fake = Msgbus::Fake->new->start;
my $wire = History->new($fake, ttl => 86400);

$wire->ask(scopes => ['/'], upto => 1);

sub queries {
    my (%q) = @_;

    $fake->finds;
    $wire->ask(%q);

    return $fake->finds;
}


for my $name (sort keys %questions) {
    my %q = (%{ $questions{$name} }, upto => $id);

    for my $back (0, 1) {
        $q{after} = int($id * 0.3);
        $q{newest_first} = $back;

        my $begin = time;
        my @pages = $history->pages(%q);
        my $ms = 1000 * (time - $begin) / @pages;

        is_deeply([map { @{ $_->{ids} } } @pages],
                  [History::wanted(\@events, %q)],
                  "$name, " . ($back ? 'newest first' : 'oldest first'));
        note(sprintf "%d pages, %.1f ms each", scalar @pages, $ms);
    }

    # FerretDB tells of PostgreSQL's plan, MongoDB of its own

    for my $find (queries(%q)) {
        my $plan = JSON::PP->new->canonical->encode(
            $mongodb->ask(explain => { filter => $find->{filter},
                                       sort => $find->{sort},
                                       limit => $find->{limit} }));

        unlike($plan, qr/Seq Scan|COLLSCAN/, "$name is found by an index")
            or diag($plan);
        note($plan) if $ENV{HISTORY_PLANS};
    }
}

done_testing;
