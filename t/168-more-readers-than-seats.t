# A zone counts as many readers as it has seats for; of more, the list says that
# it is incomplete, until there are fewer again.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Channels;
use Msgbus::Nginx;
use Msgbus::Stream;


Msgbus::Nginx->limit(60);

# 8 KB are for some 80 seats
my $nginx = Msgbus::Nginx->new(
    workers  => 2,
    http     => 'msgbus_zone zone=bus:128k; msgbus_require_uuid off;',
    location => 'location / { msgbus bus; }
                 location = /channels { msgbus_channels bus; }',
)->start;

my $list = Msgbus::Channels->new(nginx => $nginx);

sub streams {
    my ($format, @n) = @_;

    my @streams = map { Msgbus::Stream->new(to => "127.0.0.1:$nginx->{port}",
                                            uri => $format =~ s/%d/$_/r) } @n;
    $_->open for @streams;

    return @streams;
}

sub is_complete { $list->all; return !$list->{incomplete} }


my @one = streams('/one', 1 .. 300);

ok(defined $list->until(1, sub { $list->readers('/one') eq '0 300 0 0' }),
   'many readers of one channel take a seat of each worker');
ok(is_complete(), '    and the list is complete');

my @each = streams('/c%d', 1 .. 200);

ok(defined $list->until(1, sub { $list->all; $list->{incomplete} }),
   'readers of more channels than there are seats: it is not');

my $n = $list->sum;

cmp_ok($n, '>', 300 + 60, "    but $n are counted");
cmp_ok($n, '<', 500, '    and not all');
is($list->readers('/one'), '0 300 0 0', '    those who came first are');

# a channel's place is none of theirs
is($nginx->client->post('/new/channel', '{}')->status, 201,
   '    events have their places');

$_->close for splice @each, 0, 170;

ok(defined $list->until(3, sub { $list->sum == 330 && is_complete() }),
   'of fewer again all are counted, those who came late, too');

my $deep = '/' . 'n' x 250;
my @long = streams("$deep%d", 1 .. 40);

ok(defined $list->until(1, sub { !is_complete() }),
   'long names take more of them');
$_->close for @long;
ok(defined $list->until(3, sub { $list->sum == 330 && is_complete() }),
   '    and give them back');

$_->close for @one, @each;
ok(defined $list->until(3, sub { $list->sum == 0 }), 'in the end is nobody');

$nginx->quit;
$nginx->no_alerts;

done_testing;
