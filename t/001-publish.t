# POST /{channel} stores one JSON object or array and answers with its id.

use lib "t/lib";
use Test::Nginx::Socket;
use Msgbus::Blocks;

repeat_each(2);

plan tests => repeat_each() * (blocks() * 7 + 7);

defaults(
    http_config  => "msgbus_zone zone=bus:1m;",
    config       => "location /bus/ { msgbus bus; }",
    more_headers => "User-Agent: poster/1.0 uuid/w",
    no_error_log => "[error]",
);

no_long_string();
run_tests();

__DATA__

=== TEST 1: a posted object is answered 201, its id in Msgbus-Id, with no body
--- request
POST /bus/first
{"n":1}
--- error_code: 201
--- response_headers_like
Content-Length: 0
Msgbus-Id: [1-9][0-9]*
--- response_body eval
""




=== TEST 2: an array is as good as an object
--- request eval
["POST /bus/array\n[1,2,3]", "GET /bus/array?echo=true&sort=-1&max-events=1"]
--- error_code eval
[201, 200]
--- response_body_like eval
['\A\z', '"data":\[1,2,3\]\}\]\}\z']




=== TEST 3: the empty object and the empty array are events
--- request eval
["POST /bus/empty\n{}", "POST /bus/empty\n[]",
 "GET /bus/empty?echo=true&sort=-1&max-events=2"]
--- error_code eval
[201, 201, 200]
--- response_body_like eval
['\A\z', '\A\z', '"data":\[\]\},.*"data":\{\}\}\]\}\z']




=== TEST 4: what is read is what was posted, byte for byte
--- request eval
["POST /bus/bytes\n{ \"b\" : 1,\t\"a\":[ 1.0 ,2e0,\r\n\"\\u0041\\/\" ] , \"b\":2 }",
 "GET /bus/bytes?echo=true&sort=-1&max-events=1"]
--- error_code eval
[201, 200]
--- response_body_like eval
['\A\z',
 quotemeta("\"data\":{ \"b\" : 1,\t\"a\":[ 1.0 ,2e0,\r\n\"\\u0041\\/\" ] , \"b\":2 }}]}") . '\z']




=== TEST 5: the white space around the value is the event's too
--- request eval
["POST /bus/around\n" . " \t\r\n{\"n\":1}\r\n ",
 "GET /bus/around?echo=true&sort=-1&max-events=1"]
--- more_headers eval
["User-Agent: poster/1.0 uuid/w\nContent-Length: 14",
 "User-Agent: poster/1.0 uuid/w"]
--- error_code eval
[201, 200]
--- response_body_like eval
['\A\z', '"data": \t\r\n\{"n":1\}\r\n \}\]\}\z']




=== TEST 6: the Content-Type is not looked at
--- request eval
["POST /bus/type\n{}", "POST /bus/type\n{}", "POST /bus/type\n{}", "POST /bus/type\nno"]
--- more_headers eval
["User-Agent: poster/1.0 uuid/w\nContent-Type: text/plain",
 "User-Agent: poster/1.0 uuid/w\nContent-Type: application/x-www-form-urlencoded",
 "User-Agent: poster/1.0 uuid/w\nContent-Type: \"}",
 "User-Agent: poster/1.0 uuid/w\nContent-Type: application/json"]
--- error_code eval
[201, 201, 201, 400]
--- response_body eval
["", "", "", '{ "message": "Invalid JSON" }']




=== TEST 7: an event belongs to the channel that it was posted to, and to no other
--- request eval
["POST /bus/here\n{}", "GET /bus/there?echo=true", "GET /bus/her?echo=true",
 "GET /bus/here/x?echo=true", "GET /bus/here?echo=true"]
--- error_code eval
[201, 204, 204, 204, 200]
--- response_body_like eval
['\A\z', '\A\z', '\A\z', '\A\z', '\A\{"channel":"/here"']




=== TEST 8: a POST may carry a query, which changes nothing
--- request eval
["POST /bus/query?last-known-id=7&what=ever\n{}"]
--- error_code eval
[201]
--- response_headers_like
Msgbus-Id: \d+
--- response_body eval
""
