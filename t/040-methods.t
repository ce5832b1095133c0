# GET, HEAD, POST and OPTIONS are what the bus knows.

use lib "t/lib";
use Test::Nginx::Socket;
use Msgbus::Blocks;

repeat_each(2);

plan tests => repeat_each() * (blocks() * 10 - 1);

# all four, in any order, and nothing else
our $allow = '(?:(?:GET|HEAD|POST|OPTIONS)(?:, ?|$)){4}';

defaults(
    http_config  => "msgbus_zone zone=bus:1m;",
    config       => "location /bus/ { msgbus bus; }",
    no_error_log => "[error]",
);

no_long_string();
run_tests();

__DATA__

=== TEST 1: OPTIONS tells what is allowed
--- request
OPTIONS /bus/c
--- error_code: 204
--- response_headers_like eval
"Allow: $::allow"
--- response_body eval: ""




=== TEST 2: other methods are 405
--- request eval
[map { "$_ /bus/c" } qw( PUT DELETE PATCH MKCOL LOCK PROPFIND FOO GETX )]
--- error_code eval
[(405) x 8]
--- response_headers_like eval
[("Allow: $::allow\nContent-Type: application/json; charset=utf-8") x 8]
--- response_body_like eval
[('\A\{ "message": "[^"]+" \}\z') x 8]




=== TEST 3: they store nothing
--- request eval
["PUT /bus/put\n{}", "PATCH /bus/put\n{}", "GET /bus/put?echo=true"]
--- more_headers
User-Agent: uuid/w
--- error_code eval
[405, 405, 204]




=== TEST 4: a refused method's body is read, and the connection lives on
--- pipelined_requests eval
["PUT /bus/put\n" . "x" x 10000, "DELETE /bus/put", "GET /bus/put?echo=true"]
--- error_code eval
[405, 405, 204]




=== TEST 5: HEAD is GET without the body
--- init
::post(['/bus/head', '{"n":1}'])
--- request eval
["GET /bus/head?echo=true", "HEAD /bus/head?echo=true"]
--- error_code eval
[200, 200]
--- response_headers_like eval
[("Content-Type: application/json; charset=utf-8
Content-Length: 1\\d\\d
Msgbus-Last-Id: \\d+
Cache-Control: private, no-cache
Vary: Accept, User-Agent") x 2]
--- response_body_like eval
['\A\{"channel":"/head"', '\A\z']




=== TEST 6: HEAD of an empty channel is 204
--- request
HEAD /bus/none?echo=true
--- error_code: 204
--- response_headers_like
Msgbus-Last-Id: \d+




=== TEST 7: HEAD of what is refused is the same status
--- request eval
["HEAD /bus/c?echo=true&max-events=0", "HEAD /bus/c?last-known-id=x"]
--- error_code eval
[400, 400]
--- response_body eval
["", ""]




=== TEST 8: a HEAD in a row of requests leaves the connection in order
--- init
::post(['/bus/row', '{}'])
--- pipelined_requests eval
["OPTIONS /bus/row", "HEAD /bus/row?echo=true"]
--- ignore_response
--- access_log eval
[qr/OPTIONS.* 204 /, qr/HEAD.* 200 /]




=== TEST 9: nobody posts to the whole bus
--- request eval
["OPTIONS /bus/", "PUT /bus/\n{}"]
--- error_code eval
[204, 405]
--- response_headers eval
[("Allow: GET, HEAD, OPTIONS") x 2]
