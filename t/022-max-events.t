# max-events bounds a page: 200 events unless said otherwise, 500 at most.

use lib "t/lib";
use Test::Nginx::Socket;
use Msgbus::Blocks;

repeat_each(2);

plan tests => repeat_each() * (blocks() * 3 + 4);

defaults(
    http_config           => "msgbus_zone zone=bus:1m first_id=1;",
    config                => "location /bus/ { msgbus bus; }",
    init                  => "::post(map { ['/bus/c', qq({\"n\":\$_})] } 1 .. 600)",
    more_headers          => "User-Agent: uuid/r",
    response_body_filters => \&numbers,
    no_error_log          => "[error]",
);

own_bus();

no_long_string();
run_tests();

__DATA__

=== TEST 1: a page is 200 events, the oldest
--- request
GET /bus/c
--- response_headers
Msgbus-Last-Id: 200
--- response_body eval
::row(1, 200)




=== TEST 2: with sort=-1 the newest
--- request
GET /bus/c?sort=-1
--- response_headers
Msgbus-Last-Id: 600
--- response_body eval
::row(600, 401)




=== TEST 3: one event
--- request
GET /bus/c?max-events=1
--- response_body chop
1




=== TEST 4: as many as asked for
--- request
GET /bus/c?max-events=499
--- response_body eval
::row(1, 499)




=== TEST 5: the cap itself
--- request
GET /bus/c?max-events=500
--- response_body eval
::row(1, 500)




=== TEST 6: more than the cap is the cap
--- request
GET /bus/c?max-events=501
--- response_headers
Msgbus-Last-Id: 500
--- response_body eval
::row(1, 500)




=== TEST 7: far more than the cap is the cap
--- request
GET /bus/c?max-events=9223372036854775807
--- response_body eval
::row(1, 500)




=== TEST 8: more than there are
--- request
GET /bus/c?max-events=500&last-known-id=590
--- response_headers
Msgbus-Last-Id: 600
--- response_body eval
::row(591, 600)
