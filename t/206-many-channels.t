# More channels than a zone has places for: old channels make room for new
# ones, and no reader loses an event in silence.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Nginx;


my $channels = 100_000;

Msgbus::Nginx->limit(300);

my $begun = Msgbus::Nginx::now();

my $nginx = Msgbus::Nginx->new(
    workers  => 2,
    http     => 'msgbus_zone zone=bus:1m ttl=600s first_id=1;
                 msgbus_zone zone=full:1m ttl=600s first_id=1 full=reject;
                 keepalive_requests 1000000;',
    location => 'msgbus_require_uuid off;
                 location /evict/ { msgbus bus; }
                 location /reject/ { msgbus full; }',
)->start;

my @clients = map { $nginx->client(timeout => 60) } 1 .. 4;

# posts to channels c1, c2, ...; returns how often there was which status, and
# where which event is stored

my $post_all = sub {
    my ($prefix, $from, $to) = @_;

    my (%status, %id);

    for (my $n = $from; $n <= $to; ) {
        for my $c (@clients) {
            my @names = map { "$prefix/c$_" } $n .. $n + 99;
            my @answers = $c->pipeline(map { [POST => $_, "[$n]"] } @names);

            for my $i (0 .. $#answers) {
                my $r = $answers[$i];

                $status{ $r->status || $r->error }++;
                $id{ $names[$i] } = $r->id if $r->status == 201;
            }

            $n += 100;
        }
    }

    return (\%status, \%id);
};

my $memory = sub {
    return map { $nginx->memory($_, 'RssAnon') } $nginx->worker_pids;
};

# what the reader finds who has seen all before the event

my $read_one = sub {
    my ($channel, $id) = @_;

    my $r = $clients[0]->get("$channel?echo=true&last-known-id=" . ($id - 1));

    return $r->error if $r->failure;

    return join ' ', $r->status, (map { $_->{id} } @{ $r->events }),
                     $r->gap ? 'gap' : ();
};


# evict

my ($first) = $post_all->('/evict', 1, $channels / 5);
my @before = $memory->();

my ($status, $id) = $post_all->('/evict', $channels / 5 + 1, $channels);

is_deeply([$first, $status],
          [{ 201 => $channels / 5 }, { 201 => $channels * 4 / 5 }],
          "$channels channels are written to, in a zone of 1 MiB");

my @after = $memory->();
my @grown = map { $after[$_] - $before[$_] } 0 .. $#after;

SKIP: {
    skip 'a sanitizer keeps what is freed', 2 if $ENV{CHECKED_REPORTS};

    cmp_ok($_, '<', 300, "memory is bounded: a worker's grew by $_ KiB")
        for @grown;
}

my (%found, @silent);
my @all = sort { $id->{$a} <=> $id->{$b} } keys %$id;

for my $channel (@all[grep { $_ % 40 == 0 || $_ > $#all - 500 } 0 .. $#all]) {
    my $n = $id->{$channel};
    my $got = $read_one->($channel, $n);

    if ($got eq "200 $n") {
        $found{there}++;

    } elsif ($got eq '204 gap') {
        $found{gap}++;

    } else {
        push @silent, "$channel, id $n: $got";
    }
}

is_deeply(\@silent, [], 'an event is there, or its readers are told of a gap')
    || diag(scalar(@silent) . ' cases');

cmp_ok($found{there}, '>', 100, 'the newest channels are there');
cmp_ok($found{gap}, '>', 100, 'the oldest have made room');

is($read_one->($all[-1], $id->{$all[-1]} + 1), '204',
   'who has seen the newest event is not told of a gap');

# a channel that had to go comes back

my $channel = $all[0];
my $again = $clients[0]->post($channel, '[2]')->id;

is($read_one->($channel, $id->{$channel}), "200 $again gap",
   'a channel that comes back tells its old readers of the gap');
is($read_one->($channel, $again), "200 $again", 'and not its new ones');

# reads leave no trace

my $r = $clients[0]->get('/evict/unheard-of?echo=true');

is($r->status, 204, 'a channel that nobody has written to is empty');

my $oldest = (grep { $read_one->($_, $id->{$_}) eq "200 $id->{$_}" }
              @all[-3000 .. -1])[0];

$clients[1]->pipeline(map { [GET => "/evict/read$_?echo=true"] } 1 .. 500)
    for 1 .. 20;

is($read_one->($oldest, $id->{$oldest}), "200 $id->{$oldest}",
   'reads of 500 channels that do not exist push no event out');


# reject

my ($answers, $stored) = $post_all->('/reject', 1, $channels / 5);

is_deeply([sort keys %$answers], [201, 507],
          'under full=reject new channels are refused when there is no room');

my @lost = grep { $read_one->($_, $stored->{$_}) ne "200 $stored->{$_}" }
           keys %$stored;

is_deeply(\@lost, [], 'and nothing is dropped for them');


my $minutes = 1 + int((Msgbus::Nginx::now() - $begun) / 60);

my @lines = $nginx->log(0, 'warn|error|crit|alert|emerg');

cmp_ok(scalar(grep { /no room in msgbus zone/ } @lines), '<=', 2 * $minutes,
       'two full zones are a line a minute each in the error log, at most');
cmp_ok(scalar(grep { /channels that it can hold/ } @lines), '<=', 2 * $minutes,
       'so are two that have as many channels as they can hold');
is(scalar(grep { !/no room in msgbus zone|channels that it can hold/ } @lines), 0,
   'and nothing else');

$nginx->quit;
$nginx->no_alerts;

done_testing;
