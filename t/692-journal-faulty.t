# A journal on a disk that is full, is read-only, and fails, again and again,
# under load, while workers die and nginx is reloaded: what was acknowledged is
# there, once and in order, and nobody is told of a gap.

use strict;
use warnings;

use Errno qw( EIO ENOSPC EROFS );
use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Faulty;
use Msgbus::Law;
use Msgbus::Nginx;


Msgbus::Nginx->limit(120);

my $faulty = Msgbus::Faulty->new(in => '/journal');

my $nginx = Msgbus::Nginx->new(
    workers  => 3,
    http     => 'msgbus_journal disk { path journal; segment 64k;'
                . ' retry tries=4 delay=50ms; }'
                . ' msgbus_zone zone=bus:32m store=disk ttl=1h;',
    location => 'location / { msgbus bus; msgbus_scope exact all; }',
);

$faulty->start($nginx)
    or plan skip_all => 'another library is preloaded';

sub is_up {
    $nginx->until(10, 'the journal to be read', sub {
        return $nginx->client->get('/x?echo=true')->status == 204;
    });

    return;
}

is_up();

my $law = Msgbus::Law->new(nginx => $nginx, posters => 6, channels => 12,
                           pollers => 3, rate => 100)->begin;

# how: the calls, how they fail, and for how long, or how many times

my @ways = (
    [[qw( fallocate open )], ENOSPC, 0.4],
    [[qw( pwrite )], ENOSPC, 1],
    [[qw( fdatasync )], EIO, 1],
    [[qw( all )], EROFS, 0.3],
    [[qw( fdatasync fsync )], EIO, 0.3],
    [[qw( rename )], EIO, 1],
    [[qw( pwrite )], EIO, 0.3],
    [[qw( fsync )], EIO, 2],
    [[qw( fdatasync )], EIO, 3],
    [[qw( unlink )], EIO, 0.2],
    [[qw( fallocate fdatasync )], ENOSPC, 0.3],
    [[qw( all )], EIO, 0.3],
);

for my $i (0 .. $#ways) {
    my ($calls, $errno, $long) = @{ $ways[$i] };

    sleep 0.1 + rand 0.1;

    $faulty->fail($_, $errno, $long < 1 ? () : $long) for @$calls;

    # and the committer dies, or ends, in the middle of it

    if ($i % 4 == 1) {
        my @pids = $nginx->worker_pids;

        $nginx->kill_worker($pids[rand @pids]) if @pids;

    } elsif ($i % 4 == 3) {
        $nginx->reload(wait => 0);
    }

    sleep $long < 1 ? $long : 0.1;
    $faulty->well;
}

sleep 1;

my $good = $law->end;

$good->kept;
$nginx->quit;

# what a start makes of it: every event once

$faulty->start($nginx);
is_up();

my (%seen, $twice);
my $last = 0;

for ( ;; ) {
    my $r = $nginx->client->get("/load?events=all&echo=true"
                                . "&last-known-id=$last");

    last if !@{ $r->events };

    for (@{ $r->events }) {
        my ($who) = $_->{data} =~ /("p":\d+,"n":\d+)/;

        $twice //= $who if $seen{$who}++;
    }

    $last = $r->last_id;
}

cmp_ok(scalar keys %seen, '>', 100, 'there are many after a start');
is($twice, undef, 'none is there twice');

$nginx->quit;

done_testing;
