# Whatever a client sends while it waits - another request, half of one, what is
# none - has the same answers, whether its own request is parked or held.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw( sleep );

use Msgbus::Nginx;


Msgbus::Nginx->limit(60);

my $nginx = Msgbus::Nginx->new(
    http     => q(
        msgbus_zone zone=parked:4m first_id=1;
        msgbus_zone zone=held:4m first_id=1;
        msgbus_require_uuid off;
        msgbus_park on after=1ms;
        msgbus_ping 1h;
        client_header_timeout 400ms;
        client_body_timeout 400ms;
        log_format what '$status $request_method "$request" $body_bytes_sent';
        access_log logs/access what;
    ),
    location => q(
        location /on { msgbus parked; msgbus_channel /c; }
        location /off { msgbus held; msgbus_channel /c; msgbus_park off; }
        location = /served { return 200 "served $http_x_n\n"; }
        location = /stub { access_log off; stub_status; }
    ),
);

mkdir "$nginx->{dir}/logs";
chmod 0777, "$nginx->{dir}/logs";
$nginx->start;

my $get = "GET /served HTTP/1.1\r\nHost: bus\r\n";
my $post = "POST /WAY HTTP/1.1\r\nHost: bus\r\nUser-Agent: p/1 uuid/p\r\n";

# what comes in one piece, and where there are two, in two

my @probes = (
    [ '' ],
    [ "${get}X-N: 1\r\n\r\n" ],
    [ "${get}X-N: 1\r\n\r\n${get}X-N: 2\r\n\r\n${get}X-N: 3\r\n\r\n" ],
    [ "GET /serv", "ed HTTP/1.1\r\nHost: bus\r\n\r\n" ],
    [ 'GET /served HTTP' ],
    [ "${get}X-N: 1" ],
    [ "\r\n\r\n", "${get}X-N: 1\r\n\r\n" ],
    [ "\0" ],
    [ "\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" ],
    [ "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" ],
    [ "GET /served\r\n" ],
    [ "GET /served HTTP/1.0\r\n\r\n${get}X-N: 2\r\n\r\n" ],
    [ "GET /served HTTP/1.1\r\n\r\n" ],
    [ "${get}Host: other\r\n\r\n" ],
    [ "${get}X-N : 1\r\n\r\n" ],
    [ "GET  /served  HTTP/1.1\r\nHost: bus\r\n\r\n" ],
    [ "GET /served HTTP/9.9\r\nHost: bus\r\n\r\n" ],
    [ "${get}Connection: close\r\n\r\n${get}X-N: 2\r\n\r\n" ],
    [ "${get}X-Large: " . 'x' x 9_000 . "\r\n\r\n" ],
    [ "${get}X-Large: " . 'x' x 40_000, "\r\n\r\n" ],
    [ 'GET /' . 'y' x 9_000 . " HTTP/1.1\r\nHost: bus\r\n\r\n" ],
    [ "${get}Content-Length: 5\r\n\r\n12345${get}X-N: 2\r\n\r\n" ],
    [ "${get}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
      . "0\r\n\r\n${get}X-N: 2\r\n\r\n" ],
    [ "${get}Transfer-Encoding: chunked\r\n\r\nzz\r\n" ],
    [ "${get}Transfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n0\r\n\r\n",
      "${get}X-N: 2\r\n\r\n" ],
    [ "${get}Transfer-Encoding: identity\r\n\r\n${get}X-N: 2\r\n\r\n" ],
    [ "${get}Content-Length: 5\r\nContent-Length: 6\r\n\r\n12345" ],
    [ "${get}Content-Length: -1\r\n\r\n" ],
    [ "${post}Content-Length: 3\r\n\r\n[", "1]${get}X-N: 2\r\n\r\n" ],
    [ "${post}Transfer-Encoding: chunked\r\n\r\n3\r\n[2]\r\n0\r\n\r\n" ],
    [ "${post}Transfer-Encoding: chunked\r\n\r\n3\r\n[3]X\r\n0\r\n\r\n" ],
    [ "${post}Content-Length: 5\r\n\r\n[4" ],
    [ "5\r\ndata:\r\n0\r\n\r\n" ],

    # and says that it sends no more, which is that it has left

    [ '', '', 'shut' ],
    [ 'GET /serv', '', 'shut' ],
    [ "${get}X-N: 1\r\n\r\n", '', 'shut' ],
);

