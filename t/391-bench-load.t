# The load of bench/push counts right: against the floor, which can be told to
# lose an event and to double one, with several processes of subscribers.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Socket::IP;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Load;
use Msgbus::Nginx;


Msgbus::Nginx->limit(120);

my $program = Msgbus::Load::program('floor');
my $to = '127.0.0.1:' . Msgbus::Nginx::free_port();
my $floor = fork // die "cannot fork: $!\n";

if (!$floor) {
    exec $program, $to or POSIX::_exit(127);
}

for (1 .. 1500) {
    last if IO::Socket::IP->new(PeerAddr => $to);
    sleep 0.02;
}


# --- all is well

my $load = Msgbus::Load->new($to, qw( --subscribers 50 --processes 3
                                      --per-address 7 --probe /quiet ));

is($load->{ready}{ready}, 50, 'all subscribers are let in');

my $one = $load->ask('post 1 0 60 40 300 0');

is($one->{posts}, 40, 'as many posts as were asked for');
is($one->{deliveries}, 40 * 50, 'reach all subscribers');
is(scalar @{ $one->{$_} }, 40, "and are timed: $_") for qw( post last );
cmp_ok($one->{last}[-1], '>=', $one->{each}{p99} * 0.96,
       'no event comes later than its last');

my $large = $load->ask('post 4 0 60 10 60000 0');

is($large->{deliveries}, 500, 'so do large events, several at a time');

my $rate = $load->ask('post 0 100 3 0 300 50');

cmp_ok($rate->{posts}, '>', 120, 'a rate is held');
cmp_ok($rate->{posts}, '<', 750, '    and not outrun');
cmp_ok(scalar @{ $rate->{probe} }, '>', 30, 'with probes beside it');

for my $answer ($one, $large, $rate) {
    is(join(' ', map { $answer->{$_} } qw( lost twice closed errors
                                           posts_failed )),
       '0 0 0 0 0', 'nothing is lost, doubled, closed or wrong');
}

my $check = $load->ask('check');

is($check->{got}, 50 * $check->{posted}, 'nor in the end');
is($check->{incomplete}, 0, 'for no subscriber');
is($load->quit, 0, 'the load ends well');


# --- an event is lost, or comes twice

$load = Msgbus::Load->new($to, qw( --subscribers 5 --processes 2
                                   --publish /lose ));

is($load->ask('post 0 0 60 3 300 0')->{lost}, 3, 'lost events are found');

$check = $load->ask('check');

is($check->{incomplete}, 1, '    at the one subscriber that lost them');
is($check->{worst}, 3, '    all of them');
$load->quit;

$load = Msgbus::Load->new($to, qw( --subscribers 5 --processes 2
                                   --publish /twice ));

is($load->ask('post 1 0 60 3 300 0')->{deliveries}, 15,
   'a doubled event does not count twice');
is($load->ask('check')->{twice}, 3, '    but is found');
$load->quit;


# --- the server dies

$load = Msgbus::Load->new($to, qw( --subscribers 5 ));

kill KILL => $floor;
waitpid $floor, 0;
undef $floor;

my $post = $load->ask('post 0 0 60 1 300 0');

is($post->{posts_failed}, 1, 'a POST without an answer is counted');
is($post->{lost}, 0, '    and its event is not one that was lost');
is($load->ask('check')->{closed}, 5, 'so are connections that are closed');
$load->quit;


END {
    if ($floor) {
        local $?;
        kill KILL => $floor;
        waitpid $floor, 0;
    }
}

done_testing;
