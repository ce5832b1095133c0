# msgbus_max_waiters bounds how many readers may wait at a time.

use lib "t/lib";
use Test::Nginx::Socket;
use Msgbus::Blocks;

repeat_each(1);    # the second time other readers would wait

plan tests => repeat_each() * (blocks() * 5 - 4);

# so many readers wait, in another location
my @waiting;

sub waiting {
    my ($n) = @_;

    for (1 .. $n) {
        my $socket = IO::Socket::INET->new(
            PeerAddr => "127.0.0.1:" . Test::Nginx::Util::server_port_for_client(),
        ) or die "connect: $!";

        print {$socket} "GET /others/c?wait=30 HTTP/1.1\r\nHost: localhost\r\nUser-Agent: uuid/r\r\n\r\n";

        push @waiting, $socket;
    }

    # they do wait

    my $said = '';

    for (1 .. 1000) {
        my $socket = IO::Socket::INET->new(
            PeerAddr => "127.0.0.1:" . Test::Nginx::Util::server_port_for_client(),
        ) or die "connect: $!";

        print {$socket} "GET /up?verbose=true HTTP/1.0\r\n\r\n";
        $said = join "", <$socket>;

        return if $said =~ /"waiting_readers":$n,/;
        select undef, undef, undef, 0.01;
    }

    die "$n readers do not wait: $said";
}

our $full = '{ "message": "Too many readers wait" }';
our $others = "location = /up { msgbus_health bus; } location /others/ { msgbus bus; msgbus_max_waiters 0; }";

defaults(
    http_config  => "msgbus_zone zone=bus:1m;",
    init         => "::waiting(2)",
    more_headers => "User-Agent: uuid/r",
    request      => "GET /bus/c?wait=1",
    no_error_log => "[error]\n[alert]",
);

no_long_string();
run_tests();

__DATA__

=== TEST 1: the default is no limit
--- config eval
"$::others location /bus/ { msgbus bus; }"
--- error_code: 204
--- response_body chop




=== TEST 2: 0 says so
--- config eval
"$::others location /bus/ { msgbus bus; msgbus_max_waiters 0; }"
--- error_code: 204
--- response_body chop




=== TEST 3: who comes after so many is refused
--- config eval
"$::others location /bus/ { msgbus bus; msgbus_max_waiters 2; }"
--- error_code: 503
--- response_headers
Retry-After: 1
Content-Type: application/json; charset=utf-8
--- response_body eval: $::full




=== TEST 4: who comes before is not
--- config eval
"$::others location /bus/ { msgbus bus; msgbus_max_waiters 3; }"
--- error_code: 204
--- response_body chop




=== TEST 5: nor is who need not wait
--- config eval
"$::others location /bus/ { msgbus bus; msgbus_max_waiters 1; }"
--- request eval
["POST /bus/d\n{}", "GET /bus/d?wait=1&echo=true", "GET /bus/c", "HEAD /bus/c?wait=1"]
--- error_code eval
[201, 200, 204, 204]
--- response_body_like eval
['\A\z', '"data":\{\}', '\A\z', '\A\z']




=== TEST 6: another bus's readers do not count
--- http_config
    msgbus_zone zone=bus:1m;
    msgbus_zone zone=mine:1m;
--- config eval
"$::others location /bus/ { msgbus mine; msgbus_max_waiters 1; }"
--- error_code: 204
--- response_body chop




=== TEST 7: in http it is for all locations
--- http_config
    msgbus_zone zone=bus:1m;
    msgbus_max_waiters 1;
--- config eval
"$::others location /bus/ { msgbus bus; }"
--- error_code: 503
--- response_body eval: $::full




=== TEST 8: a server's own wins over that of http
--- http_config
    msgbus_zone zone=bus:1m;
    msgbus_max_waiters 1;
--- config eval
"msgbus_max_waiters 10; $::others location /bus/ { msgbus bus; }"
--- error_code: 204
--- response_body chop




=== TEST 9: a location's own wins over that of the server
--- http_config
    msgbus_zone zone=bus:1m;
    msgbus_max_waiters 10;
--- config eval
"msgbus_max_waiters 10; $::others location /bus/ { msgbus bus; msgbus_max_waiters 2; }"
--- error_code: 503
--- response_body eval: $::full




=== TEST 10: what is no number is refused
--- config
    msgbus_max_waiters many;
--- must_die
--- error_log eval: qr/\[emerg\].*"msgbus_max_waiters"|\[emerg\].*invalid number/




=== TEST 11: so is one below 0
--- config
    msgbus_max_waiters -1;
--- must_die
--- error_log eval: qr/\[emerg\].*invalid number/




=== TEST 12: so is none
--- config
    msgbus_max_waiters;
--- must_die
--- error_log eval: qr/\[emerg\].*"msgbus_max_waiters"/
