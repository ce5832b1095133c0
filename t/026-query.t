# The query: names in any order, escaped or not; of two alike the last one
# counts, and what the bus does not know it does not look at.

use lib "t/lib";
use Test::Nginx::Socket;
use Msgbus::Blocks;

repeat_each(2);

plan tests => repeat_each() * (blocks() * 4);

defaults(
    http_config           => "msgbus_zone zone=bus:1m first_id=1;",
    config                => "location /bus/ { msgbus bus; }",
    init                  => "::post(map { ['/bus/c', qq({\"n\":\$_})] } 1 .. 5)",
    more_headers          => "User-Agent: uuid/r",
    response_body_filters => \&numbers,
    no_error_log          => "[error]",
);

own_bus();

no_long_string();
run_tests();

__DATA__

=== TEST 1: no query at all
--- request
GET /bus/c
--- response_body chop
1 2 3 4 5




=== TEST 2: an empty query
--- request
GET /bus/c?
--- response_body chop
1 2 3 4 5




=== TEST 3: names in any order
--- request eval
["GET /bus/c?last-known-id=1&max-events=2&sort=-1",
 "GET /bus/c?sort=-1&max-events=2&last-known-id=1"]
--- error_code eval
[200, 200]
--- response_body eval
["5 4", "5 4"]




=== TEST 4: empty parts between
--- request
GET /bus/c?&&last-known-id=3&&
--- response_body chop
4 5




=== TEST 5: of a name that comes twice the last one counts
--- request eval
["GET /bus/c?last-known-id=4&last-known-id=2", "GET /bus/c?max-events=0&max-events=1",
 "GET /bus/c?sort=1&max-events=1&sort=-1", "GET /bus/c?last-known-id=latest&last-known-id=3",
 "GET /bus/c?last-known-id=3&last-known-id=latest"]
--- error_code eval
[200, 200, 200, 200, 204]
--- response_body eval
["3 4 5", "1", "5", "4 5", ""]




=== TEST 6: also when the last one is bad
--- request
GET /bus/c?max-events=1&max-events=0
--- error_code: 400
--- response_body_like: \A\{ "message": "[^"]+" \}\z




=== TEST 7: unknown names are ignored
--- request
GET /bus/c?_=1384&last-known-id=3&x&=&y=&max_events=1
--- response_body chop
4 5




=== TEST 8: a name is known in whole only
--- request
GET /bus/c?xlast-known-id=3&last-known-idx=3&last-known-i=3&ax-events=1
--- response_body chop
1 2 3 4 5




=== TEST 9: names are known in lower case only
--- request
GET /bus/c?Last-Known-Id=3&MAX-EVENTS=1
--- response_body chop
1 2 3 4 5




=== TEST 10: percent-encoded values are decoded
--- request
GET /bus/c?last-known-id=%33&max-events=%31
--- response_body chop
4




=== TEST 11: percent-encoded names are decoded
--- request
GET /bus/c?last%2Dknown-id=3&%6d%61%78-events=1
--- response_body chop
4




=== TEST 12: a percent-encoded minus
--- request
GET /bus/c?sort=%2D1&max-events=2
--- response_body chop
5 4




=== TEST 13: a percent-encoded ampersand is part of the value
--- request
GET /bus/c?x=1%26last-known-id=3
--- response_body chop
1 2 3 4 5




=== TEST 14: X-RSE-Version is ignored, in the query and as a header
--- request
GET /bus/c?X-RSE-Version=2&last-known-id=3
--- more_headers
User-Agent: uuid/r
X-RSE-Version: 7
--- response_body chop
4 5




=== TEST 15: a fragment of a long query
--- request eval
"GET /bus/c?x=" . "y" x 3000 . "&last-known-id=3"
--- response_body chop
4 5
