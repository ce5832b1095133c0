# Who reads several channels loses nothing while others post and workers are
# killed and reloaded: pages, long-polls and streams, held and parked; each event
# once, in order.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw( sleep );

use Msgbus::Nginx;
use Msgbus::Past;


Msgbus::Nginx->limit(120);

my $nginx = Msgbus::Nginx->new(
    workers  => 3,
    http     => 'msgbus_zone zone=bus:32m ttl=1h first_id=1;
                 msgbus_require_uuid off;
                 msgbus_scope exact all many;
                 msgbus_ping 200ms;',
    location => '
        location / { msgbus bus; }
        location /held/ { msgbus bus; msgbus_park off; }
        location /parked/ { msgbus bus; msgbus_park on after=1ms; }
    ',
)->start;

my $past = Msgbus::Past->new(to => ["127.0.0.1:$nginx->{port}"],
                             dir => $nginx->{dir}, patience => 30);

# forty channels below four, and these

sub channel_of {
    my ($n) = @_;

    my $c = $n * 7919 % 44;

    return $c < 4 ? "/t$c" : '/t' . $c % 4 . "/c$c";
}

for my $way (qw( held parked )) {
    for my $form (qw( page wait sse ndjson )) {
        $past->reader(form => $form, from => 0, covers => sub {
                          $_[0] =~ m{^/(?:t1(?:/.*)?|t2|t3/c(?:7|11))\z} },
                      uri => "/$way/?channels=/t1/*,/t2,/t3/c7,/t3/c11,/t1/c9");
        $past->reader(form => $form, from => 0, covers => sub {
                          $_[0] =~ m{^/t(?:0/c8|3)\z} },
                      uri => "/$way/?channels=" . join ',', '/t0/c8', '/t3',
                             map { "/none/$_" } 1 .. 30);
    }
}

$past->post(2, sub { return (channel_of($_[1] * 13 + $_[0]), '{"new":1}') });

for (1 .. 3) {
    my @pids = $nginx->worker_pids;

    sleep 0.5;

    # one of the last configuration may have ended by itself

    eval { $nginx->kill_worker($pids[rand @pids]) };
    $nginx->reload(wait => 0) if $_ == 2;
}

sleep 0.5;
$past->end;

# what there is, as one who reads the whole bus has it

my (@all, $cursor);

for ($cursor = 0; ; ) {
    my $r = $nginx->client->get("/?events=all&max-events=500&echo=true"
                                . "&last-known-id=$cursor");

    last if $r->status != 200;

    my $body = $r->body;

    push @all, [$1, $2]
        while $body =~ /\{"id":(\d+),.*?"channel":"(.*?)"\}/g;

    $cursor = $r->last_id;
}

cmp_ok(scalar @all, '>', 100, 'others have posted meanwhile');

my $shown = $past->kept(\@all);

diag("$shown events were shown to ", scalar @{ $past->{readers} }, ' readers');

$nginx->quit;
$nginx->no_alerts(qr/exited on signal 9/);

done_testing;
