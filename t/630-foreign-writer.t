# RSE's own nodes write to the same database at the same time, by their own
# protocol: highest id + 1, again when it was taken, then the counter one up.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Law;
use Msgbus::Mongodb;


Msgbus::Nginx->limit(90);

my $mongodb = Msgbus::Mongodb->new->start;
my $nginx = $mongodb->node->start;

$mongodb->wait_until_up($nginx);

my $law = $mongodb->law($nginx, rate => 30,
                        foreign => 2, foreign_rate => 30, mongodb => $mongodb);

my ($theirs, $ours) = (0, 0);
my $until = Msgbus::Law::now() + 10;

# until both have done enough to be judged

while (Msgbus::Law::now() < $until
       || ($theirs <= 60 || $ours <= 120)
          && Msgbus::Law::now() < $until + 30)
{
    my %stored = map { $_->[0] => $_->[1] } $law->stored;

    $theirs = $stored{1} + $stored{2};
    $ours = $stored{3} + $stored{4} + $stored{5} + $stored{6};
    sleep 0.5;
}

$law->end->kept;

my %records = $law->records('poster');
my @theirs = grep { $_->[0] eq 'stored' } map { @{ $records{"poster.$_"} } } 1, 2;
my @ours = grep { $_->[0] eq 'stored' } map { @{ $records{"poster.$_"} } } 3 .. 6;

cmp_ok(scalar @theirs, '>', 50, 'they wrote ' . @theirs . ' events');
cmp_ok(scalar @ours, '>', 100, 'beside ' . @ours . ' of ours');
is_deeply($law->{refused}, [], 'no event is refused');

my $again = 0;
$again += $_->[1] for grep { $_->[0] eq 'again' } map { @$_ } values %records;

my @ids = sort { $a->[1] <=> $b->[1] }
          (map { ['their', $_->[3]] } @theirs), (map { ['our', $_->[3]] } @ours);
my $turns = grep { $ids[$_][0] ne $ids[$_ - 1][0] } 1 .. $#ids;

diag "$turns changes between their ids and ours, $again retries of theirs";
cmp_ok($turns, '>', 30, 'ids of both alternate');

$mongodb->has_all_of($law);

# what they expect of the counter: not below what was given out

my $newest = $mongodb->ask(find => { sort => -1, limit => 1 })->[0]{_id};

cmp_ok($mongodb->ask('counter')->{c}, '>=', $newest,
       'the counter is not below the newest id');

$nginx->quit;
$nginx->no_alerts;

done_testing;
