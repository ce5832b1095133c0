# GET /{channel} answers with what is there, in one JSON object.

use lib "t/lib";
use Test::Nginx::Socket;
use Msgbus::Blocks;

repeat_each(2);

plan tests => repeat_each() * (blocks() * 7 + 2);

defaults(
    http_config  => "msgbus_zone zone=bus:1m;",
    config       => "location /bus/ { msgbus bus; }",
    no_error_log => "[error]",
);

no_long_string();
run_tests();

__DATA__

=== TEST 1: the answer has this shape, with no white space and no newline
--- request eval
["POST /bus/shape\n{\"n\":1}", "GET /bus/shape?sort=-1&max-events=1"]
--- more_headers eval
["User-Agent: poster/1.0 uuid/w", "User-Agent: reader/1.0 uuid/r"]
--- error_code eval
[201, 200]
--- response_body_like eval
['\A\z',
 '\A\{"channel":"/shape","events":\[\{"id":\d+,"user_agent":"poster/1\.0 uuid/w",'
 . '"created_at":"20\d\d-[01]\d-[0-3]\d [0-2]\d:[0-5]\d:[0-6]\dZ","age":\d+,'
 . '"data":\{"n":1\}\}\]\}\z']




=== TEST 2: events are separated by a comma alone
--- request eval
["POST /bus/comma\n{\"n\":1}", "POST /bus/comma\n{\"n\":2}", "GET /bus/comma?echo=true"]
--- more_headers
User-Agent: uuid/w
--- error_code eval
[201, 201, 200]
--- response_body_like eval
['\A\z', '\A\z', '"data":\{"n":1\}\},\{"id":\d+,"user_agent":"uuid/w",']




=== TEST 3: the answer is JSON, private to its reader and not to be cached
--- request eval
["POST /bus/headers\n{}", "GET /bus/headers"]
--- more_headers eval
["User-Agent: uuid/w", "User-Agent: uuid/r"]
--- error_code eval
[201, 200]
--- response_headers eval
["", "Content-Type: application/json; charset=utf-8
Cache-Control: private, no-cache
Vary: Accept, User-Agent"]




=== TEST 4: the answer's length is known
--- request eval
["POST /bus/length\n{}", "GET /bus/length"]
--- more_headers eval
["User-Agent: uuid/w", "User-Agent: uuid/r"]
--- error_code eval
[201, 200]
--- raw_response_headers_like eval
["", "Content-Length: [1-9]"]
--- raw_response_headers_unlike eval
["Transfer-Encoding", "Transfer-Encoding"]




=== TEST 5: a channel that nobody has written to is empty, not an error
--- request
GET /bus/quiet?last-known-id=0
--- more_headers
User-Agent: uuid/r
--- error_code: 204
--- raw_response_headers_unlike
Content-Length|Transfer-Encoding|Content-Type|Msgbus-Gap
--- response_body eval
""




=== TEST 6: 204 may be cached no more than 200
--- request
GET /bus/quiet
--- more_headers
User-Agent: uuid/r
--- error_code: 204
--- response_headers
Cache-Control: private, no-cache
Vary: Accept, User-Agent
--- response_headers_like
Msgbus-Last-Id: \d+




=== TEST 7: the cursor to use next comes with every answer
--- request eval
["GET /bus/cursor", "POST /bus/cursor\n{}", "GET /bus/cursor", "HEAD /bus/cursor"]
--- more_headers eval
["User-Agent: uuid/r", "User-Agent: uuid/w", "User-Agent: uuid/r", "User-Agent: uuid/r"]
--- error_code_like eval
["20[04]", "201", "200", "200"]
--- raw_response_headers_like eval
['\r\nMsgbus-Last-Id: \d+\r\n', '\r\nMsgbus-Id: \d+\r\n', '\r\nMsgbus-Last-Id: \d+\r\n',
 '\r\nMsgbus-Last-Id: \d+\r\n']




=== TEST 8: age counts seconds
--- init
::post(['/bus/age', '{}']); sleep 2.1
--- request
GET /bus/age
--- more_headers
User-Agent: uuid/r
--- response_body_like: "age":(?:[2-9]|[1-9]\d),"data"




=== TEST 9: the poster's User-Agent is each event's own
--- request eval
["POST /bus/whose\n{}", "POST /bus/whose\n{}", "GET /bus/whose?sort=-1&max-events=2"]
--- more_headers eval
["User-Agent: one/1 uuid/w", "User-Agent: two/2 uuid/w", "User-Agent: three/3 uuid/r"]
--- error_code eval
[201, 201, 200]
--- response_body_like eval
['\A\z', '\A\z', '"user_agent":"two/2 uuid/w".*"user_agent":"one/1 uuid/w"']




=== TEST 10: one connection serves many reads
--- pipelined_requests eval
["POST /bus/many\n{\"n\":1}", "GET /bus/many?echo=true&sort=-1&max-events=1",
 "GET /bus/many?echo=true&sort=-1&max-events=1", "GET /bus/none?echo=true"]
--- more_headers
User-Agent: uuid/w
--- error_code eval
[201, 200, 200, 204]
--- response_body_filters eval: \&::numbers
--- response_body eval
["", "1", "1", ""]




=== TEST 11: a GET's body is not looked at
--- pipelined_requests eval
["POST /bus/body\n{\"n\":1}", "GET /bus/body?echo=true&sort=-1&max-events=1\nanything at all",
 "GET /bus/none?echo=true"]
--- more_headers
User-Agent: uuid/w
--- error_code eval
[201, 200, 204]
--- response_body_filters eval: \&::numbers
--- response_body eval
["", "1", ""]




=== TEST 12: fifty events are rendered in one answer
--- init
::post(map { ['/bus/fifty', qq({"n":$_})] } 1 .. 50)
--- request
GET /bus/fifty
--- more_headers
User-Agent: uuid/r
--- response_body_filters eval: \&::numbers
--- response_body eval
::row(1, 50)
