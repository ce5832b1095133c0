# Where the database does not drop what has expired, which no client of it is
# told, health and the error log say so.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Fake;


Msgbus::Nginx->limit(60);

my $text = 'expired events are still in the database: nothing drops them there';

my $fake = Msgbus::Fake->new->start;

sub old {
    my ($id, $seconds) = @_;

    return $fake->event($id, created_at =>
                        Msgbus::Fake::date(int(1000 * (time - $seconds))));
}

# documents that can not be events, and one that never expires, are no matter

$fake->put(map({ $fake->event($_) } 'x', -5, 0), old(1, 3600), old(2, 3600));

# with so short a ttl it is looked at each second

my $nginx = $fake->node(workers => 1, zone => 'ttl=2s')->start;

$fake->wait_until_up($nginx);

sub warnings {
    my ($status, $report) = $fake->health($nginx);

    return scalar grep { $_ eq $text } @{ $report->{warnings} };
}

# as long as they go, one by one, all is well

for my $id (1 .. 4) {
    sleep 0.6;
    $fake->put(old($id + 2, 3600));
    $fake->remove({ _id => Msgbus::Fake::long($id) });
}

is(warnings(), 0, 'nothing is said while the oldest are dropped');

$fake->until(15, 'a warning', sub { return warnings() });
pass('health warns when they stay');

my @lines = $nginx->log(0, 'warn', 'does not drop what has expired');

is(@lines, 1, 'the error log says it once');
like($lines[0], qr/event 5 of "main" is 36\d\d s old, and the ttl is 2 s/,
     'of which event');

$fake->remove({ created_at => { '$lt' =>
                Msgbus::Fake::date(int(1000 * (time - 1800))) } });
$fake->until(15, 'the end of the warning', sub { return !warnings() });
pass('and no more when they are gone');

$nginx->quit;
$nginx->no_alerts;

done_testing;
