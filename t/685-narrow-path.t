# The path to the database takes hardly more than what is posted, and stands still
# for a while: within 5 s of its return all posts are stored again, for a batch is
# not larger than the path carries in time.  And where more is posted than it can
# carry, it carries what it can; who has no chance hears it early.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use IO::Select;
use IO::Socket::IP;
use Time::HiRes qw(clock_gettime sleep CLOCK_MONOTONIC);

use Msgbus::Fake;


my $rate = 500_000;
my $size = 20_000;

Msgbus::Nginx->limit(120);

my $fake = Msgbus::Fake->new->start;
my $nginx = $fake->node(size => '128m')->start;

$fake->wait_until_up($nginx);
$fake->set(rate => $rate);

sub now { return clock_gettime(CLOCK_MONOTONIC) }


# Posts so many times a second for so long, each on time whatever has become of
# those before it; at_s has what is to be done then.  What comes back are times of
# the request and the answer, and its status.

sub load {
    my ($a_second, $seconds, %at) = @_;

    my $body = '["' . 'x' x ($size - 4) . '"]';
    my $request = "POST /a HTTP/1.1\r\nHost: a\r\nUser-Agent: a uuid/1\r\n"
                  . "Connection: close\r\nContent-Length: $size\r\n\r\n$body";
    my $select = IO::Select->new;
    my $begin = now();
    my ($k, %began, %answer, @posts) = (0);

    while ($k < $a_second * $seconds || $select->count) {

        for my $at (sort { $a <=> $b } keys %at) {
            (delete $at{$at})->() if now() >= $begin + $at;
        }

        while ($k < $a_second * $seconds && now() >= $begin + $k / $a_second) {
            my $sock = IO::Socket::IP->new(PeerHost => '127.0.0.1',
                                           PeerPort => $nginx->{port})
                or die "cannot connect: $@\n";

            # the kernel takes it as a whole

            syswrite($sock, $request) == length $request or die "write: $!\n";
            $began{$sock} = now();
            $select->add($sock);
            $k++;
        }

        my $due = $k < $a_second * $seconds ? $begin + $k / $a_second - now()
                                            : 0.05;

        for my $sock ($select->can_read($due > 0 ? $due : 0)) {
            next if sysread $sock, $answer{$sock}, 4096,
                            length($answer{$sock} // '');

            my ($status) = $answer{$sock} =~ /^HTTP\S+ (\d+)/;

            push @posts, [delete $began{$sock}, now(), $status // 0];
            delete $answer{$sock};
            $select->remove($sock);
        }
    }

    return @posts;
}


# --- 0.9 of what the path can carry, and a stall of 5 s

my $back;
my @posts = load(0.9 * $rate / $size, 17,
                 3 => sub { $fake->set(away => 1) },
                 8 => sub { $fake->set(away => 0); $back = now() });

my @late = grep { $_->[0] > $back + 5 } @posts;
my @lost = grep { $_->[2] != 201 } @late;

cmp_ok(scalar @late, '>', 50, 'posts from 5 s after its return on');
is(scalar @lost, 0, 'all of them are stored');

# --- twice what it can carry

my $from = now();

@posts = load(2 * $rate / $size, 12);

my @stored = grep { $_->[2] == 201 } @posts;
my @said = sort { $a <=> $b } map { $_->[1] - $_->[0] }
           grep { $_->[2] == 503 && $_->[0] > $from + 8 } @posts;
my $bytes = $size * @stored;

note(@stored . ' of ' . @posts . "  stored, $bytes bytes in 12 s");
cmp_ok($bytes, '>', 0.5 * $rate * 12, 'it carries more than half of what it can');
cmp_ok($said[$#said / 2] // 99, '<', 1,
       'half of those that have no chance hear it within a second');

$nginx->quit;
$nginx->no_alerts;

done_testing;
