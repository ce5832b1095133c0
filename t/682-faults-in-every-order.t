# A database that fails in one way before it has recovered from another: each
# fault behind each other one, with small limits and with documents of others that
# are no events between them.  Nothing acknowledged is lost, doubled or reordered.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Fake;


Msgbus::Nginx->limit(120);

my $fake = Msgbus::Fake->new->start;

# on and off; small limits count from the next connection on

my %fault = (
    limits   => [{ hello => { maxWriteBatchSize => 2,
                              maxBsonObjectSize => 60_000 } },
                 { hello => {} }],
    refusing => [{ refused => [['"n":1', 11602, {}]] }, { refused => [] }],
    poison   => [{ refused => [['7 ,', 121, {}]] }, { refused => [] }],
    blind    => [{ unreadable => 0 }, { unreadable => undef }],
    away     => [{ away => 1 }, { away => 0 }],
    locked   => [{ locked => 1 }, { locked => 0 }],
    mute     => [{ mute => 1 }, { mute => 0 }],
    narrow   => [{ rate => 200_000 }, { rate => 0 }],
);

# documents of others, of each type and range that an id and a time may be of

my @odd = (
    (map { $fake->event($_) } 'a', -1, 0, '9007199254740992',
                              '9223372036854775807', '-9223372036854775808',
           Msgbus::Fake::double(0.5), Msgbus::Fake::double(-1e300),
           Msgbus::Fake::double(1e300), Msgbus::Fake::date(-5),
           Msgbus::Fake::object_id('00' x 12), { a => 1 }),
    { %{ $fake->event('a') }, _id => JSON::PP::true },
);

my @other = (
    (map { { created_at => $_ } } 'never', 5, Msgbus::Fake::date(-1e12),
                                  Msgbus::Fake::date(253e12), { a => 1 }),
    (map { { channel => $_ } } '', 5, '//', "/a\tb", 'x' x 5000, { a => 1 }),
    (map { { data => $_ } } '', '{', 5, '[' x 1000, { a => 1 }),
    (map { { uuid => $_, user_agent => $_ } } '', 5, "\x{1}", { a => 1 }),
);

# each behind each other one: a walk over all pairs

sub walk {
    my @names = @_;
    my @rest = map { my $from = $_; map { [$from, $_] }
                                    grep { $_ ne $from } @names } @names;
    my @path = ($names[0]);

    while (@rest) {
        my ($at) = grep { $rest[$_][0] eq $path[-1] } 0 .. $#rest;

        push @path, defined $at ? splice(@rest, $at, 1)->[1] : $rest[0][0];
    }

    return @path;
}

my @nginx = map {
    $fake->node(uri => $fake->uri . '?socketTimeoutMS=300'
                       . '&serverSelectionTimeoutMS=300',
                more => 'poll 20ms; retry tries=6 delay=100ms;')->start
} 1 .. 2;

$fake->wait_until_up(@nginx);

my $law = Msgbus::Law->new(
    nginx => $nginx[0], to => [map { "127.0.0.1:$_->{port}" } @nginx],
    posters => 6, pollers => 3, hoppers => 1, rate => 300,
    settle => sub { $fake->wait_for_id($_[0], @nginx) },
)->begin;

my @path = walk(sort keys %fault);
my $before;

for my $name (@path) {
    $fake->set(%{ $fault{$name}[0] });
    sleep 0.06;

    if ($before && $before ne $name) {
        $fake->set(%{ $fault{$before}[1] });

        # both are of one kind: what was begun goes on
        $fake->set(%{ $fault{$name}[0] });
    }

    $fake->put(shift @odd) if @odd;
    $fake->append(channel => '/foreign', %{ shift @other }) if @other;

    sleep 0.06;
    $before = $name;
}

$fake->set(%{ $fault{$before}[1] });

ok(!@odd && !@other, 'all the documents of others were there');

$fake->wait_until_up(@nginx);

my %before = map { @$_ } $law->stored;

$fake->until(20, 'all to post again', sub {
    return !grep { $_->[1] <= $before{$_->[0]} + 5 } $law->stored;
});
pass('all post again when it is over');

$law->end;
$law->kept;
$fake->has_all_of($law);

my @ids = grep { !ref && /^\d+\z/ && $_ > 0 && $_ < 2 ** 53 } $fake->ids;

is_deeply(\@ids, [$ids[0] .. $ids[-1]], 'there is no hole between the ids');

$_->quit for @nginx;
$_->no_alerts for @nginx;

done_testing;
