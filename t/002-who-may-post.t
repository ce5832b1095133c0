# A poster says who it is: uuid/... in its User-Agent.

use lib "t/lib";
use Test::Nginx::Socket;
use Msgbus::Blocks;

repeat_each(2);

plan tests => repeat_each() * (blocks() * 5 + 7);

defaults(
    http_config  => "msgbus_zone zone=bus:1m; msgbus_require_uuid on;",
    config       => "location /bus/ { msgbus bus; }",
    no_error_log => "[error]",
);

no_long_string();
run_tests();

__DATA__

=== TEST 1: without a User-Agent nothing is posted
--- request eval
["POST /bus/nobody\n{}", "GET /bus/nobody?echo=true"]
--- error_code eval
[400, 204]
--- response_headers eval
["Content-Type: application/json; charset=utf-8", ""]
--- response_body eval
['{ "message": "Missing header: User-Agent" }', ""]




=== TEST 2: without a uuid in it nothing is posted
--- request eval
["POST /bus/anon\n{}", "GET /bus/anon?echo=true"]
--- more_headers
User-Agent: poster/1.0
--- error_code eval
[400, 204]
--- response_headers eval
["Content-Type: application/json; charset=utf-8", ""]
--- response_body eval
['{ "message": "Missing UUID in User-Agent header" }', ""]




=== TEST 3: an empty uuid is none
--- request eval
["POST /bus/none\n{}", "GET /bus/none?echo=true"]
--- more_headers
User-Agent: poster/1.0 uuid/
--- error_code eval
[400, 204]
--- response_body eval
['{ "message": "Missing UUID in User-Agent header" }', ""]




=== TEST 4: case matters in uuid/
--- request
POST /bus/case
{}
--- more_headers
User-Agent: poster/1.0 UUID/w
--- error_code: 400
--- response_body chop
{ "message": "Missing UUID in User-Agent header" }




=== TEST 5: the uuid is not validated
--- request
POST /bus/any
{}
--- more_headers
User-Agent: uuid/!
--- error_code: 201
--- response_headers_like
Msgbus-Id: \d+




=== TEST 6: the uuid ends at the first space
--- request eval
["POST /bus/space\n{}", "GET /bus/space", "GET /bus/space"]
--- more_headers eval
["User-Agent: poster/1.0 uuid/w more", "User-Agent: uuid/w", "User-Agent: uuid/w-more"]
--- error_code eval
[201, 204, 200]




=== TEST 7: two posters differ although only the case of their uuids does
--- request eval
["POST /bus/two\n{}", "GET /bus/two", "GET /bus/two"]
--- more_headers eval
["User-Agent: uuid/AB", "User-Agent: uuid/AB", "User-Agent: uuid/ab"]
--- error_code eval
[201, 204, 200]




=== TEST 8: the connection of a refused poster lives on
--- pipelined_requests eval
["POST /bus/lives\n{}", "POST /bus/lives\n{}", "GET /bus/lives?echo=true"]
--- more_headers eval
["User-Agent: poster/1.0", "X-None: 1", "X-None: 1"]
--- error_code eval
[400, 400, 204]
--- response_body eval
['{ "message": "Missing UUID in User-Agent header" }',
 '{ "message": "Missing header: User-Agent" }', ""]
