# A clock that is set ahead takes no events out of a journal: not in the worker
# that sees it, nor after a reload, nor in another worker; health warns until
# it goes right again, or nginx is started anew.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Nginx;


Msgbus::Nginx->limit(90);

my $nginx = Msgbus::Nginx->new(
    http     => 'msgbus_journal disk { path journal; segment 64k; }'
                . ' msgbus_zone zone=bus:8m store=disk ttl=1h;',
    location => 'location / { msgbus bus; msgbus_require_uuid off; }
                 location = /health { msgbus_health bus; }',
);

my $clocks = "$nginx->{dir}/asleep";

open my $out, '>', $clocks or die "$clocks: $!\n";
syswrite $out, pack 'q2', 0, 0;
close $out;

system(split(' ', $ENV{CC} || 'cc'), qw(-shared -fPIC -O1 -o), "$clocks.so",
       "$FindBin::Bin/unit/asleep.c") == 0 or die "cannot compile\n";

sub start {
    local $ENV{LD_PRELOAD} = "$clocks.so";
    local $ENV{ASLEEP} = $clocks;

    $nginx->start;

    return;
}

sub set_clock {
    my ($seconds) = @_;

    open my $out, '+<', $clocks or die "$clocks: $!\n";
    sysseek $out, 8, 0;
    syswrite $out, pack 'q', $seconds;
    close $out;

    return;
}

sub health { return $nginx->client->get('/health?verbose=true')->body }

sub files { return scalar(() = glob "$nginx->{dir}/journal/0*") }

start();

my ($worker) = $nginx->worker_pids;

plan skip_all => 'another library is preloaded'
    if Msgbus::Nginx::slurp("/proc/$worker/maps") !~ /\Q$clocks.so\E/;

sub is_up {
    $nginx->until(10, 'the journal to be read', sub {
        return $nginx->client->get('/health')->status == 200;
    });

    return;
}

# the keeper has had a turn: what it makes ahead is there

sub is_kept {
    my ($what) = @_;

    is_up();
    $nginx->until(10, "the keeper, $what", sub {
        return scalar(() = glob "$nginx->{dir}/journal/spare-*") == 1;
    });
    sleep 1.5;

    return;
}

is_up();

my $client = $nginx->client;

$client->post('/a', sprintf '{"s":"%s"}', 'x' x 900) for 1 .. 300;

my $files = files();

cmp_ok($files, '>', 3, 'there are some files');
is_kept('at first');
unlike(health(), qr/the clock was set/, 'the clock goes right');

set_clock(2 * 3600);
$nginx->until(10, 'health to warn', sub { return health() =~ /the clock was set/ });
is(files(), $files, 'it is set ahead: no file leaves, and health warns');

my $n = 0;

for my $what ('a reload', 'another worker') {
    if ($n++ == 0) {
        $nginx->reload;

    } else {
        local $ENV{LD_PRELOAD} = "$clocks.so";

        $nginx->kill_worker(($nginx->worker_pids)[0]);
    }

    is_kept("after $what");
    is(files(), $files, "$what: they are there");
    $nginx->until(10, 'health to warn',
                  sub { return health() =~ /the clock was set/ });
    pass('and health warns');
}

set_clock(0);
$nginx->until(10, 'health to be well',
              sub { return health() !~ /the clock was set/ });
is(files(), $files, 'it is set back: all is well');

# a start goes by the clock that it finds: they are old now

set_clock(2 * 3600);
$nginx->quit;
start();
$nginx->until(15, 'files to leave', sub { return files() < $files });
pass('after a start with that clock, what is old leaves');
$nginx->quit;

done_testing;
