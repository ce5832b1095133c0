# msgbus_max_wait bounds how long a reader may wait.

use lib "t/lib";
use Test::Nginx::Socket;
use Msgbus::Blocks;

repeat_each(1);    # each block takes its time

plan tests => repeat_each() * (blocks() * 3 - 1);

# HEAD is granted what a GET is, and does not wait for it
defaults(
    http_config  => "msgbus_zone zone=bus:1m;",
    more_headers => "User-Agent: uuid/r\nPrefer: wait=600",
    request      => "HEAD /bus/c",
    error_code   => 204,
    no_error_log => "[error]",
);

no_long_string();
run_tests();

__DATA__

=== TEST 1: the default is 30 seconds
--- config
    location /bus/ { msgbus bus; }
--- response_headers
Preference-Applied: wait=30




=== TEST 2: it may be less, and a reader waits so long
--- config
    location /bus/ { msgbus bus; msgbus_max_wait 1s; }
--- request
GET /bus/c
--- response_headers
Preference-Applied: wait=1




=== TEST 3: or more
--- config
    location /bus/ { msgbus bus; msgbus_max_wait 5m; }
--- response_headers
Preference-Applied: wait=300




=== TEST 4: who asks for less waits less
--- config
    location /bus/ { msgbus bus; msgbus_max_wait 5m; }
--- more_headers
User-Agent: uuid/r
Prefer: wait=299
--- response_headers
Preference-Applied: wait=299




=== TEST 5: with 0 nobody waits
--- config
    location /bus/ { msgbus bus; msgbus_max_wait 0; }
--- timeout: 10
--- request eval
["GET /bus/c?wait=20", "GET /bus/c"]
--- error_code eval
[204, 204]




=== TEST 6: of less than a second, too, there is a wait
--- config
    location /bus/ { msgbus bus; msgbus_max_wait 100ms; }
--- timeout: 10
--- request eval
["GET /bus/c?wait=20", "GET /bus/c?wait=1"]
--- error_code eval
[204, 204]




=== TEST 7: in http it is for all locations
--- http_config
    msgbus_zone zone=bus:1m;
    msgbus_max_wait 10s;
--- config
    location /bus/ { msgbus bus; }
--- response_headers
Preference-Applied: wait=10




=== TEST 8: a server's own wins over that of http
--- http_config
    msgbus_zone zone=bus:1m;
    msgbus_max_wait 10s;
--- config
    msgbus_max_wait 20s;
    location /bus/ { msgbus bus; }
--- response_headers
Preference-Applied: wait=20




=== TEST 9: a location's own wins over that of the server
--- http_config
    msgbus_zone zone=bus:1m;
    msgbus_max_wait 10s;
--- config
    msgbus_max_wait 20s;
    location /bus/ { msgbus bus; msgbus_max_wait 40s; }
--- response_headers
Preference-Applied: wait=40




=== TEST 10: what is no time is refused
--- config
    msgbus_max_wait soon;
--- must_die
--- error_log eval: qr/\[emerg\].*"msgbus_max_wait" directive invalid value/




=== TEST 11: so is a time before now
--- config
    msgbus_max_wait -1s;
--- must_die
--- error_log eval: qr/\[emerg\].*"msgbus_max_wait" directive invalid value/




=== TEST 12: so is none
--- config
    msgbus_max_wait;
--- must_die
--- error_log eval: qr/\[emerg\].*"msgbus_max_wait"/
