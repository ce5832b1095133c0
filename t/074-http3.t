# HTTP/3 carries all that HTTP/1.1 does: events are posted, read, waited for
# and streamed over QUIC, on any worker.  A client that vanishes is noticed when
# its connection has been silent for keepalive_timeout, which a worker that a
# reload has ended waits for.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Select;
use Test::More;

use Msgbus::Nginx;


plan skip_all => 'needs an nginx with HTTP/3'
    if `'@{[ $ENV{TEST_NGINX_BINARY} || 'nginx' ]}' -V 2>&1` !~ /http_v3_module/;
plan skip_all => 'needs a curl with HTTP/3, and openssl'
    if `curl --version 2>&1` !~ /\bHTTP3\b/
       || `sh -c 'command -v openssl'` eq '';

Msgbus::Nginx->limit(60);

my $port = Msgbus::Nginx::free_port();

my $nginx = Msgbus::Nginx->new(
    workers  => 2,
    http     => 'msgbus_zone zone=bus:2m first_id=1;
                 msgbus_require_uuid on;
                 keepalive_timeout 3s;',
    location => 'location /       { msgbus bus; msgbus_ping 200ms; }
                 location /small/ { msgbus bus; client_max_body_size 10; }',
);

my $dir = $nginx->{dir};

system("openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=bus"
       . " -keyout $dir/key -out $dir/crt 2> /dev/null") == 0
    or die "openssl failed\n";

$nginx->{http} .= "ssl_certificate $dir/crt; ssl_certificate_key $dir/key;";
$nginx->{listen} = ["127.0.0.1:$port quic reuseport"];
$nginx->start;

my $agent = 'Name/1.0 uuid/w';
my $poster = $nginx->client(agent => 'Other/1.0 uuid/o');

my @pids;

END { kill KILL => @pids if @pids }


sub command {
    return ('curl', '--http3-only', '-skN', '-m', 20, '-A', $agent, @_);
}


sub h3 {
    my ($uri, @args) = @_;

    open my $out, '-|', command('-i', @args, "https://127.0.0.1:$port$uri")
        or die "curl: $!\n";

    my $text = do { local $/; <$out> } // '';
    my ($head, $body) = split /\r\n\r\n/, $text, 2;
    my ($status, @lines) = split /\s*\r\n/, $head // '';

    return {
        status => $status // '',
        header => { map { /^([^:]+):\s*(.*)$/ ? (lc $1, $2) : () } @lines },
        body   => $body // '',
    };
}


# what comes of one that goes on, until it matches

sub begin {
    my ($uri, @args) = @_;

    my $pid = open my $out, '-|', command(@args, "https://127.0.0.1:$port$uri")
        or die "curl: $!\n";

    push @pids, $pid;

    return { pid => $pid, out => $out, text => '' };
}


sub comes {
    my ($self, $pattern, $name) = @_;

    my $end = Msgbus::Nginx::now() + 15;
    my $select = IO::Select->new($self->{out});

    while ($self->{text} !~ $pattern && Msgbus::Nginx::now() < $end) {
        $select->can_read(0.2) or next;
        sysread $self->{out}, $self->{text}, 65536, length $self->{text}
            or last;
    }

    like($self->{text}, $pattern, $name);

    return;
}


# --- publish

my $r = h3('/c', '-d', '{"n":1}');

is($r->{status}, 'HTTP/3 201', 'an event is posted');
is($r->{header}{'msgbus-id'}, 1, '    and its id is told');
is($r->{body}, '', '    and no more');

$r = h3('/c', '-d', '{"n":');
is($r->{status}, 'HTTP/3 400', 'bad JSON is refused');
is($r->{body}, '{ "message": "Invalid JSON" }', '    as JSON');

my $large = '{"n":2,"x":"' . 'x' x 100_000 . '"}';

is(h3('/c', '-d', $large)->{status}, 'HTTP/3 201',
   'a long body comes in many packets');

$r = h3('/small/c', '-d', '{"n":12345678}');
is($r->{status}, 'HTTP/3 413', 'what is refused before its body is read');
is($r->{body}, '{ "message": "Request Entity Too Large" }', '    is so as JSON');

$r = h3('/c', '-X', 'POST', '-H', 'Content-Type: application/x-ndjson',
        '--data-binary', qq({"n":3}\n{"n":4}\n));
is($r->{body}, '{"ids":[3,4]}', 'a batch');


# --- read

$r = h3('/c?echo=true');
is($r->{status}, 'HTTP/3 200', 'events are read');
is($r->{header}{'msgbus-last-id'}, 4, '    with the cursor to use next');
is(join(' ', $r->{body} =~ /"n":(\d)/g), '1 2 3 4', '    all of them');
like($r->{body}, qr/\Q"data":$large}\E/, '    byte for byte');

$r = h3('/c?echo=true&last-known-id=4');
is($r->{status}, 'HTTP/3 204', 'nothing newer');

is(h3('/c?echo=true', '-I')->{header}{'msgbus-last-id'}, 4, 'HEAD');
is(h3('/c', '-X', 'PUT')->{status}, 'HTTP/3 405', 'a method that is none');


# --- wait, and stream, of what another worker may take

my $wait = begin('/w?last-known-id=4&wait=15');

$nginx->wait_for_readers(1);
is($poster->post('/w', '{"n":5}')->status, 201, 'an event over HTTP/1.1');
comes($wait, qr/"data":\{"n":5\}/, 'who waits over HTTP/3 has it');
close $wait->{out};

my $sse = begin('/c?echo=true', '-H', 'Accept: text/event-stream',
                '-H', 'Last-Event-ID: 3');

comes($sse, qr/^id: 4\n/m, 'a stream of SSE goes on from Last-Event-ID');
comes($sse, qr/^event: msgbus\.ping\n/m, '    has pings');

$nginx->wait_for_readers(1);
is($poster->post('/c', '{"n":6}')->status, 201, 'an event comes');
comes($sse, qr/"data":\{"n":6\}\}\nid: 6\n/, '    and is in the stream');
unlike($sse->{text}, qr/"n":[1-35]/, '    which has nothing else');

my $ndjson = begin('/c?echo=true', '-H', 'Accept: application/x-ndjson');

comes($ndjson, qr/"n":1\}.*"n":6\}/s, 'a stream of lines begins with what is there');


# --- the ends

$nginx->wait_for_readers(2);
kill KILL => $sse->{pid};
close $sse->{out};

$nginx->wait_for_readers(1);
pass('a client that was killed is missed, though nobody has said so');

$nginx->reload;
comes($ndjson, qr/\n\{"ping":6\}\n(?!.*\n)/, 'a reload ends a stream');

my $rest = do { local $/; readline $ndjson->{out} };

close $ndjson->{out};
is($?, 0, '    in order');

is(h3('/c?echo=true&last-known-id=4')->{header}{'msgbus-last-id'}, 6,
   'the bus goes on');

$nginx->quit;
$nginx->no_alerts;

done_testing;
