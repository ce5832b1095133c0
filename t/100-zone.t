# msgbus_zone makes a bus: its name, its memory, and how long events stay.

use lib "t/lib";
use Test::Nginx::Socket;
use Msgbus::Blocks;

repeat_each(2);
check_accum_error_log();    # that a bus is full is logged once a period

plan tests => repeat_each() * (blocks() * 4 + 11);

sub five { post(map { ["/bus/c", qq({"n":$_})] } 1 .. 5) }

defaults(
    config                => "location /bus/ { msgbus bus; }",
    init                  => "::five()",
    more_headers          => "User-Agent: uuid/r",
    response_body_filters => \&numbers,
    no_error_log          => "[error]",
);

own_bus();

no_long_string();
run_tests();

__DATA__

=== TEST 1: a name and a size are enough
--- http_config
    msgbus_zone zone=bus:1m;
--- request
GET /bus/c
--- response_body chop
1 2 3 4 5




=== TEST 2: the size may be in kilobytes, or in bytes
--- http_config
    msgbus_zone zone=bus:512k;
    msgbus_zone zone=other:1048576;
--- request
GET /bus/c
--- response_body chop
1 2 3 4 5




=== TEST 3: several zones are several buses, each with ids of its own
--- http_config
    msgbus_zone zone=bus:1m first_id=1;
    msgbus_zone zone=two:1m first_id=1;
--- config
    location /bus/ { msgbus bus; }
    location /two/ { msgbus two; }
--- init
::post(["/bus/c", '{"n":1}'], ["/two/c", '{"n":2}'])
--- request eval
["GET /bus/c", "GET /two/c"]
--- error_code eval
[200, 200]
--- response_headers eval
["Msgbus-Last-Id: 1", "Msgbus-Last-Id: 1"]
--- response_body eval
["1", "2"]




=== TEST 4: max_events keeps the newest
--- http_config
    msgbus_zone zone=bus:1m max_events=3;
--- request
GET /bus/c
--- response_body chop
3 4 5




=== TEST 5: max_events=1
--- http_config
    msgbus_zone zone=bus:1m max_events=1;
--- request
GET /bus/c
--- response_body chop
5




=== TEST 6: max_events counts over the whole bus
--- http_config
    msgbus_zone zone=bus:1m max_events=3;
--- init
::post(["/bus/c", '{"n":1}'], map { ["/bus/d", '{"n":2}'] } 1 .. 3)
--- request eval
["GET /bus/c", "GET /bus/d"]
--- error_code eval
[204, 200]
--- response_body eval
["", "2 2 2"]




=== TEST 7: max_event_size is the largest event
--- http_config
    msgbus_zone zone=bus:1m max_event_size=20;
--- init
--- request eval
["POST /bus/c\n{\"a\":\"" . "x" x 12 . "\"}", "POST /bus/d\n{\"a\":\"" . "x" x 13 . "\"}",
 "GET /bus/d"]
--- more_headers
User-Agent: uuid/w
--- error_code eval
[201, 413, 204]
--- response_body_like eval
['\A\z', '\A\{ "message": "[^"]+" \}\z', '\A\z']




=== TEST 8: max_event_size may be in kilobytes
--- http_config
    msgbus_zone zone=bus:1m max_event_size=1k;
--- init
--- request eval
["POST /bus/c\n[\"" . "x" x 1020 . "\"]", "POST /bus/d\n[\"" . "x" x 1021 . "\"]"]
--- more_headers
User-Agent: uuid/w
--- error_code eval
[201, 413]




=== TEST 9: an event larger than an eighth of the zone is too large anyway
--- http_config
    msgbus_zone zone=bus:1m;
--- request eval
["POST /bus/c\n[\"" . "x" x 131072 . "\"]", "GET /bus/c?max-events=9"]
--- more_headers eval
["User-Agent: uuid/w", "User-Agent: uuid/r"]
--- error_code eval
[413, 200]
--- response_body_like eval
['\A\{ "message": "[^"]+" \}\z', '\A1 2 3 4 5\z']




=== TEST 10: in a large zone 1 MiB is the largest event
--- http_config
    msgbus_zone zone=bus:32m;
--- init
--- request eval
["POST /bus/c\n[\"" . "x" x (1048576 - 4) . "\"]", "POST /bus/d\n[\"" . "x" x (1048576 - 3) . "\"]"]
--- more_headers
User-Agent: uuid/w
--- error_code eval
[201, 413]




=== TEST 11: first_id=n is the first event's id
--- http_config
    msgbus_zone zone=bus:1m first_id=4711;
--- request
GET /bus/c
--- response_headers
Msgbus-Last-Id: 4715
--- response_body_filters eval: \&::ids
--- response_body chop
4711 4712 4713 4714 4715




=== TEST 12: first_id=time takes it from the clock, below 2^53
--- http_config
    msgbus_zone zone=bus:1m first_id=time;
--- request
GET /bus/c
--- response_headers_like
Msgbus-Last-Id: [1-8][0-9]{12,15}
--- response_body_filters eval: \&::ids
--- response_body_like: ^[1-8][0-9]{12,15}




=== TEST 13: so it is by default
--- http_config
    msgbus_zone zone=bus:1m;
--- request
GET /bus/c
--- response_headers_like
Msgbus-Last-Id: [1-8][0-9]{12,15}




=== TEST 14: full=evict drops the oldest events for new ones
--- http_config
    msgbus_zone zone=bus:1m max_events=3 full=evict;
--- request
GET /bus/c
--- response_body chop
3 4 5




=== TEST 15: full=reject keeps what is there and answers 507
--- http_config
    msgbus_zone zone=bus:1m max_events=5 full=reject;
--- request eval
["POST /bus/c\n{\"n\":6}", "GET /bus/c"]
--- more_headers eval
["User-Agent: uuid/w", "User-Agent: uuid/r"]
--- error_code eval
[507, 200]
--- response_headers eval
["Content-Type: application/json; charset=utf-8", "Content-Type: application/json; charset=utf-8"]
--- response_body_like eval
['\A\{ "message": "[^"]+" \}\z', '\A1 2 3 4 5\z']
--- error_log eval: qr/\[crit\].*"bus\d+"/
--- no_error_log
[alert]




=== TEST 16: the parameters come in any order
--- http_config
    msgbus_zone first_id=7 ttl=10m full=evict max_events=2 max_event_size=10k zone=bus:1m;
--- request
GET /bus/c
--- response_body_filters eval: \&::ids
--- response_body chop
10 11




=== TEST 17: a zone that nobody uses does no harm
--- http_config
    msgbus_zone zone=bus:1m;
    msgbus_zone zone=idle:1m;
--- request
GET /bus/c
--- response_body chop
1 2 3 4 5
