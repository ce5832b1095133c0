# A zone of a megabyte that keeps fifty events, and a database of thousands:
# readers of all scopes and forms, from the beginning and from any id, while
# others post, a worker is killed and the database stands still for a while.
# Each gets each event once, in order, and nobody is told of a gap.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Mongodb;
use Msgbus::Past;


my $many = $ENV{HISTORY_EVENTS} || 3000;

Msgbus::Nginx->limit(240 + $many / 100);

my $mongodb = Msgbus::Mongodb->new(own => 1)->start;

sub channel_of {
    my ($n) = @_;

    my $c = $n * 7919 % 100;

    return $c % 10 ? '/h/t' . int($c / 10) . "/c$c" : '/h/t' . int($c / 10);
}

my $wall = int(1000 * Time::HiRes::time()) - 60_000;

my @old = map { { _id => 3 * $_, channel => channel_of($_),
                  data => qq({"n":$_}), uuid => 'i', user_agent => 'i/1.0',
                  created_at => $wall } } 1 .. $many;

while (my @some = splice @old, 0, 500) {
    $mongodb->ask(insert => { events => \@some });
}

my $nginx = $mongodb->node(
    workers => 2, size => '1m', zone => 'ttl=1d max_events=50',
    location => 'location / { msgbus bus; } msgbus_scope exact parent all many;
                 msgbus_require_uuid off; msgbus_ping 500ms;',
)->start;

$mongodb->wait_until_up($nginx);

my $past = Msgbus::Past->new(to => ["127.0.0.1:$nginx->{port}"],
                             dir => $nginx->{dir}, patience => 90);
my $any = int($many / 3) * 3 + 1;

for my $form (qw( page wait sse ndjson )) {
    for my $from (0, $any) {
        for my $scope (
            ['/h/t3/c37', sub { $_[0] eq '/h/t3/c37' }],
            ['/h/t3/c38?events=parent',
             sub { $_[0] =~ m{^/h/t3(?:/c38)?\z} }],
            ['/h/t4?events=all', sub { $_[0] =~ m{^/h/t4(?:/|\z)} }],
            ['/?events=all', sub { 1 }],
            ['/?channels=/h/t5/c53,/h/t6,/h/t7/*,/h/t5/c54,/h/t7/c79',
             sub { $_[0] =~ m{^/h/(?:t5/c5[34]|t6|t7(?:/.*)?)\z} }],
        ) {
            my $uri = $scope->[0];

            $uri .= ($uri =~ /\?/ ? '&' : '?') . 'max-events=500'
                if $form =~ /page|wait/;

            $past->reader(form => $form, uri => $uri, from => $from,
                          covers => $scope->[1]);
        }
    }
}

$past->post(2, sub { return (channel_of($_[1] * 13 + $_[0]), '{"new":1}') });

sleep 0.5;
$mongodb->stall;
sleep 1;

my ($pid) = $nginx->worker_pids;

$nginx->kill_worker($pid);
sleep 1.5;
$mongodb->resume;
sleep 0.5;
$mongodb->wait_until_up($nginx);
sleep 1;

$past->end;

my @all = map { [$_->{_id}, $_->{channel}] }
          grep { length($_->{channel} // '') } @{ $mongodb->ask('find') };

cmp_ok(scalar @all, '>', $many + 10, 'others have posted meanwhile');

my $shown = $past->kept(\@all);

diag("$shown events were shown to ", scalar @{ $past->{readers} }, ' readers');

$nginx->quit;
$nginx->no_alerts(qr/exited on signal 9/);

done_testing;
