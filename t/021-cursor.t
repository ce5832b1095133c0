# last-known-id says what the reader knows; Msgbus-Last-Id what it then knows.

use lib "t/lib";
use Test::Nginx::Socket;
use Msgbus::Blocks;

repeat_each(2);

plan tests => repeat_each() * (blocks() * 4 + 16);

# The events 1, 2 and 3 are in /c, 4 is elsewhere.
sub four {
    post(["/bus/c", '{"n":1}'], ["/bus/c", '{"n":2}'], ["/bus/c", '{"n":3}'],
         ["/bus/d", '{"n":4}']);
}

defaults(
    http_config           => "msgbus_zone zone=bus:1m first_id=1;",
    config                => "location /bus/ { msgbus bus; }",
    init                  => "::four()",
    more_headers          => "User-Agent: reader/1.0 uuid/r",
    response_body_filters => \&ids,
    no_error_log          => "[error]",
);

own_bus();

no_long_string();
run_tests();

__DATA__

=== TEST 1: without a cursor a reader gets all
--- request
GET /bus/c
--- response_body chop
1 2 3




=== TEST 2: with a cursor, what is newer
--- request
GET /bus/c?last-known-id=1
--- response_body chop
2 3




=== TEST 3: a cursor need not be an id of the channel
--- request
GET /bus/d?last-known-id=2
--- response_body chop
4




=== TEST 4: nothing newer is 204
--- request
GET /bus/c?last-known-id=3
--- error_code: 204
--- response_body eval: ""




=== TEST 5: 0 is from the beginning
--- request
GET /bus/c?last-known-id=0
--- response_body chop
1 2 3




=== TEST 6: a negative cursor is 0
--- request
GET /bus/c?last-known-id=-7
--- response_headers
Msgbus-Last-Id: 4
! Msgbus-Gap
--- response_body chop
1 2 3




=== TEST 7: leading zeros say nothing
--- request
GET /bus/c?last-known-id=0002
--- response_body chop
3




=== TEST 8: an uncut page gives the bus's newest id
--- request
GET /bus/c
--- response_headers
Msgbus-Last-Id: 4
! Msgbus-Gap




=== TEST 9: so does a channel in which nothing is newer
--- request
GET /bus/c?last-known-id=3
--- error_code: 204
--- response_headers
Msgbus-Last-Id: 4
! Msgbus-Gap




=== TEST 10: and a channel that nobody has written to
--- request
GET /bus/quiet?last-known-id=3
--- error_code: 204
--- response_headers
Msgbus-Last-Id: 4
! Msgbus-Gap




=== TEST 11: a page cut by max-events gives the id of its last event
--- request
GET /bus/c?max-events=2
--- response_headers
Msgbus-Last-Id: 2
--- response_body chop
1 2




=== TEST 12: a page cut by its size gives the id of its last event
--- config
    location /bus/ { msgbus bus; msgbus_max_response 200; }
--- request
GET /bus/c
--- response_headers
Msgbus-Last-Id: 1
--- response_body chop
1




=== TEST 13: a cut page does not go back before the hidden events in front of it
--- init
::post(["/bus/c", '{}', 'uuid/r'], ["/bus/c", '{}', 'uuid/r'],
       ["/bus/c", '{}'], ["/bus/c", '{}'])
--- request
GET /bus/c?max-events=1
--- response_headers
Msgbus-Last-Id: 3
--- response_body chop
3




=== TEST 14: hidden events move the cursor on
--- request
GET /bus/c
--- more_headers
User-Agent: poster/1.0 uuid/w
--- error_code: 204
--- response_headers
Msgbus-Last-Id: 4
! Msgbus-Gap




=== TEST 15: sort=-1 gives the bus's newest id, cut or not
--- request
GET /bus/c?sort=-1&max-events=1
--- response_headers
Msgbus-Last-Id: 4
--- response_body chop
3




=== TEST 16: latest is nothing older than now
--- request
GET /bus/c?last-known-id=latest
--- error_code: 204
--- response_headers
Msgbus-Last-Id: 4
! Msgbus-Gap




