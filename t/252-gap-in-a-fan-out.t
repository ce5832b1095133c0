# What is rendered once for all while many readers are told of an event is shared
# by those alone whom it fits: a stream without a cursor is not told of what has
# left memory, one with a cursor that comes in the same moment is.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Nginx;
use Msgbus::Stream;


Msgbus::Nginx->limit(60);

my $nginx = Msgbus::Nginx->new(
    workers  => 1,
    http     => 'msgbus_zone zone=bus:1m first_id=1 max_events=300;',
    location => 'location / { msgbus bus; msgbus_require_uuid off; }',
)->start;

my $to = "127.0.0.1:$nginx->{port}";
my $poster = $nginx->client(agent => 'poster');

$poster->post('/x', "[$_]") for 1 .. 400;

# so many that to wake them takes some turns of the event loop

my @crowd = map {
    my $stream = Msgbus::Stream->new(to => $to, uri => '/crowd', sse => 0);
    $stream->open;
    $stream;
} 1 .. 400;

my $post = $poster->format(POST => '/crowd', '[1]');
my ($silent, $readers) = (0, 0);

for my $turn (1 .. 30) {
    my (@came, @others);

    $poster->send($post);
    sleep 0.0005 * ($turn % 4);

    for (1 .. 3) {
        my ($without, $with) = map {
            my $stream = Msgbus::Stream->new(to => $to, uri => $_);
            $stream->open;
            $stream;
        } '/x', '/x?last-known-id=1';

        push @came, $with;
        push @others, $without;
    }

    Msgbus::Stream->read_until(5, sub { !grep { !$_->{n} } @came }, @came);
    Msgbus::Stream->read_until(0.005, sub { 0 }, @crowd);
    $poster->response;

    $readers += @came;
    $silent += grep { !$_->gaps } @came;

    $_->reset for @came, @others;
}

is($silent, 0, "each of $readers readers is told of the gap");

$_->reset for @crowd;
$nginx->quit;
$nginx->no_alerts;

done_testing;
