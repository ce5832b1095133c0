# A zone of a megabyte, and a journal of very many events over a thousand
# channels: readers of one channel, of it and its parents, of a tree, of several,
# of the whole bus, from the beginning and from any id, by pages, long-polls and
# streams, while others post and a worker is killed.  Each gets each event once,
# in order, and nobody is told of a gap.
#
# HISTORY_EVENTS=1000000 for a million of them.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Nginx;
use Msgbus::Past;


my $many = $ENV{HISTORY_EVENTS} || 100_000;
my $channels = 1000;
my $build = $ENV{BUILD} || 'build';
my $tool = ($build =~ m{^/} ? $build : "$FindBin::Bin/../$build")
           . '/msgbus-journal';

plan skip_all => "no $tool here: run \"make\"" if ! -x $tool;

Msgbus::Nginx->limit(200 + $many / 300);

my $nginx = Msgbus::Nginx->new(
    workers  => 2,
    http     => 'msgbus_journal disk { path journal; segment 4m; }
                 msgbus_zone zone=bus:1m store=disk ttl=1d;',
    location => 'location / { msgbus bus; } msgbus_require_uuid off;
                 msgbus_scope exact parent all many; msgbus_ping 500ms;',
);

sub start {
    $nginx->start;
    $nginx->until(60, 'the journal to be read', sub {
        return $nginx->client->get('/x?echo=true')->status == 204;
    });
}

# ten trees of a hundred channels each, one of them the tree's own

sub channel_of {
    my ($n) = @_;

    my $c = $n * 7919 % $channels;
    my ($tree, $leaf) = (int($c / 100), $c % 100);

    return $leaf ? "/h/t$tree/c$leaf" : "/h/t$tree";
}

start();
$nginx->quit;
system("rm -f $nginx->{dir}/journal/*.journal $nginx->{dir}/journal/mark");

my $wall = int(1000 * Time::HiRes::time()) - 60_000;

open my $import, '|-', "$tool import $nginx->{dir}/journal > /dev/null"
    or die "$tool: $!\n";

for my $n (1 .. $many) {
    printf $import qq({"_id":{"\$numberLong":"%d"},"channel":"%s",)
                   . qq("data":"{\\"n\\":%d}","uuid":"i",)
                   . qq("user_agent":"i/1.0",)
                   . qq("created_at":{"\$date":{"\$numberLong":"%d"}}}\n),
                   $n * 3, channel_of($n), $n, $wall;
}

ok(close $import, "$many events are imported");

start();

my $past = Msgbus::Past->new(to => ["127.0.0.1:$nginx->{port}"],
                             dir => $nginx->{dir},
                             patience => 20 + $many / 2000);
my $any = int($many / 3) * 3 + 1;

for my $form (qw( page wait sse ndjson )) {
    for my $from (0, $any) {
        for my $scope (
            ['/h/t3/c7', sub { $_[0] eq '/h/t3/c7' }],
            ['/h/t3/c8?events=parent',
             sub { $_[0] =~ m{^/h/t3(?:/c8)?\z} }],
            ['/h/t4?events=all', sub { $_[0] =~ m{^/h/t4(?:/|\z)} }],
            ['/?events=all', sub { 1 }],
            ['/?channels=/h/t5/c3,/h/t6,/h/t7/*,/h/t5/c4,/h/t7/c9',
             sub { $_[0] =~ m{^/h/(?:t5/c[34]|t6|t7(?:/.*)?)\z} }],
        ) {
            # all of it four times is enough

            next if $scope->[0] eq '/?events=all' && !$from && $form =~ /wait|ndjson/;

            my $uri = $scope->[0];

            $uri .= ($uri =~ /\?/ ? '&' : '?') . 'max-events=500'
                if $form =~ /page|wait/;

            $past->reader(form => $form, uri => $uri, from => $from,
                          covers => $scope->[1]);
        }
    }
}

$past->post(2, sub { return (channel_of($_[1] * 13 + $_[0]), '{"new":1}') });

# one of the workers dies while they read, and again; and a reload

for (1 .. 3) {
    my @pids = $nginx->worker_pids;

    sleep 0.7;
    # one of the last configuration may have ended by itself

    eval { $nginx->kill_worker($pids[rand @pids]) };
    $nginx->reload(wait => 0) if $_ == 2;
}

sleep 1;
$past->end;

my (@all, %of);

open my $dump, '-|', $tool, 'dump', "$nginx->{dir}/journal" or die;

while (<$dump>) {
    push @all, [$1, $2]
        if /"_id":\{"\$numberLong":"(\d+)"\},"channel":"([^"]+)"/;
}

cmp_ok(scalar @all, '>', $many + 50, 'others have posted meanwhile');

my $t0 = Msgbus::Client::now();
my $shown = $past->kept(\@all);

diag("$shown events were shown to ", scalar @{ $past->{readers} }, ' readers');

$nginx->quit;
$nginx->no_alerts(qr/exited on signal 9/) ;

done_testing;