=== TEST 17: latest where nobody has written to
--- request
GET /bus/quiet?last-known-id=latest
--- error_code: 204
--- response_headers
Msgbus-Last-Id: 4
! Msgbus-Gap




=== TEST 18: a bus without events begins at 0
--- init
--- request
GET /bus/c
--- error_code: 204
--- response_headers
Msgbus-Last-Id: 0
! Msgbus-Gap




=== TEST 19: latest on a bus without events
--- init
--- request
GET /bus/c?last-known-id=latest
--- error_code: 204
--- response_headers
Msgbus-Last-Id: 0
! Msgbus-Gap




=== TEST 20: the newest id leaves nothing to read and no gap
--- request
GET /bus/c?last-known-id=4
--- error_code: 204
--- response_headers
Msgbus-Last-Id: 4
! Msgbus-Gap




=== TEST 21: a cursor that the bus has never given out is a gap
--- request
GET /bus/c?last-known-id=5
--- error_code: 204
--- response_headers
Msgbus-Last-Id: 4
Msgbus-Gap: true




=== TEST 22: so it is on a bus without events
--- init
--- request
GET /bus/c?last-known-id=9
--- error_code: 204
--- response_headers
Msgbus-Last-Id: 0
Msgbus-Gap: true




=== TEST 23: so it is for the largest number that a cursor can be
--- request
GET /bus/c?last-known-id=9223372036854775807
--- error_code: 204
--- response_headers
Msgbus-Last-Id: 4
Msgbus-Gap: true




=== TEST 24: so it is with sort=-1
--- request
GET /bus/c?last-known-id=5&sort=-1
--- error_code: 204
--- response_headers
Msgbus-Last-Id: 4
Msgbus-Gap: true




=== TEST 25: events that were dropped unseen are a gap
--- http_config
    msgbus_zone zone=bus:1m first_id=1 max_events=2;
--- request
GET /bus/c?last-known-id=1
--- response_headers
Msgbus-Last-Id: 4
Msgbus-Gap: true
--- response_body chop
3




=== TEST 26: events that were dropped after they had been seen are none
--- http_config
    msgbus_zone zone=bus:1m first_id=1 max_events=2;
--- request
GET /bus/c?last-known-id=2
--- response_headers
Msgbus-Last-Id: 4
! Msgbus-Gap
--- response_body chop
3




=== TEST 27: events that were dropped elsewhere are none
--- http_config
    msgbus_zone zone=bus:1m first_id=1 max_events=2;
--- init
::post(["/bus/c", '{}'], ["/bus/d", '{}'], ["/bus/d", '{}'], ["/bus/d", '{}'],
       ["/bus/c", '{}'])
--- request
GET /bus/c?last-known-id=1
--- response_headers
Msgbus-Last-Id: 5
! Msgbus-Gap
--- response_body chop
5




=== TEST 28: a reader without a cursor has missed nothing
--- http_config
    msgbus_zone zone=bus:1m first_id=1 max_events=2;
--- request
GET /bus/c
--- response_headers
Msgbus-Last-Id: 4
! Msgbus-Gap
--- response_body chop
3




=== TEST 29: a page at a time reaches every event once
--- init
::post(map { ["/bus/c", '{}'] } 1 .. 7)
--- request eval
[map { "GET /bus/c?max-events=3&last-known-id=$_" } 0, 3, 6, 7]
--- error_code eval
[200, 200, 200, 204]
--- response_headers eval
["Msgbus-Last-Id: 3", "Msgbus-Last-Id: 6", "Msgbus-Last-Id: 7", "Msgbus-Last-Id: 7"]
--- response_body eval
["1 2 3", "4 5 6", "7", ""]




=== TEST 30: each POST tells its id
--- init
--- request eval
[("POST /bus/c\n{}") x 3]
--- error_code eval
[(201) x 3]
--- response_headers_like eval
[("Msgbus-Id: [1-6]") x 3]




=== TEST 31: numbers may have a plus sign, as with the reference
--- init
::post(map { ["/bus/c", '{}'] } 1 .. 3)
--- request
GET /bus/c?last-known-id=%2B1&max-events=%2B1
--- response_headers
Msgbus-Last-Id: 2
--- response_body chop
2
