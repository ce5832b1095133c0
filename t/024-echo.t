# A reader does not see its own events, unless it asks for them.

use lib "t/lib";
use Test::Nginx::Socket;
use Msgbus::Blocks;

repeat_each(2);

plan tests => repeat_each() * (blocks() * 4 + 12);

# 1 and 3 are Ann's, 2 is Bob's
sub ann_bob_ann {
    post(["/bus/c", '{"n":1}', 'app/1.0 uuid/ann'], ["/bus/c", '{"n":2}', 'app/1.0 uuid/bob'],
         ["/bus/c", '{"n":3}', 'web/7 uuid/ann']);
}

defaults(
    http_config           => "msgbus_zone zone=bus:1m first_id=1; msgbus_require_uuid on;",
    config                => "location /bus/ { msgbus bus; }",
    init                  => "::ann_bob_ann()",
    response_body_filters => \&numbers,
    no_error_log          => "[error]",
);

own_bus();

no_long_string();
run_tests();

__DATA__

=== TEST 1: own events are hidden, whatever else the User-Agent says
--- request
GET /bus/c
--- more_headers
User-Agent: other/2.0 uuid/ann
--- response_body chop
2




=== TEST 2: others' are not
--- request
GET /bus/c
--- more_headers
User-Agent: uuid/bob
--- response_body chop
1 3




=== TEST 3: nor are those of a uuid that begins alike
--- request eval
[("GET /bus/c") x 3]
--- more_headers eval
["User-Agent: uuid/an", "User-Agent: uuid/ann2", "User-Agent: uuid/Ann"]
--- error_code eval
[200, 200, 200]
--- response_body eval
[("1 2 3") x 3]




=== TEST 4: echo=true shows them
--- request
GET /bus/c?echo=true
--- more_headers
User-Agent: uuid/ann
--- response_body chop
1 2 3




=== TEST 5: echo=false is the default
--- request
GET /bus/c?echo=false
--- more_headers
User-Agent: uuid/ann
--- response_body chop
2




=== TEST 6: an unknown value means the default
--- request eval
[map { "GET /bus/c?echo=$_" } "", "1", "yes", "TRUE", "truex", "tru"]
--- more_headers
User-Agent: uuid/ann
--- error_code eval
[(200) x 6]
--- response_body eval
[("2") x 6]




=== TEST 7: hidden events do not count
--- request
GET /bus/c?max-events=1&sort=-1
--- more_headers
User-Agent: uuid/ann
--- response_body chop
2




=== TEST 8: all hidden is 204
--- request
GET /bus/c?last-known-id=2
--- more_headers
User-Agent: uuid/ann
--- error_code: 204
--- response_body eval: ""




=== TEST 9: to have own events hidden, a reader must say who it is
--- request
GET /bus/c
--- more_headers
User-Agent: reader/1.0
--- error_code: 400
--- response_headers
Content-Type: application/json; charset=utf-8
--- response_body chop
{ "message": "Missing UUID in User-Agent header" }




=== TEST 10: and have a User-Agent
--- request
GET /bus/c?echo=false
--- error_code: 400
--- response_headers
Content-Type: application/json; charset=utf-8
--- response_body chop
{ "message": "Missing header: User-Agent" }




=== TEST 11: with echo=true it need not
--- request
GET /bus/c?echo=true
--- more_headers
User-Agent: reader/1.0
--- response_body chop
1 2 3




=== TEST 12: with echo=true even the User-Agent may be missing
--- request
GET /bus/c?echo=true
--- response_body chop
1 2 3




=== TEST 13: a refused reader's connection lives on
--- pipelined_requests eval
["GET /bus/c", "GET /bus/c?echo=true"]
--- error_code eval
[400, 200]
--- response_body eval
['{ "message": "Missing header: User-Agent" }', "1 2 3"]




=== TEST 14: where a uuid is asked for comes after what is asked for
--- request
GET /bus/c?max-events=0&echo=true
--- error_code: 400
--- response_body_like: \A\{ "message": "[^"]+" \}\z
