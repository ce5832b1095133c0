# A zone holds as many events and channels as docs/operations.md says.
#
# The zones of its table are filled up to the first 507, but for the largest:
# set TEST_DOCS_ALL to fill it too.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Nginx;


Msgbus::Nginx->limit(300);

open my $in, '<', "$FindBin::Bin/../docs/operations.md"
    or die "docs/operations.md: $!\n";

my @rows;

while (<$in>) {
    push @rows, [$1, $2, $3] if /^\| (\d+[km]) \| ([\d,]+) \| ([\d,]+) \|$/;
}

for my $row (@rows) {
    tr/,//d for @$row[1, 2];
}

@rows = grep { $ENV{TEST_DOCS_ALL} || $_->[0] ne '256m' } @rows;

ok(scalar @rows, 'docs/operations.md has the table');

my $agent = 'sensor/1.0 uuid/6ba7b810-9dad-11d1-80b4-00c04fd430c8';


# posts in batches until one is refused; how many were stored

sub fill {
    my ($nginx, $location, $channel, $data) = @_;

    my $client = $nginx->client;
    my $stored = 0;
    my $n = 0;

    for ( ;; ) {
        my $bytes = join '', map {
            "POST $location" . $channel->($n++) . " HTTP/1.1\r\nHost: bus\r\n"
            . "User-Agent: $agent\r\nContent-Length: " . length($data)
            . "\r\n\r\n$data"
        } 1 .. 100;

        $client->send($bytes);

        for (1 .. 100) {
            my $r = $client->response('POST');

            die $r->error if $r->failure;

            return $stored if $r->status == 507;
            die 'status ' . $r->status if $r->status != 201;

            $stored++;
        }
    }
}


sub about {
    my ($got, $said, $what) = @_;

    cmp_ok(abs($got - $said), '<=', 1 + $said / 100,
           "$what: $said, and was $got");

    return;
}


my $data = '{"text":"' . 'x' x 289 . '"}';

is(length $data, 300, 'an event of 300 bytes');

for my $row (@rows) {
    my ($zone, $events, $channels) = @$row;

    my $zones = join '', map { "msgbus_zone zone=$_:$zone ttl=1h full=reject;" }
                         qw( a b );

    my $nginx = Msgbus::Nginx->new(
        http     => "keepalive_requests 10000000;\n$zones",
        location => 'location /a/ { msgbus a; } location /b/ { msgbus b; }',
    )->start;

    about(fill($nginx, '/a', sub { '/house/kitchen' }, $data), $events,
          "events that $zone hold");
    about(fill($nginx, '/b', sub { "/$_[0]" }, '[]'), $channels,
          "channels that $zone hold");

    $nginx->quit;
    $nginx->no_alerts;
}

done_testing;
