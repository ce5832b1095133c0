# ttl says how long events stay on the bus.
#
# repeat_each(1): each block has to wait.

use lib "t/lib";
use Test::Nginx::Socket;
use Msgbus::Blocks;

repeat_each(1);

plan tests => repeat_each() * (blocks() * 3 + 3);

defaults(
    config                => "location /bus/ { msgbus bus; }",
    more_headers          => "User-Agent: uuid/r",
    response_body_filters => \&numbers,
    no_error_log          => "[error]",
);

own_bus();

no_long_string();
run_tests();

__DATA__

=== TEST 1: an event older than ttl is gone
--- http_config
    msgbus_zone zone=bus:1m first_id=1 ttl=5s;
--- init
::post(["/bus/c", '{"n":1}']); sleep 5.2; ::post(["/bus/c", '{"n":2}'])
--- request
GET /bus/c
--- response_headers
! Msgbus-Gap
--- response_body chop
2




=== TEST 2: also when nothing is posted any more
--- http_config
    msgbus_zone zone=bus:1m first_id=1 ttl=1s;
--- init
::post(["/bus/c", '{"n":1}']); sleep 2.2
--- request
GET /bus/c
--- error_code: 204
--- response_headers
Msgbus-Last-Id: 1




=== TEST 3: a reader who has not seen it is told of the gap
--- http_config
    msgbus_zone zone=bus:1m first_id=1 ttl=1s;
--- init
::post(["/bus/c", '{"n":1}'], ["/bus/c", '{"n":2}']); sleep 2.2
--- request
GET /bus/c?last-known-id=1
--- error_code: 204
--- response_headers
Msgbus-Last-Id: 2
Msgbus-Gap: true




=== TEST 4: one who has seen it is not
--- http_config
    msgbus_zone zone=bus:1m first_id=1 ttl=1s;
--- init
::post(["/bus/c", '{"n":1}'], ["/bus/c", '{"n":2}']); sleep 2.2
--- request
GET /bus/c?last-known-id=2
--- error_code: 204
--- response_headers
Msgbus-Last-Id: 2
! Msgbus-Gap




=== TEST 5: a younger one stays
--- http_config
    msgbus_zone zone=bus:1m first_id=1 ttl=1m;
--- init
::post(["/bus/c", '{"n":1}']); sleep 2.2
--- request
GET /bus/c
--- response_body chop
1




=== TEST 6: so it does by default, which is two minutes
--- http_config
    msgbus_zone zone=bus:1m first_id=1;
--- init
::post(["/bus/c", '{"n":1}']); sleep 2.2
--- request
GET /bus/c
--- response_body chop
1
