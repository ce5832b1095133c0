# Over TLS, too, who waits is parked: its buffers go with its request, and what
# comes is still delivered, in one record.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw( sleep );

use Msgbus::Nginx;


eval { require IO::Socket::SSL; 1 }
    or plan skip_all => 'needs IO::Socket::SSL';
plan skip_all => 'needs openssl' if `openssl version 2>&1` !~ /^Open/;

Msgbus::Nginx->limit(60);

my $port = Msgbus::Nginx::free_port();

my $nginx = Msgbus::Nginx->new(
    http     => q(
        msgbus_zone zone=bus:1m first_id=1;
        msgbus_require_uuid off;
        msgbus_ping 1h;
        msgbus_park on after=1ms;
        log_format all '$status|$body_bytes_sent|$request_uri|$ssl_protocol|'
                       '$request_completion';
    ),
    location => q(
        location / { msgbus bus; }
        location /logged/ {
            msgbus_channel /c; msgbus bus; access_log access all;
        }
        location = /stub { stub_status; }
    ),
);

my $dir = $nginx->{dir};

chmod 0777, $dir;

system("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=bus"
       . " -keyout $dir/key -out $dir/crt 2> /dev/null") == 0
    or die "openssl failed\n";

$nginx->{http} .= "ssl_certificate $dir/crt; ssl_certificate_key $dir/key;";
$nginx->{listen} = [ "127.0.0.1:$port ssl" ];
$nginx->start;

my ($worker) = $nginx->worker_pids;
my $n = 80;

sub ask {
    my ($uri, $accept) = @_;

    my $ssl = IO::Socket::SSL->new(
        PeerAddr => "127.0.0.1:$port", SSL_verify_mode => 0,
    ) or die "no TLS: $!, " . IO::Socket::SSL::errstr() . "\n";

    print $ssl "GET $uri HTTP/1.1\r\nHost: bus\r\nUser-Agent: r\r\n"
               . ($accept ? "Accept: $accept\r\n" : '') . "\r\n";

    return $ssl;
}

sub until_like {
    my ($ssl, $what) = @_;
    my $text = '';

    while ($text !~ $what) {
        sysread($ssl, $text, 65536, length $text) or last;
    }

    return $text;
}

sub parked {
    return eval {
        $nginx->until(5, 'all to be parked', sub {
            return $nginx->client->get('/stub')->body =~ /Writing: 1 /;
        });
        1;
    };
}

# what one costs, beside a connection that nginx keeps alive: that depends on
# its version, and twice as much on OpenSSL's

sub bytes_each {
    my ($first, $more) = @_;

    $first->();

    my $before = $nginx->memory($worker, 'RssAnon');

    $more->();

    return ($nginx->memory($worker, 'RssAnon') - $before) * 1024 / $n;
}

sub keep {
    my $ssl = ask('/stub');

    until_like($ssl, qr/Waiting/);

    return $ssl;
}

my (@kept, @first, @streams);

my $of_nginx = bytes_each(sub { @kept = map { keep() } 1 .. 30 },
                          sub { push @kept, map { keep() } 1 .. $n });

my @stream = ('/c?last-known-id=latest', 'text/event-stream');
my $parked;

my $of_parked = bytes_each(
    sub {
        @first = map { ask(@stream) } 1 .. 30;
        $nginx->wait_for_readers(30);
    },
    sub {
        @streams = map { ask(@stream) } 1 .. $n;
        $nginx->wait_for_readers(30 + $n);
        $parked = parked();
    },
);

ok($parked, 'they are parked');

SKIP: {
    skip 'ASan keeps what was freed', 1 if $ENV{CHECKED_REPORTS};

    diag(sprintf '%.0f bytes, one that nginx keeps alive %.0f', $of_parked,
         $of_nginx);

    cmp_ok($of_parked, '<', $of_nginx + 1000,
           'one takes less than 1000 bytes beside what TLS and nginx do');
}

undef @kept;

# they get what comes, long-polls too

my $poll = ask('/c?last-known-id=latest&wait=20');

$nginx->wait_for_readers(31 + $n);
ok(parked(), 'a long-poll is parked');

my $large = 'x' x 50_000;

$nginx->client(agent => 'p')->post('/c', qq(["$large"]));
is(scalar(grep { until_like($_, qr/x"\]\}\nid: 1\n\n/) =~ /"\Q$large\E"/ }
               @first, @streams), 30 + $n, 'each has what comes');
like(until_like($poll, qr/\]\}$/), qr{^HTTP/1\.1 200 .*"\Q$large\E"}s,
     '    a long-poll, too');
ok(parked(), '    and streams are parked again');

# and on the same connection

print $poll "GET /c?last-known-id=1&wait=20 HTTP/1.1\r\nHost: bus\r\n"
            . "User-Agent: r\r\n\r\n";
$nginx->wait_for_readers(31 + $n);
parked();
$nginx->client(agent => 'p')->post('/c', '["second"]');
like(until_like($poll, qr/\]\}$/), qr/"second"/, 'the connection goes on');

# each way to leave

undef $poll;
shift(@streams)->close for 1 .. 10;
shift(@streams)->close(SSL_no_shutdown => 1) for 1 .. 10;
$nginx->wait_for_readers(30 + $n - 20);
pass('who leaves is gone');

$_->close for @first, @streams;
$nginx->wait_for_readers(0);

my $logged = ask('/logged/x?last-known-id=latest', 'text/event-stream');

until_like($logged, qr/"ping"/);
parked();
$nginx->reload;
like(until_like($logged, qr/\r\n0\r\n\r\n$/), qr/0\r\n\r\n$/,
     'a reload ends it, whole');
like(Msgbus::Nginx::slurp("$dir/access"),
     qr{^200\|\d+\|/logged/x\?last-known-id=latest\|TLSv1\.\d\|OK$}m,
     '    with its line in the log');

$nginx->quit;
$nginx->no_alerts;

done_testing;
