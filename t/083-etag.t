# A page has an ETag: who has it already gets 304, with the cursor.

use lib "t/lib";
use Test::Nginx::Socket;
use Msgbus::Blocks;

repeat_each(2);

plan tests => repeat_each() * (blocks() * 11 + 6);

sub three { post(map { ["/bus/c", qq({"n":$_}), "uuid/w"] } 1 .. 3) }

our $agent = "User-Agent: reader";
our $tag = 'W/"1-3-3"';

defaults(
    http_config  => "msgbus_zone zone=bus:1m first_id=1; msgbus_scope exact parent all; msgbus_jsonp on;",
    config       => "msgbus_require_uuid off; location /bus/ { msgbus bus; }",
    init         => "::three()",
    more_headers => $agent,
    no_error_log => "[error]\n[alert]",
);

own_bus();

no_long_string();
run_tests();

__DATA__

=== TEST 1: it names the events that the page has, and not their ages
--- request
GET /bus/c
--- response_headers eval
qq(ETag: $::tag)
--- response_body_filters eval: \&::numbers
--- response_body chop
1 2 3




=== TEST 2: who has it gets 304, with the cursor and without the events
--- request
GET /bus/c
--- more_headers eval
qq($::agent\nIf-None-Match: $::tag)
--- error_code: 304
--- response_headers eval
qq(ETag: $::tag
Msgbus-Last-Id: 3
Cache-Control: private, no-cache
Vary: Accept, User-Agent
! Content-Length
! Content-Type
! Msgbus-Gap)
--- response_body chop




=== TEST 3: it is compared weakly, and may be one of a list
--- request eval
[("GET /bus/c") x 5]
--- more_headers eval
[map { "$::agent\nIf-None-Match: $_" }
     '"1-3-3"', 'W/"1-3-3"', '"x", W/"1-3-3"', 'W/"1-2-2",W/"1-3-3" , "y"', '*']
--- error_code eval
[(304) x 5]




=== TEST 4: any other gets the page
--- request eval
[("GET /bus/c") x 4]
--- more_headers eval
[map { "$::agent\nIf-None-Match: $_" } '"1-3-4"', 'W/"1-2-2"', '1-3-3', '""']
--- error_code eval
[(200) x 4]
--- response_headers eval
[("ETag: $::tag\nMsgbus-Last-Id: 3") x 4]




=== TEST 5: it changes when an event comes
--- request eval
["POST /bus/d\n{}", "GET /bus/d?max-events=500", "POST /bus/d\n{}", "GET /bus/d?max-events=500"]
--- more_headers eval
["User-Agent: uuid/w", "$::agent\nIf-None-Match: W/\"4-4-1\"", "User-Agent: uuid/w",
 "$::agent\nIf-None-Match: W/\"4-4-1\""]
--- error_code_like eval
["201", "304|200", "201", "200"]
--- response_headers_like eval
["", 'ETag: W/"4-(4-1|6-3)"', "", 'ETag: W/"4-(5-2|7-4)"']




=== TEST 6: another channel's event does not change it, and the cursor moves on
--- init
::post(["/bus/c", "{}"], ["/bus/x", "{}"])
--- request
GET /bus/c
--- more_headers eval
qq($::agent\nIf-None-Match: W/"1-1-1")
--- error_code: 304
--- response_headers
Msgbus-Last-Id: 2
--- response_body chop




=== TEST 7: it is that of the page: cursor, limit and order count
--- request eval
["GET /bus/c?max-events=2", "GET /bus/c?last-known-id=1", "GET /bus/c?sort=-1", "GET /bus/c?sort=-1&max-events=2",
 "GET /bus/c?last-known-id=2", "GET /bus/c?echo=true"]
--- error_code eval
[(200) x 6]
--- response_headers eval
[map { qq(ETag: W/"$_") } "1-2-2", "2-3-2", "3-1-3", "3-2-2", "3-3-1", "1-3-3"]




=== TEST 8: and what is hidden from the reader
--- init
::post(["/bus/c", "{}", "uuid/w"], ["/bus/c", "{}", "uuid/r"], ["/bus/c", "{}", "uuid/w"])
--- request eval
["GET /bus/c", "GET /bus/c?echo=true"]
--- error_code eval
[200, 200]
--- more_headers
User-Agent: uuid/r
--- response_headers_like eval
['ETag: W/"1-3-2-\d+"', 'ETag: W/"1-3-3"']




=== TEST 9: 204 has none
--- request eval
["GET /bus/quiet", "GET /bus/c?last-known-id=3", "GET /bus/quiet"]
--- more_headers eval
[$::agent, $::agent, "$::agent\nIf-None-Match: *"]
--- error_code eval
[204, 204, 204]
--- response_headers eval
[("! ETag\nMsgbus-Last-Id: 3") x 3]




