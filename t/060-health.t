# /health tells whether the bus can be written to.

use lib "t/lib";
use Test::Nginx::Socket;
use Msgbus::Blocks;

repeat_each(2);

plan tests => repeat_each() * (blocks() * 5 + 5);

defaults(
    http_config  => "msgbus_zone zone=bus:1m;",
    config       => "location / { msgbus bus; }",
    no_error_log => "[error]",
);

no_root_location();
no_long_string();
run_tests();

__DATA__

=== TEST 1: OK, as text, to anybody
--- request
GET /health
--- response_headers
Content-Type: text/plain
Content-Length: 3
--- response_body
OK




=== TEST 2: with HEAD
--- request
HEAD /health
--- response_headers
Content-Type: text/plain
Content-Length: 3
--- response_body eval: ""




=== TEST 3: a query changes nothing
--- request
GET /health?last-known-id=x&max-events=0
--- response_body
OK




=== TEST 4: it is no channel
--- request eval
["POST /health\n{}", "PUT /health\n{}", "DELETE /health"]
--- more_headers
User-Agent: uuid/w
--- error_code_like eval
["40[05]", "405", "405"]
--- response_body_like eval
[('\A\{ "message": "[^"]+" \}\z') x 3]




=== TEST 5: what is below it, or begins like it, is one
--- request eval
["POST /health/x\n{}", "GET /health/x?echo=true", "POST /healthy\n{}", "GET /healthy?echo=true"]
--- more_headers
User-Agent: uuid/w
--- error_code eval
[201, 200, 201, 200]




=== TEST 6: it is where the location's channels are
--- config
    location /bus/ { msgbus bus; }
--- request
GET /bus/health
--- response_body
OK




=== TEST 7: it may not be cached
--- request
GET /health
--- response_headers_like
Cache-Control: .*no-(cache|store).*




=== TEST 8: several on one connection
--- pipelined_requests eval
["GET /health", "GET /health", "GET /health"]
--- error_code eval
[200, 200, 200]
--- response_body eval
["OK\n", "OK\n", "OK\n"]
