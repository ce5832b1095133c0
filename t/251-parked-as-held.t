# Who looks at the end of a request does not see whether it was held or made
# again: not its client, not the access log.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use MIME::Base64 qw( decode_base64 );
use Test::More;

use Msgbus::Nginx;
use Msgbus::Stream;


Msgbus::Nginx->limit(60);

my $location = q(
    location = /way/missing { error_page 404 /way/of?$args; return 404; }
    location = /way/of {
        msgbus bus; msgbus_channel /c; msgbus_park PARK;
        userid on; userid_name way;
        access_log logs/access all;
    }
    location = /way/rate {
        msgbus bus; msgbus_channel /c; msgbus_park PARK;
        limit_rate 1k; set $limit_rate 0;
        access_log logs/access all;
    }
    location /way/bus/ { msgbus bus; msgbus_park PARK; msgbus_scope many all; }
);

my $nginx = Msgbus::Nginx->new(
    http     => q(
        msgbus_zone zone=bus:4m first_id=1;
        msgbus_require_uuid off;
        log_format all '$status|$uid_set|$sent_http_set_cookie';
    ),
    location => ($location =~ s/way/on/gr =~ s/PARK/on after=1ms/gr)
                . ($location =~ s/way/off/gr =~ s/PARK/off/gr) . q(
        location / { msgbus bus; }
        location = /stub { stub_status; }
    ),
);

mkdir "$nginx->{dir}/logs";
chmod 0777, "$nginx->{dir}/logs";
$nginx->start;

my $poster = $nginx->client(agent => 'poster');

my $log = "$nginx->{dir}/logs/access";

sub lines { return split /\n/, Msgbus::Nginx::slurp($log) }

sub line {
    my ($since) = @_;

    $nginx->until(5, 'a line', sub { return lines() > $since });

    return (lines())[-1];
}

sub requests {
    my ($n) = @_;

    return eval {
        $nginx->until(5, "$n requests", sub {
            return $nginx->client->get('/stub')->body =~ /Writing: $n /;
        });
        1;
    };
}

# status of the answer, and of its line; whether that names the cookie

sub poll {
    my ($uri, $n) = @_;
    my $client = $nginx->client(agent => 'reader');
    my $since = lines();

    $client->connect;
    $client->send($client->format(GET => "$uri?last-known-id=latest&wait=20"));
    $nginx->wait_for_readers(1);
    ok(requests($n), "$uri: " . ($n == 1 ? 'it is parked' : 'it is held'));
    $poster->post('/c', '["' . 'x' x 8_000 . '"]');

    my $r = $client->response('GET', Msgbus::Client::now() + 3);

    return ($r->failure // '') . $r->status . ' ' . told(line($since));
}

sub stream {
    my ($uri, $n) = @_;
    my $stream = Msgbus::Stream->new(to => "127.0.0.1:$nginx->{port}",
                                     uri => "$uri?last-known-id=latest");
    my $since = lines();

    $stream->open;
    $nginx->wait_for_readers(1);
    ok(requests($n), "$uri: " . ($n == 1 ? 'it is parked' : 'it is held'));
    $poster->post('/c', '[1]');
    Msgbus::Stream->read_until(5, sub { $stream->{n} }, $stream);
    $stream->close;

    return told(line($since));
}

# a client's id is four numbers; in its cookie, their bytes

sub told {
    my ($status, $id, $cookie) = split /\|/, shift;
    my ($sent) = $cookie =~ /=(\S+?);/ or return $status;

    $id =~ s/^\w+=//;

    return $status . (pack('V*', unpack 'N*', pack 'H*', $id)
                      eq decode_base64($sent) ? ' its' : ' another') . ' cookie';
}


is(poll('/on/of', 1), poll('/off/of', 2), '    and a poll ends as a held one');
is(stream('/on/of', 1), stream('/off/of', 2), '    and a stream');
is(poll('/on/missing', 1), poll('/off/missing', 2),
   '    with the status of an error_page');
is(stream('/on/missing', 1), stream('/off/missing', 2), '    which a stream logs');
is(poll('/on/rate', 2), poll('/off/rate', 2), '    as fast as it was set');


# whose own events are hidden has a tag of what he asks, too: of one event each

sub tag {
    my ($uri, $n) = @_;
    my $client = $nginx->client(agent => 'reader uuid/r');

    $client->connect;
    $client->send($client->format(GET => "$uri&last-known-id=latest&wait=20"));
    $nginx->wait_for_readers(1);
    ok(requests($n), "$uri: " . ($n == 1 ? 'it is parked' : 'it is held'));

    my $id = $poster->post('/c', '[1]')->id;
    my $r = $client->response('GET', Msgbus::Client::now() + 3);

    return ($r->failure // '') . ($r->header('ETag') // '') =~ s/\b$id\b/N/gr;
}

for my $list ('/*', '/c,/d/*') {
    is(tag("/on/bus/?channels=$list", 1), tag("/off/bus/?channels=$list", 2),
       "$list has the same tag, parked or held");
}

$nginx->quit;
$nginx->no_alerts;

done_testing;
