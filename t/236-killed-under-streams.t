# A killed worker takes its own streams with it; who comes back with the
# cursor has every event once, in order.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Nginx;
use Msgbus::Stream;


Msgbus::Nginx->limit(60);

my $nginx = Msgbus::Nginx->new(
    workers  => 3,
    http     => 'msgbus_zone zone=bus:16m first_id=1;',
    location => 'msgbus_require_uuid off; location / { msgbus bus; }',
)->start;

my @streams = map {
    Msgbus::Stream->new(to => "127.0.0.1:$nginx->{port}", uri => '/c',
                        sse => $_ % 4, follow => 1)
} 1 .. 60;

my $poster = $nginx->client(agent => 'poster');
my (@stored, %unknown);
my $n = 0;

sub post {
    for (1 .. $_[0]) {
        my $r = $poster->post('/c', '[' . ++$n . ']');

        if ($r->status == 201) {
            push @stored, "[$n]";

        } else {
            $unknown{"[$n]"} = 1;
        }

        Msgbus::Stream->read_until(0, sub { 0 }, @streams);
    }
}

sub seen { return join ' ', grep { !$unknown{$_} } $_[0]->posted }

post(20);
Msgbus::Stream->read_until(20, sub { !grep { $_->{n} < 20 } @streams },
                           @streams);

my @stayed;

for my $round (1 .. 6) {
    my $opened = 0;

    $opened += $_->{opened} for @streams;

    $nginx->kill_worker(($nginx->worker_pids)[$round % 3]);
    post(30);

    my $now = 0;

    $now += $_->{opened} for @streams;
    push @stayed, 60 - ($now - $opened);
}

my $all = join ' ', @stored;

Msgbus::Stream->read_until(20, sub { !grep { seen($_) ne $all } @streams },
                           @streams);

is(scalar(grep { seen($_) ne $all } @streams), 0,
   'each reader has each event once, in order');
is(scalar(grep { $_->gaps } @streams), 0, 'and was told of no gap');
cmp_ok(scalar(@stored), '>', 150, 'there was something to miss');
cmp_ok((sort { $a <=> $b } @stayed)[-1], '>', 0,
       'the streams of other workers stayed');

$nginx->quit;
$nginx->no_alerts(@Msgbus::Nginx::KILLED);

done_testing;
