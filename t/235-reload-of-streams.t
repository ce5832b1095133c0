# Reloads end streams cleanly; readers who come back with their cursor have
# every event once, in order.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw( sleep );

use Msgbus::Nginx;
use Msgbus::Stream;


Msgbus::Nginx->limit(90);

my $nginx = Msgbus::Nginx->new(
    workers  => 2,
    http     => 'msgbus_zone zone=bus:16m first_id=1;',
    location => 'msgbus_require_uuid off; location / { msgbus bus; }',
)->start;

# a poster that never gives up, in a process of its own

my $enough = 0;

local $SIG{USR1} = sub { $enough = 1 };

# what became of each: a pipe could be full before it is read
open my $out, '>', "$nginx->{dir}/posted" or die "posted: $!\n";

my $pid = fork // die "fork: $!\n";

if (!$pid) {
    my $poster = $nginx->client(agent => 'poster');
    my $n = 0;

    while (!$enough) {
        my $r = $poster->post('/c', '[' . ++$n . ']');

        print $out join(' ', $n, $r->status == 201 ? $r->id : 'lost'), "\n";
        sleep 0.005;
    }

    close $out;
    POSIX::_exit(0);
}

my @streams = map {
    Msgbus::Stream->new(to => "127.0.0.1:$nginx->{port}", uri => '/c',
                        sse => $_ % 4, follow => 1)
} 1 .. 100;

Msgbus::Stream->read_until(20, sub { !grep { $_->{n} < 2 } @streams },
                           @streams);

my (@took, $ended);

for my $reload (1 .. 8) {
    my %old = map { $_ => 1 } $nginx->worker_pids;
    my $begun = Msgbus::Client::now();

    $nginx->reload(wait => 0);

    Msgbus::Stream->read_until(20, sub {
        !grep { $old{$_} } $nginx->child_pids;
    }, @streams);

    push @took, Msgbus::Client::now() - $begun;

    Msgbus::Stream->read_until(20, sub {
        !grep { $_->{opened} <= $reload || !$_->{head} } @streams;
    }, @streams);
}

# one or the other may have been held up by what else runs on the machine

@took = sort { $a <=> $b } @took;
diag(sprintf 'old workers were gone after %.2f s, %.2f s at most', @took[4, 7]);

cmp_ok($took[4], '<', 2 * $Msgbus::Nginx::PATIENCE,
       'old workers are gone within a second or two');
cmp_ok($took[7], '<', 10 * $Msgbus::Nginx::PATIENCE, 'each time');

cmp_ok((sort { $a <=> $b } map { $_->{opened} } @streams)[0], '>=', 9,
       'each reload has ended every stream');

kill USR1 => $pid;
waitpid $pid, 0;

my %id = map { split ' ' }
         split /\n/, Msgbus::Nginx::slurp("$nginx->{dir}/posted");

my @lost = grep { $id{$_} eq 'lost' } keys %id;
my $all = join ' ', map { "[$_]" } sort { $a <=> $b }
          grep { $id{$_} ne 'lost' } keys %id;
my %maybe = map { ("[$_]" => 1) } @lost;

sub seen { return join ' ', grep { !$maybe{$_} } $_[0]->posted }

my ($newest) = sort { $b <=> $a } grep { $_ ne 'lost' } values %id;

Msgbus::Stream->read_until(20, sub { !grep { $_->{cursor} < $newest } @streams },
                           @streams);

cmp_ok(scalar(keys %id), '>', 100, 'there was something to miss');
is(scalar(grep { seen($_) ne $all } @streams), 0,
   'each reader has each event once, in order');
is(scalar(grep { $_->gaps } @streams), 0, 'and was told of no gap');

# the end: with a last chunk

$_->{follow} = 0 for @streams;

my $quit = fork // die "fork: $!\n";

if (!$quit) {
    kill QUIT => $nginx->{pid};
    POSIX::_exit(0);
}

Msgbus::Stream->read_until(10, sub { !grep { !$_->{ended} } @streams },
                           @streams);
waitpid $quit, 0;

is(scalar(grep { $_->{ended} eq 'whole' } @streams), 100,
   'a quit ends streams with their last chunk');

cmp_ok($nginx->quit, '<', 5 * $Msgbus::Nginx::PATIENCE, 'and nginx goes');
$nginx->no_alerts;

done_testing;
