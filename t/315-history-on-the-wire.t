# What history asks a MongoDB for: the whole bus by its ids, channels by RSE's
# index in windows of ids, wide where there is little, so that no question costs
# much more than a page.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/unit";

use List::Util qw( max sum0 );
use Test::More;

use History;
use Msgbus::Fake;
use Unit;


plan skip_all => Unit->lacks if Unit->lacks;

my @sanitize = Unit->takes(@Unit::SANITIZE)
    ? (@Unit::SANITIZE, '-fno-sanitize=leak') : ();
$ENV{ASAN_OPTIONS} = 'detect_leaks=0';

srand(my $seed = $ENV{SEED} || time);
note("SEED=$seed");

my $fake = Msgbus::Fake->new->start;
my $history = History->new($fake, ttl => 86400, timeout => 2000,
                           flags => \@sanitize);


# ids rise with holes; a subtree that is dense, one that is rare

my @channels = ('/a', '/a/b', '/a/b/c', '/a-b', '/a0', '/ab', '/b', '/b/x');
my (@events, $id);

for (1 .. 3000) {
    $id += 1 + (rand() < 0.1 ? int rand 50 : 0);

    push @events, [$id, $_ % 1000 == 7 ? '/rare/one'
                        : $channels[rand @channels], 'u' . int rand 3];
}

my $now = int(1000 * time);

$fake->put(map { $fake->event($_->[0], channel => $_->[1], uuid => $_->[2],
                              data => '{"n":1}') } @events);
$history->ask(scopes => ['/none'], upto => 1);


# a question, and what it came to on the wire

sub asked {
    my (%q) = @_;

    $fake->finds;
    my $page = $history->ask(%q);

    return ($page, grep { $_->{filter}{_id}{'$lte'}
                          || $_->{filter}{'$or'} } $fake->finds);
}

my $lte = sub { $_[0]{filter}{_id}{'$lte'} };

my ($page, @finds) = asked(scopes => ['/b'], after => 100, upto => $id,
                           max => 20);

is(@finds, 1, 'one channel is one query');
is_deeply($finds[0]{filter},
          { channel => '/b', _id => { '$gt' => 100, '$lte' => 1380 } },
          'by what its index begins with');
is_deeply($finds[0]{sort}, { _id => 1 }, 'and in the order that it has');
is($finds[0]{readConcern}{level}, 'majority', 'of what stays');
cmp_ok($finds[0]{maxTimeMS}, '<', 2000,
       'the server gives up before we do');
is($page->{examined}, $page->{ids}[-1], 'a page that is full ends there');
is($page->{floor}, $events[0][0] - 1, 'and nothing is missing before the oldest event');

($page, @finds) = asked(scopes => ['/'], upto => $id, max => 20);
is_deeply([@finds == 1, sort keys %{ $finds[0]{filter} }], [1, '_id'],
          'the whole bus is one query by the ids');

($page, @finds) = asked(scopes => ['/a', '/b'], upto => $id, max => 20);
is_deeply($finds[0]{filter}{channel}, { '$in' => ['/a', '/b'] },
          'parents are one query for all of them');
cmp_ok($lte->($finds[0]), '<', $id, 'over a window of ids');

($page, @finds) = asked(scopes => ['/a/'], upto => $id, max => 5);
is_deeply([map { $_->{channel} } @{ $finds[0]{filter}{'$or'} }],
          ['/a', { '$gte' => '/a/', '$lt' => '/a0' }],
          'a subtree is a channel, and a range of names');
cmp_ok(@finds, '<=', 2, 'where it is dense, a window is enough, or two');

($page, @finds) = asked(scopes => ['/rare/'], upto => $id, max => 500);
is_deeply($page->{ids}, [History::wanted(\@events, scopes => ['/rare/'],
                                         upto => $id)],
          'where it is rare, all of it is found');
cmp_ok(@finds, '<=', 5, 'in a few windows, each wider than the last');

($page, @finds) = asked(scopes => ['/b'], hide => 'u1', upto => $id, max => 9);
is_deeply($finds[0]{filter}{uuid}, { '$ne' => 'u1' },
          'who is hidden, is so by the database');
cmp_ok($lte->($finds[0]), '<', $id, 'which has to look at a window only');


# pages one after the other are what there is, whatever is asked for

for (1 .. 60) {
    my %q = (scopes => [map { (@channels, '/rare/one', '/a/', '/rare/', '/',
                               '/a/b/', '/none', '/b/x/y/')[rand 15] }
                        0 .. rand() * 3],
             after => int rand $id, max => 1 + int rand 200,
             newest_first => int rand 2);
    $q{upto} = $q{after} + 1 + int rand($id - $q{after});
    $q{hide} = 'u' . int rand 4 if rand() < 0.3;
    $q{bytes} = 1 + int rand 500 if rand() < 0.3;

    my @pages = $history->pages(%q);
    my @got = map { @{ $_->{ids} } } @pages;

    if ("@got" ne join ' ', History::wanted(\@events, %q)) {
        fail("pages of @{ $q{scopes} }");
        diag(explain(\%q));
        last;
    }

    if (max(map { scalar @{ $_->{ids} } } @pages) > $q{max}) {
        fail('a page has what was asked for at most');
        last;
    }

    pass('pages, one after the other, are what there is') if $_ == 60;
}


