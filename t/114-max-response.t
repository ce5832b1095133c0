# msgbus_max_response ends a page at a number of bytes, after one event at least.

use lib "t/lib";
use Test::Nginx::Socket;
use Msgbus::Blocks;

repeat_each(2);

plan tests => repeat_each() * (blocks() * 4 + 6);

# n events that are a little more than 1,000 bytes each as JSON
sub kilobytes {
    my ($n) = @_;

    my $x = "x" x 900;

    post(map { ["/bus/c", qq({"n":$_,"x":"$x"})] } 1 .. $n);
}

# the n of each event
sub numbers_of { my @n = $_[0] =~ /"data":\{"n":(\d+),/g; @n ? "@n" : $_[0] }

defaults(
    http_config           => "msgbus_zone zone=bus:4m first_id=1;",
    init                  => "::kilobytes(9)",
    more_headers          => "User-Agent: uuid/r",
    response_body_filters => \&numbers_of,
    no_error_log          => "[error]",
);

own_bus();

no_long_string();
run_tests();

__DATA__

=== TEST 1: a page ends before it is too large
--- config
    location /bus/ { msgbus bus; msgbus_max_response 4k; }
--- request
GET /bus/c
--- response_headers_like
Msgbus-Last-Id: [34]
Content-Length: [34]\d\d\d
--- response_body_like: ^1 2 3( 4)?$




=== TEST 2: its cursor leads to the next one
--- config
    location /bus/ { msgbus bus; msgbus_max_response 3300; }
--- request eval
["GET /bus/c", "GET /bus/c?last-known-id=3", "GET /bus/c?last-known-id=6",
 "GET /bus/c?last-known-id=9"]
--- error_code eval
[200, 200, 200, 204]
--- response_headers eval
["Msgbus-Last-Id: 3", "Msgbus-Last-Id: 6", "Msgbus-Last-Id: 9", "Msgbus-Last-Id: 9"]
--- response_body eval
["1 2 3", "4 5 6", "7 8 9", ""]




=== TEST 3: an event that is larger than the limit comes alone
--- config
    location /bus/ { msgbus bus; msgbus_max_response 100; }
--- request eval
["GET /bus/c", "GET /bus/c?last-known-id=1"]
--- error_code eval
[200, 200]
--- response_headers eval
["Msgbus-Last-Id: 1", "Msgbus-Last-Id: 2"]
--- response_body eval
["1", "2"]




=== TEST 4: with sort=-1 the newest come
--- config
    location /bus/ { msgbus bus; msgbus_max_response 3300; }
--- request
GET /bus/c?sort=-1
--- response_headers
Msgbus-Last-Id: 9
--- response_body chop
9 8 7




=== TEST 5: the default is 1 MiB
--- config
    location /bus/ { msgbus bus; }
--- init
my $x = "x" x 100_000; ::post(map { ["/bus/c", qq({"n":$_,"x":"$x"})] } 1 .. 12)
--- request
GET /bus/c
--- response_headers
Msgbus-Last-Id: 10
--- response_body chop
1 2 3 4 5 6 7 8 9 10




=== TEST 6: in http it is for all locations
--- http_config
    msgbus_zone zone=bus:1m first_id=1;
    msgbus_max_response 1k;
--- config
    location /bus/ { msgbus bus; }
--- request
GET /bus/c
--- response_body chop
1




=== TEST 7: a server's own wins over that of http
--- http_config
    msgbus_zone zone=bus:1m first_id=1;
    msgbus_max_response 1k;
--- config
    msgbus_max_response 2200;
    location /bus/ { msgbus bus; }
--- request
GET /bus/c
--- response_body chop
1 2




=== TEST 8: a location's own wins over that of the server
--- http_config
    msgbus_zone zone=bus:1m first_id=1;
    msgbus_max_response 1k;
--- config
    msgbus_max_response 2200;
    location /bus/ { msgbus bus; msgbus_max_response 3300; }
--- request
GET /bus/c
--- response_body chop
1 2 3




=== TEST 9: what is no size is refused
--- config
    msgbus_max_response lots;
--- must_die
--- error_log eval: qr/\[emerg\].*"(msgbus_max_response|lots)"/




=== TEST 10: a negative size is refused
--- config
    msgbus_max_response -1;
--- must_die
--- error_log eval: qr/\[emerg\].*"(msgbus_max_response|-1)"/




=== TEST 11: no value is refused
--- config
    msgbus_max_response;
--- must_die
--- error_log eval: qr/\[emerg\].*"msgbus_max_response"/




=== TEST 12: twice is refused
--- config
    msgbus_max_response 1k;
    msgbus_max_response 2k;
--- must_die
--- error_log eval: qr/\[emerg\].*"msgbus_max_response" directive is duplicate/