=== TEST 10: nor has the answer to a POST, which no If-None-Match changes
--- init
--- request eval
["POST /bus/d\n{}", "POST /bus/d\n{}"]
--- more_headers eval
["User-Agent: uuid/w\nIf-None-Match: *", "User-Agent: uuid/w\nPrefer: return=representation\nIf-None-Match: *"]
--- error_code eval
[201, 201]
--- response_headers eval
[("! ETag") x 2]




=== TEST 11: HEAD has it, and is answered 304 as well
--- request eval
["HEAD /bus/c", "HEAD /bus/c"]
--- more_headers eval
[$::agent, "$::agent\nIf-None-Match: $::tag"]
--- error_code eval
[200, 304]
--- response_headers eval
[("ETag: $::tag\nMsgbus-Last-Id: 3") x 2]




=== TEST 12: gzip keeps it
--- config
    msgbus_require_uuid off;
    location /bus/ { msgbus bus; gzip on; gzip_types application/json; gzip_min_length 20; }
--- request eval
["GET /bus/c", "GET /bus/c"]
--- more_headers eval
["$::agent\nAccept-Encoding: gzip", "$::agent\nAccept-Encoding: gzip\nIf-None-Match: $::tag"]
--- error_code eval
[200, 304]
--- response_headers eval
["Content-Encoding: gzip\nETag: $::tag\nMsgbus-Last-Id: 3", "! Content-Encoding\nETag: $::tag\nMsgbus-Last-Id: 3"]
--- response_body_like eval
['\A\x1f\x8b', '\A\z']




=== TEST 13: a gap is told with 304, too
--- http_config
    msgbus_zone zone=bus:1m first_id=1 max_events=1;
    msgbus_scope exact parent all;
    msgbus_jsonp on;
--- request
GET /bus/c?last-known-id=1
--- more_headers eval
qq($::agent\nIf-None-Match: W/"3-3-1")
--- error_code: 304
--- response_headers
Msgbus-Gap: true
Msgbus-Last-Id: 3
--- response_body chop




=== TEST 14: with parents and children it is that of the whole page
--- init
::post(["/bus/a", "{}"], ["/bus/a/b", "{}"], ["/bus/x", "{}"], ["/bus/a/b/c", "{}"])
--- request eval
["GET /bus/a/b?events=parent", "GET /bus/a?events=all", "GET /bus/?events=all"]
--- error_code eval
[200, 200, 200]
--- response_headers eval
['ETag: W/"1-2-2"', 'ETag: W/"1-4-3"', 'ETag: W/"1-4-4"']




=== TEST 15: JSONP keeps it
--- request eval
["GET /bus/c?callback=f", "GET /bus/c?callback=f"]
--- more_headers eval
[$::agent, "$::agent\nIf-None-Match: $::tag"]
--- error_code eval
[200, 304]
--- response_headers eval
[("ETag: $::tag\nMsgbus-Last-Id: 3") x 2]




=== TEST 16: who waits with it, and has all there is, waits
--- request
GET /bus/c?last-known-id=3&wait=1
--- more_headers eval
qq($::agent\nIf-None-Match: $::tag)
--- error_code: 204
--- response_headers
Msgbus-Last-Id: 3




=== TEST 17: readers from whom other events are hidden do not have each other's
--- init
::post(["/bus/c", "{}", "uuid/w"], ["/bus/c", "{}", "uuid/r"], ["/bus/c", "{}", "uuid/s"], ["/bus/c", "{}", "uuid/w"])
--- request eval
[("GET /bus/c") x 4]
--- more_headers eval
["User-Agent: uuid/r", "User-Agent: uuid/s", "User-Agent: uuid/s\nIf-None-Match: W/\"1-4-3\"", "User-Agent: uuid/r"]
--- error_code eval
[200, 200, 200, 200]
--- response_headers_like eval
[('ETag: W/"1-4-3-\d+"') x 4]




=== TEST 18: nor do channels and buses that a header chooses
--- http_config
    msgbus_zone zone=bus:1m first_id=1; msgbus_zone zone=other:1m first_id=1;
--- config
    msgbus_require_uuid off;
    location /bus/    { msgbus bus; }
    location /other/  { msgbus other; }
    location = /named { msgbus bus; msgbus_channel /$http_x; }
    location /if/     { msgbus bus; if ($http_x) { msgbus other; } }
--- init
::post(["/bus/c", "{}"]); ::post(["/other/c", "[]"])
--- request eval
["GET /named", "GET /if/c", "GET /if/c"]
--- more_headers eval
["X: c", "", "X: c"]
--- response_headers_like eval
['ETag: W/"1-1-1-\d+"', 'ETag: W/"1-1-1"', 'ETag: W/"1-1-1-\d+"']




=== TEST 19: a page has no date to compare with
--- request eval
[("GET /bus/c") x 2]
--- more_headers eval
["$::agent\nIf-Unmodified-Since: Sat, 29 Oct 1994 19:43:31 GMT", "$::agent\nIf-Modified-Since: Sat, 29 Oct 2044 19:43:31 GMT"]
--- error_code eval
[200, 200]