# a server that takes too long for a wide window: what was read counts

$fake->set(wide => 3000);
($page) = asked(scopes => ['/rare/'], upto => $id, max => 100);
ok(!$page->{error}, 'a window that takes too long ends the page');
cmp_ok($page->{examined}, '>', 0, 'and the next one goes on there');

$fake->set(wide => 10);
($page) = asked(scopes => ['/rare/'], upto => $id, max => 100);
is($page->{rc}, -6, 'where even the first one does, it can not be read');
$fake->set(wide => 0);


# the floor

$fake->remove({ _id => { '$lte' => Msgbus::Fake::long($events[99][0]) } });
$page = $history->ask(scopes => ['/b'], upto => $id, max => 5);
is($page->{floor}, $events[100][0] - 1,
   'what is before the oldest event is forgotten');

my $old = $events[199][0];
$fake->change({ _id => { '$lte' => Msgbus::Fake::long($old) } },
              { created_at => Msgbus::Fake::date($now - 90_000_000) });
$page = $history->ask(scopes => ['/'], upto => $id, max => 5,
                      since => $now - 86_400_000);
is($page->{floor}, $events[200][0] - 1,
   'and what is older than the ttl, though it is there');
is_deeply($page->{ids}, [], 'nor is it shown');
$page = $history->ask(scopes => ['/'], upto => $id, max => 5,
                      since => $now - 86_400_000);
is($page->{ids}[0], $events[200][0], 'or read again');

$fake->change({ _id => { '$lte' => Msgbus::Fake::long($events[249][0]) } },
              { created_at => Msgbus::Fake::date($now - 86_399_000 + 20_000) });
$page = $history->ask(scopes => ['/'], upto => $id, max => 5,
                      since => $now - 86_400_000);
is($page->{floor}, $events[250][0] - 1,
   'as clocks differ, what has a minute left may be gone');
cmp_ok($page->{ids}[0], '<=', $events[249][0], 'but is shown while it is there');

$fake->remove({});
$page = $history->ask(scopes => ['/b'], upto => $id);
is($page->{floor}, $id, 'of an empty collection all is forgotten');


# it forgets while one reads

$fake->put(map { $fake->event($_) } 1 .. 100);
$fake->set(expires => 30);
$page = $history->ask(scopes => ['/a'], after => 10, upto => 100, max => 5);
is_deeply($page->{ids}, [11 .. 15], 'what leaves behind a page was in it');
is($page->{floor}, 30, 'and the floor, looked up behind that, tells of it');
$fake->remove({});
$history->idle;


# odd documents

$fake->put(map { $fake->event($_ <= 20 ? { '$double' => $_ + 0.5 } : $_) }
               1 .. 60);
$page = $history->ask(scopes => ['/a'], upto => 60, max => 50);
is_deeply($page->{ids}, [21 .. 50], 'who has no whole number is passed over');
$history->idle;
$page = $history->ask(scopes => ['/a'], upto => 60, max => 10);
is_deeply($page->{ids}, [21 .. 30], '    and not only in large pages');
is($page->{floor}, 20, '    nor do they hide where events begin');

$fake->put(map { $fake->event({ '$double' => $_ / 4096 }) } 1 .. 3000);
$history->idle;
$page = $history->ask(scopes => ['/a'], after => 30, upto => 60, max => 10);
is($page->{floor}, 20, '    however many they are');
$fake->finds;
$page = $history->ask(scopes => ['/a'], after => 30, upto => 60, max => 10);
is(scalar(() = $fake->finds), 2, '    and are passed over once');

$fake->remove({});
$fake->put(map { $fake->event({ '$double' => $_ / 16 + 0.03125 }) } 1 .. 6000);
$page = $history->ask(scopes => ['/a'], upto => 6001, max => 10);
is($page->{rc}, -6, 'where thousands have none, there is no way on');
$fake->remove({});
$fake->put(map { $fake->event($_ <= 9000 ? { '$double' => $_ / 16384 } : $_) }
               1 .. 9100);
$history->idle;
$page = $history->ask(scopes => ['/a'], after => 9000, upto => 9100);
is_deeply($page->{ids}, [9001 .. 9100], 'where thousands stand before all');
is($page->{floor}, 9100, '    nobody knows what is missing, and a gap is told');



# a server that is far away answers late whatever it is asked: windows grow, too

$fake->remove({});
$fake->put(map { $fake->event($_) } 1, 10_000_000);
$history->idle;
$fake->set(late => 0.03);

my ($after, $pages) = (1, 0);

while ($after < 10_000_000 && $pages++ < 12) {
    $page = $history->ask(scopes => ['/a'], after => $after, upto => 10_000_000,
                          max => 10);
    $after = $page->{examined};
}

is($after, 10_000_000, 'from far away ten million ids are a few pages');
is_deeply($page->{ids}, [10_000_000], '    to the event behind them');

done_testing;
