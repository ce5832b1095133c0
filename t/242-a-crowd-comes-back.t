# A thousand subscribers come back whenever nginx reloads, and whenever a worker
# is killed, and each of them has every event once.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Load;
use Msgbus::Nginx;


# under a sanitizer fewer of them do the same

my $subscribers = $Msgbus::Nginx::PATIENCE > 1 ? 200 : 1000;
my $rate = $Msgbus::Nginx::PATIENCE > 1 ? 20 : 200;
my $reloads = 20;

Msgbus::Nginx->limit(240);

my $nginx = Msgbus::Nginx->new(
    workers  => 2,
    http     => 'msgbus_zone zone=bus:64m ttl=300s;',
    location => 'location / { msgbus bus; }',
)->start;


# --- reloads

my $load = Msgbus::Load->new($nginx, '--subscribers', $subscribers,
                             qw( --processes 2 --reconnect --close
                                 --subscribe /a?last-known-id=latest
                                 --publish /a ));

is($load->{ready}{ready}, $subscribers, 'all subscribers are let in');

$load->begin("post 0 $rate 20 0 300 0");

for my $i (1 .. $reloads) {
    sleep 0.3 + rand 0.4;
    $nginx->reload(wait => $i % 2);
}

my $answer = $load->end;
my $check = $load->ask('check');

cmp_ok($answer->{posts}, '>', 20 * $rate / 2, "$reloads reloads: many posts");
is($answer->{posts_failed}, 0, '    each of which is answered');
is($answer->{lost}, 0, '    no event is lost');
is($check->{incomplete}, 0, '    by no subscriber');
is($check->{twice}, 0, '    and none comes twice');
is($check->{disorder}, 0, '    the order of ids is kept');
is($check->{gaps}, 0, '    nobody is told of a gap');
is($check->{errors}, 0, '    all is HTTP, and text/event-stream')
    || diag($check->{error});
cmp_ok($check->{reconnected}, '>=', $subscribers * 3,
       '    everybody came back again and again');


# --- killed workers: a POST may then have no answer

$nginx->until(15, 'the end of old workers',
              sub { my @pids = $nginx->child_pids; @pids == 2 });

$load->begin("post 0 $rate 8 0 300 0");

for (1 .. 5) {
    sleep 0.5 + rand 0.5;

    my @pids = $nginx->worker_pids;

    $nginx->kill_worker($pids[rand @pids]);
}

$answer = $load->end;

my $late = $load->ask('check');

cmp_ok($answer->{posts}, '>', 8 * $rate / 2, 'killed workers: many posts');
is($answer->{lost}, 0, '    no event that was acknowledged is lost');
is($answer->{torn}, 0, '    and one that was not is with all or with none');
is($late->{twice}, 0, '    none comes twice');
is($late->{disorder}, 0, '    the order of ids is kept');
is($late->{gaps}, 0, '    nobody is told of a gap');
is($late->{errors}, 0, '    all is HTTP, and text/event-stream')
    || diag($late->{error});

is($load->quit, 0, 'the load ends well');

$nginx->quit;
$nginx->no_alerts(@Msgbus::Nginx::KILLED);

done_testing;
