# sort=1: the oldest events after the cursor; sort=-1: the newest, newest first.

use lib "t/lib";
use Test::Nginx::Socket;
use Msgbus::Blocks;

repeat_each(2);

plan tests => repeat_each() * (blocks() * 4 + 9);

defaults(
    http_config           => "msgbus_zone zone=bus:1m first_id=1;",
    config                => "location /bus/ { msgbus bus; }",
    init                  => "::post(map { ['/bus/c', qq({\"n\":\$_})] } 1 .. 9)",
    more_headers          => "User-Agent: uuid/r",
    response_body_filters => \&numbers,
    no_error_log          => "[error]",
);

own_bus();

no_long_string();
run_tests();

__DATA__

=== TEST 1: events come in the order of their ids
--- request
GET /bus/c
--- response_body chop
1 2 3 4 5 6 7 8 9




=== TEST 2: sort=1 is the same
--- request
GET /bus/c?sort=1
--- response_body chop
1 2 3 4 5 6 7 8 9




=== TEST 3: sort=-1 turns it around
--- request
GET /bus/c?sort=-1
--- response_body chop
9 8 7 6 5 4 3 2 1




=== TEST 4: sort=1 cuts off the newest
--- request
GET /bus/c?sort=1&max-events=3
--- response_body chop
1 2 3




=== TEST 5: sort=-1 cuts off the oldest
--- request
GET /bus/c?sort=-1&max-events=3
--- response_body chop
9 8 7




=== TEST 6: sort=1 begins behind the cursor
--- request
GET /bus/c?sort=1&max-events=3&last-known-id=4
--- response_body chop
5 6 7




=== TEST 7: sort=-1 ends before the cursor
--- request
GET /bus/c?sort=-1&last-known-id=6
--- response_body chop
9 8 7




=== TEST 8: sort=-1 before the cursor, cut
--- request
GET /bus/c?sort=-1&last-known-id=6&max-events=2
--- response_body chop
9 8




=== TEST 9: sort=-1 with nothing newer
--- request
GET /bus/c?sort=-1&last-known-id=9
--- error_code: 204
--- response_headers
Msgbus-Last-Id: 9
--- response_body eval: ""




=== TEST 10: an unknown value means 1
--- request eval
[map { "GET /bus/c?max-events=2&sort=$_" } "", 0, 2, -2, "desc", "-1x", "%2d"]
--- error_code eval
[(200) x 7]
--- response_body eval
[("1 2") x 7]
