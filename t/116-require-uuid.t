# msgbus_require_uuid on asks those who post and read to say who they are.

use lib "t/lib";
use Test::Nginx::Socket;
use Msgbus::Blocks;

repeat_each(2);

plan tests => repeat_each() * (blocks() * 4 + 8);

# somebody without a User-Agent posts, and reads without echo=true
defaults(
    http_config  => "msgbus_zone zone=bus:1m;",
    request      => ["POST /bus/c\n{\"n\":1}", "GET /bus/c?sort=-1&max-events=1"],
    no_error_log => "[error]",
);

no_long_string();
run_tests();

__DATA__

=== TEST 1: the default is off
--- config
    location /bus/ { msgbus bus; }
--- error_code eval
[201, 200]




=== TEST 2: on says so
--- config
    location /bus/ { msgbus bus; msgbus_require_uuid on; }
--- more_headers
User-Agent: browser/1.0
--- error_code eval
[400, 400]
--- response_body eval
[('{ "message": "Missing UUID in User-Agent header" }') x 2]




=== TEST 3: off asks for no uuid
--- config
    location /bus/ { msgbus bus; msgbus_require_uuid off; }
--- more_headers
User-Agent: browser/1.0
--- error_code eval
[201, 200]
--- response_body_like eval
['\A\z', '"user_agent":"browser/1.0",']




=== TEST 4: nor for a User-Agent
--- config
    location /bus/ { msgbus bus; msgbus_require_uuid off; }
--- error_code eval
[201, 200]
--- response_body_like eval
['\A\z', '"user_agent":"",']




=== TEST 5: those without a uuid see each other's events
--- config
    location /bus/ { msgbus bus; msgbus_require_uuid off; }
--- request eval
["POST /bus/others\n{}", "GET /bus/others?last-known-id=0", "GET /bus/others"]
--- more_headers eval
["User-Agent: browser/1.0", "User-Agent: browser/1.0", "User-Agent: uuid/r"]
--- error_code eval
[201, 200, 200]




=== TEST 6: who has one does not see its own
--- config
    location /bus/ { msgbus bus; msgbus_require_uuid off; }
--- request eval
["POST /bus/own\n{}", "GET /bus/own", "GET /bus/own?echo=true"]
--- more_headers
User-Agent: uuid/w
--- error_code eval
[201, 204, 200]




=== TEST 7: in http it is for all locations
--- http_config
    msgbus_zone zone=bus:1m;
    msgbus_require_uuid on;
--- config
    location /bus/ { msgbus bus; }
--- error_code eval
[400, 400]
--- response_body eval
[('{ "message": "Missing header: User-Agent" }') x 2]




=== TEST 8: a server's own wins over that of http
--- http_config
    msgbus_zone zone=bus:1m;
    msgbus_require_uuid off;
--- config
    msgbus_require_uuid on;
    location /bus/ { msgbus bus; }
--- error_code eval
[400, 400]




=== TEST 9: a location's own wins over that of the server
--- http_config
    msgbus_zone zone=bus:1m;
    msgbus_require_uuid off;
--- config
    msgbus_require_uuid on;
    location /bus/ { msgbus bus; msgbus_require_uuid off; }
--- error_code eval
[201, 200]




=== TEST 10: another word is refused
--- config
    msgbus_require_uuid maybe;
--- must_die
--- error_log eval: qr/\[emerg\].*"maybe"/




=== TEST 11: no word is refused
--- config
    msgbus_require_uuid;
--- must_die
--- error_log eval: qr/\[emerg\].*"msgbus_require_uuid"/
