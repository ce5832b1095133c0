# msgbus_test_mode on opens a location for tests; 061 tells what it then does.

use lib "t/lib";
use Test::Nginx::Socket;
use Msgbus::Blocks;

repeat_each(2);

plan tests => repeat_each() * (blocks() * 3 + 1);

# in test mode /all is an array, otherwise a channel
defaults(
    http_config     => "msgbus_zone zone=bus:1m;",
    request         => "GET /bus/all?echo=true",
    no_error_log    => "[error]",
    suppress_stderr => "",
);

own_bus();

no_long_string();
run_tests();

__DATA__

=== TEST 1: the default is off
--- config
    location /bus/ { msgbus bus; }
--- error_code: 204




=== TEST 2: off says so
--- config
    location /bus/ { msgbus bus; msgbus_test_mode off; }
--- error_code: 204




=== TEST 3: on
--- config
    location /bus/ { msgbus bus; msgbus_test_mode on; }
--- response_body chop
[]




=== TEST 4: for one location only
--- config
    msgbus_require_uuid on;
    location /bus/   { msgbus bus; }
    location /tests/ { msgbus bus; msgbus_test_mode on; }
--- request eval
["GET /tests/all", "GET /bus/all?echo=true", "POST /bus/c\n{}"]
--- error_code eval
[200, 204, 400]
--- response_body eval
["[]", "", '{ "message": "Missing header: User-Agent" }']




=== TEST 5: in http it is for all locations
--- http_config
    msgbus_zone zone=bus:1m;
    msgbus_test_mode on;
--- config
    location /bus/ { msgbus bus; }
--- response_body chop
[]




=== TEST 6: a server's own wins over that of http
--- http_config
    msgbus_zone zone=bus:1m;
    msgbus_test_mode on;
--- config
    msgbus_test_mode off;
    location /bus/ { msgbus bus; }
--- error_code: 204




=== TEST 7: a location's own wins over that of the server
--- http_config
    msgbus_zone zone=bus:1m;
    msgbus_test_mode on;
--- config
    msgbus_test_mode off;
    location /bus/ { msgbus bus; msgbus_test_mode on; }
--- response_body chop
[]




=== TEST 8: another word is refused
--- config
    msgbus_test_mode perhaps;
--- must_die
--- error_log eval: qr/\[emerg\].*"perhaps"/




=== TEST 9: no word is refused
--- config
    msgbus_test_mode;
--- must_die
--- error_log eval: qr/\[emerg\].*"msgbus_test_mode"/