my $stay = grep { @$_ < 3 } @probes;

sub ask {
    my ($uri, @headers) = @_;
    my $client = $nginx->client(agent => 'reader/1.0');

    $client->connect;
    $client->send($client->format(GET => $uri, undef, @headers));

    return $client;
}

sub requests {
    return $nginx->client->get('/stub')->body =~ /Writing: (\d+) / && $1;
}

# all that comes of it, to the end of the connection or for long enough

sub rest {
    my (@clients) = @_;
    my $until = Msgbus::Client::now() + 1.2;
    my %open = map { $_ => $clients[$_] } 0 .. $#clients;

    while (%open && Msgbus::Client::now() < $until) {
        my $bits = '';

        vec($bits, fileno $_->{sock}, 1) = 1 for values %open;
        select $bits, undef, undef, 0.1;

        for my $n (grep { vec $bits, fileno $open{$_}{sock}, 1 } keys %open) {
            my $client = $open{$n};

            if (!defined $client->read_some) {
                $client->{in} .= "(closed)\n";
                delete $open{$n};
            }
        }
    }

    return map { $_->{in} =~ s/^Date: .*\r\n//gmr =~ s/"age":\d+/"age":0/gr
                 =~ s/\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ/TIME/gr
                 =~ s/^retry: \d+/retry/mr =~ s/^(ETag: .*-)\d+"/$1"/gmr
                 =~ s/\b(?:on|off)\b/WAY/gr } @clients;
}

sub logged {
    return map { s/\b(?:on|off)\b/WAY/gr }
           sort split /\n/, Msgbus::Nginx::slurp("$nginx->{dir}/logs/access");
}

for my $kind ([ 'a long-poll', 'wait=20' ],
              [ 'a stream', 'stream', Accept => 'text/event-stream' ])
{
    my ($what, $args, @headers) = @$kind;
    my (%came, %lines);

    for my $way ('on', 'off') {
        my @before = logged();
        my @clients = map { ask("/$way?last-known-id=latest&$args", @headers) }
                      @probes;

        $nginx->wait_for_readers(scalar @probes, $way eq 'on' ? 'parked'
                                                              : 'held');
        $nginx->until(5, 'them to wait', sub {
            return requests() == ($way eq 'on' ? 1 : 1 + @probes);
        });

        for my $part (0, 1) {
            for my $n (0 .. $#probes) {
                my $bytes = $probes[$n][$part] // next;

                $clients[$n]->send($bytes =~ s/WAY/$way/gr) if length $bytes;
            }

            sleep 0.1;
        }

        is($nginx->report($way eq 'on' ? 'parked' : 'held')->body
               =~ /"waiting_readers":(\d+)/ && $1, scalar @probes,
           "$what: all wait as before ($way)");

        shutdown $clients[$_]{sock}, 1 for grep { @{ $probes[$_] } == 3 }
                                           0 .. $#probes;
        $nginx->wait_for_readers($stay, $way eq 'on' ? 'parked' : 'held');
        $nginx->client(agent => 'poster')->post("/$way", '["event"]');

        my @came = rest(@clients);

        $_->close for @clients;
        $nginx->wait_for_readers(0, $way eq 'on' ? 'parked' : 'held');

        $came{$way} = \@came;

        my %before;

        $before{$_}++ for @before;
        sleep 0.2;
        $lines{$way} = join "\n", grep { !$before{$_} || !$before{$_}-- }
                                       logged();
    }

    my @differ = grep { $came{on}[$_] ne $came{off}[$_] } 0 .. $#probes;

    is(join(', ', map { substr $probes[$_][0], 0, 60 } @differ), '',
       '    and parked ones are answered as held ones, to the byte');
    diag("$came{on}[$_]\n---\n$came{off}[$_]") for @differ ? $differ[0] : ();
    is(scalar(grep { /"event"/ } @{ $came{on} }), $stay,
       '    each that has not left has the event');
    is($lines{on}, $lines{off}, '    and the access log has the same lines');
}

$nginx->quit;
$nginx->no_alerts;

done_testing;
