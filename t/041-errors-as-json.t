# What nginx itself refuses in a location of the bus is answered as JSON too.

use lib "t/lib";
use Test::Nginx::Socket;
use Msgbus::Blocks;

repeat_each(2);

plan tests => repeat_each() * (blocks() * 5 + 8);

defaults(
    http_config      => "msgbus_zone zone=bus:1m;",
    more_headers     => "User-Agent: uuid/w",
    response_headers => "Content-Type: application/json; charset=utf-8",
    no_error_log     => "[alert]",
);

no_long_string();
run_tests();

__DATA__

=== TEST 1: 413: a body over client_max_body_size
--- config
    location /bus/ { msgbus bus; client_max_body_size 10; }
--- request eval
["POST /bus/large\n{\"n\":10000}", "GET /bus/large?echo=true"]
--- error_code eval
[413, 204]
--- response_headers eval
["Content-Type: application/json; charset=utf-8", ""]
--- response_body_like eval
['\A\{ "message": "[^"]+" \}\z', '\A\z']




=== TEST 2: 413: a chunked body over client_max_body_size
--- config
    location /bus/ { msgbus bus; client_max_body_size 10; }
--- request eval
["POST /bus/large\n" . "b\r\n{\"n\":10000}\r\n0\r\n\r\n", "GET /bus/large?echo=true"]
--- more_headers eval
["User-Agent: uuid/w\nTransfer-Encoding: chunked", "User-Agent: uuid/w"]
--- error_code eval
[413, 204]
--- response_headers eval
["Content-Type: application/json; charset=utf-8", ""]
--- response_body_like eval
['\A\{ "message": "[^"]+" \}\z', '\A\z']




=== TEST 3: 403: deny, with an empty message
--- config
    location /bus/ { msgbus bus; deny all; }
--- request eval
["GET /bus/c?echo=true", "POST /bus/c\n{}"]
--- error_code eval
[403, 403]
--- response_headers eval
[("Content-Type: application/json; charset=utf-8") x 2]
--- response_body eval
[('{ "message": "" }') x 2]




=== TEST 4: 403: limit_except
--- config
    location /bus/ { msgbus bus; limit_except GET { deny all; } }
--- request eval
["POST /bus/c\n{}", "GET /bus/c?echo=true"]
--- error_code eval
[403, 204]
--- response_headers eval
["Content-Type: application/json; charset=utf-8", ""]
--- response_body eval
['{ "message": "" }', ""]




=== TEST 5: 401: basic authentication, with an empty message and the challenge
--- config
    location /bus/ { msgbus bus; auth_basic "the bus"; auth_basic_user_file none; }
--- request
GET /bus/c?echo=true
--- error_code: 401
--- response_headers
Content-Type: application/json; charset=utf-8
WWW-Authenticate: Basic realm="the bus"
--- response_body chop
{ "message": "" }




=== TEST 6: 401: from auth_request
--- config
    location /bus/  { msgbus bus; auth_request /auth; }
    location = /auth { internal; return 401; }
--- request
GET /bus/c?echo=true
--- error_code: 401
--- response_body chop
{ "message": "" }




=== TEST 7: 503: limit_req
--- http_config
    msgbus_zone zone=bus:1m;
    limit_req_zone $server_name zone=one:1m rate=1r/m;
--- config
    location /bus/ { msgbus bus; limit_req zone=one; }
--- request eval
["GET /bus/c?echo=true", "GET /bus/c?echo=true"]
--- error_code_like eval
["204|503", "503"]
--- response_headers eval
["", "Content-Type: application/json; charset=utf-8"]
--- response_body_like eval
["", '\A\{ "message": "[^"]+" \}\z']




=== TEST 8: 429: limit_req_status
--- http_config
    msgbus_zone zone=bus:1m;
    limit_req_zone $server_name zone=one:1m rate=1r/m;
--- config
    location /bus/ { msgbus bus; limit_req zone=one; limit_req_status 429; }
--- request eval
["GET /bus/c?echo=true", "GET /bus/c?echo=true"]
--- error_code_like eval
["204|429", "429"]
--- response_headers eval
["", "Content-Type: application/json; charset=utf-8"]
--- response_body_like eval
["", '\A\{ "message": "[^"]+" \}\z']




=== TEST 9: 404: return in a location of the bus
--- config
    location /bus/ { msgbus bus; return 404; }
--- request
GET /bus/c?echo=true
--- error_code: 404
--- response_body_like: \A\{ "message": "[^"]+" \}\z




=== TEST 10: return with a text of its own is left alone
--- config
    location /bus/ { msgbus bus; return 404 "mine\n"; }
--- request
GET /bus/c?echo=true
--- error_code: 404
--- response_headers
Content-Type: text/plain
--- response_body
mine




=== TEST 11: a redirect is left alone
--- config
    location /bus/ { msgbus bus; return 302 /elsewhere; }
--- request
GET /bus/c?echo=true
--- error_code: 302
--- response_headers
Content-Type: text/html
Location: http://localhost:$ServerPort/elsewhere
--- response_body_like: <html>.*302 Found




=== TEST 12: HEAD of an error has no body
--- config
    location /bus/ { msgbus bus; deny all; }
--- request
HEAD /bus/c?echo=true
--- error_code: 403
--- response_body eval: ""




=== TEST 13: the connection lives on behind a refusal
--- config
    location /bus/    { msgbus bus; }
    location /closed/ { msgbus bus; deny all; }
--- pipelined_requests eval
["GET /closed/c?echo=true", "GET /bus/c?echo=true"]
--- error_code eval
[403, 204]
--- response_headers eval
["Connection: keep-alive", ""]
--- response_body eval
['{ "message": "" }', ""]




=== TEST 14: a location without the bus keeps nginx's page
--- config
    location /bus/   { msgbus bus; }
    location /plain/ { deny all; }
--- request
GET /plain/c
--- error_code: 403
--- response_headers
Content-Type: text/html
--- response_body_like: <html>.*403 Forbidden




=== TEST 15: so does one where the bus is off
--- config
    location /bus/ {
        msgbus bus;
        location /bus/off/ { msgbus off; deny all; }
    }
--- request
GET /bus/off/c
--- error_code: 403
--- response_headers
Content-Type: text/html
--- response_body_like: <html>.*403 Forbidden




=== TEST 16: an error before a location is chosen has nginx's page
--- config
    location /bus/ { msgbus bus; }
--- request eval
"GET /bus/" . "x" x 40_000
--- error_code: 414
--- response_headers
Content-Type: text/html
--- response_body_like: <html>.*414
