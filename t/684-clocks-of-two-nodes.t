# A node that finds the newest event half way to its end makes it young again; and
# not older, where another node, whose clock is ahead, was faster.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(time);

use Msgbus::Fake;


Msgbus::Nginx->limit(60);

my $fake = Msgbus::Fake->new->start;
my $old = int(1000 * (time() - 80));
my $ahead = int(1000 * (time() + 50));

sub created {
    my ($event) = grep { $_->{_id} == 7 } $fake->documents;

    return $event->{created_at};
}

# --- nobody was faster

$fake->put($fake->event(7, created_at => Msgbus::Fake::date($old)));

my $nginx = $fake->node->start;

$fake->wait_until_up($nginx);
cmp_ok(created(), '>', $old + 70_000, 'the newest event is made young');
$nginx->quit;

# --- the write waits, and another node has written meanwhile

$fake->change({ _id => Msgbus::Fake::long(7) },
              { created_at => Msgbus::Fake::date($old) });
$fake->set(locked => 1);

my $before = $fake->counts->{update};

$nginx->start;
$fake->until(10, 'its write', sub { $fake->counts->{update} > $before });
$fake->change({ _id => Msgbus::Fake::long(7) },
              { created_at => Msgbus::Fake::date($ahead) });
$fake->set(locked => 0);
$fake->wait_until_up($nginx);

is(created(), $ahead, 'and stays as young as another one has made it');

$nginx->quit;
$nginx->no_alerts;

done_testing;
