# However often something goes wrong, in however many workers, the error log has
# one line of it a minute; the next one says how many were left out.  No line
# hides another one, and the end of a trouble is told, too.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Clocks;
use Msgbus::Fake;


Msgbus::Nginx->limit(120);

my $fake = Msgbus::Fake->new->start;
my $http = $fake->http(size => '1m', zone => 'ttl=1d',
                       more => 'poll 50ms; retry tries=2 delay=100ms;');

$http =~ s/connect_timeout 1s/connect_timeout 200ms/;
$http =~ s/ timeout 2s/ timeout 300ms/;

my $nginx = Msgbus::Nginx->new(
    workers => 3,
    http => "$http msgbus_zone zone=small:128k ttl=1d; keepalive_timeout 0;",
    location => <<'END',
msgbus_require_uuid off;
msgbus_scope exact parent all;

location / { msgbus bus; }

location /small/ { msgbus small; }

location /twice/ {
    msgbus bus;
    post_action /again/a;
}

location /again/ { msgbus bus; }
END
);

my $clocks = Msgbus::Clocks->new($nginx)->start;

plan skip_all => 'another library is preloaded' if !$clocks->works;

$fake->wait_until_up($nginx);

my $first = $nginx->client->post('/a', '{"n":0}')->id;
my $odd = $first;

sub health {
    my ($status) = @_;

    $nginx->until(15, "health to be $status", sub {
        return $nginx->client->get('/health')->status == $status;
    });

    return;
}

# the worker that has the connection is by chance: a new one for each

sub all_of {
    my ($n, $status, $code) = @_;

    my %status;

    $status{ $code->($nginx->client) }++ for 1 .. $n;

    return is(join(' ', map { "$status{$_} times $_" } sort keys %status),
              "$n times $status", @_[3 .. $#_]);
}

sub everything_goes_wrong {

    # the database is lost, and there again, three times

    for (1 .. 3) {
        $fake->set(away => 1);
        health(503);
        all_of(2, 503, sub { $_[0]->post('/a', '{}')->status },
               'posts without a database');
        $fake->set(away => 0);
        health(200);
    }

    $fake->set(refused => [['poison', 121, {}]]);
    all_of(20, 422, sub { $_[0]->post('/a', '{"poison":1}')->status },
           'events that the database refuses');

    # another program's: no channel

    for my $n (1 .. 3) {
        $odd = $nginx->client->post('/a', '{"n":1}')->id + 1;
        $fake->put($fake->event(Msgbus::Fake::long($odd), channel => 'no'));
        $nginx->until(15, 'a look', sub {
            $nginx->client->post('/a', '{"n":1}')->id > $odd;
        });
    }

    all_of(10, 201, sub { $_[0]->post('/twice/a', '{}')->status },
           'requests that go in a circle');

    my $large = '{"s":"' . 'x' x 4000 . '"}';

    all_of(60, 201, sub { $_[0]->post('/small/a', $large)->status },
           'events that leave early');
}

sub lines {
    my ($text) = @_;

    return map { s/^.*?\d#\d+: (?:\*\d+ )?//r }
           $nginx->log(0, 'warn|error|crit|notice', $text);
}

my %lines = (
    'can not use its store'     => 'a store that is lost again and again',
    'uses its store in msgbus zone "bus" again' => 'its return',
    'the store refuses an event'   => 'events that the store refuses',
    'passes over event'            => 'events of another program',
    'does not publish a request twice' => 'requests that go in a circle',
    'events left it before'        => 'a full zone',
);

everything_goes_wrong();

for my $text (sort keys %lines) {
    my @lines = lines($text);

    is(scalar @lines, 1, "one line of $lines{$text}")
        or diag(join "\n", @lines);
    unlike($lines[0] // '', qr/more in the last/, '    that knows of no other');
}

$clocks->ahead(70);

# what was left out and has a count of its own is told without another one

$nginx->until(15, 'the rest to be told', sub {
    return lines('events left it before') == 2;
});

my @counts = map { /: (\d+) events left/ } lines('events left it before');

cmp_ok($counts[0], '<', 5, 'events that leave early are told at once');
cmp_ok($counts[1], '>', 20, '    and those after that with the next line');

everything_goes_wrong();

delete $lines{'events left it before'};

for my $text (sort keys %lines) {
    my @lines = lines($text);

    is(scalar @lines, 2, "a minute later another one of $lines{$text}")
        or diag(join "\n", @lines);

    like($lines[1] // '', qr/\(\d+ more in the last (?:6\d|[7-9]\d|1\d\d) s\)/,
         '    that says how many were left out')
        if $text !~ /uses its store/;
}

$nginx->no_alerts;

done_testing;
