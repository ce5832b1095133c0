# GET /?events=all reads the whole bus; "/" is no channel otherwise.

use lib "t/lib";
use Test::Nginx::Socket;
use Msgbus::Blocks;

repeat_each(2);

plan tests => repeat_each() * (blocks() * 5 + 4);

sub three {
    post(["/a", '{"n":1}'], ["/b/c", '{"n":2}'], ["/a/b", '{"n":3}', 'uuid/r']);
}

defaults(
    http_config           => "msgbus_zone zone=bus:1m first_id=1; msgbus_scope exact parent all;",
    config                => "location / { msgbus bus; }",
    init                  => "::three()",
    more_headers          => "User-Agent: uuid/r",
    response_body_filters => \&numbers,
    no_error_log          => "[error]",
);

own_bus();

no_root_location();
no_long_string();
run_tests();

__DATA__

=== TEST 1: every event of the bus
--- request
GET /?events=all&echo=true
--- response_headers
Msgbus-Last-Id: 3
--- response_body chop
1 2 3




=== TEST 2: each names its own channel, the answer names /
--- request
GET /?events=all&echo=true
--- response_body_filters eval: sub { $_[0] }
--- response_body_like eval
'\A\{"channel":"/",.*"data":\{"n":1\},"channel":"/a"\},.*"data":\{"n":2\},"channel":"/b/c"\},'
. '.*"data":\{"n":3\},"channel":"/a/b"\}\]\}\z'




=== TEST 3: own events are hidden
--- request
GET /?events=all
--- response_body chop
1 2




=== TEST 4: a page at a time, from either end
--- request eval
["GET /?events=all&echo=true&max-events=2", "GET /?events=all&echo=true&max-events=2&last-known-id=2",
 "GET /?events=all&echo=true&max-events=2&last-known-id=3", "GET /?events=all&echo=true&max-events=2&sort=-1"]
--- error_code eval
[200, 200, 204, 200]
--- response_headers eval
["Msgbus-Last-Id: 2", "Msgbus-Last-Id: 3", "Msgbus-Last-Id: 3", "Msgbus-Last-Id: 3"]
--- response_body eval
["1 2", "3", "", "3 2"]




=== TEST 5: below a location's prefix / is what ends in a slash
--- config
    location /     { msgbus bus; }
    location /bus/ { msgbus bus; }
--- request
GET /bus/?events=all&echo=true
--- response_body chop
1 2 3




=== TEST 6: an empty bus is 204
--- init
--- request
GET /?events=all
--- error_code: 204
--- response_headers
Msgbus-Last-Id: 0
! Msgbus-Gap




=== TEST 7: with events=exact it is refused, and with nothing said
--- request eval
["GET /?events=exact", "GET /", "GET /?echo=true"]
--- error_code eval
[400, 400, 400]
--- response_body_like eval
[('\A\{ "message": "[^"]+" \}\z') x 3]




=== TEST 8: with events=parent it is refused, it has none
--- request
GET /?events=parent
--- error_code: 400
--- response_body_like: \A\{ "message": "[^"]+" \}\z




=== TEST 9: nothing can be posted to it
--- request eval
["POST /\n{\"n\":4}", "GET /?events=all&last-known-id=3"]
--- error_code eval
[400, 204]
--- response_body_like eval
['\A\{ "message": "[^"]+" \}\z', '\A\z']




=== TEST 10: it is nobody's parent
--- request
GET /a/b?events=parent&echo=true
--- response_body chop
1 3
