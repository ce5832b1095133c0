# A channel is the URI behind its location's name.

use lib "t/lib";
use Test::Nginx::Socket;
use Msgbus::Blocks;

repeat_each(2);

plan tests => repeat_each() * (blocks() * 6);

# the channel that an answer names
sub channel { $_[0] =~ /\A\{"channel":"([^"]*)"/ ? $1 : $_[0] }

defaults(
    http_config           => "msgbus_zone zone=bus:1m;",
    more_headers          => "User-Agent: uuid/w",
    error_code            => [201, 200],
    response_body_filters => \&channel,
    no_error_log          => "[error]",
);

no_root_location();
no_long_string();
run_tests();

__DATA__

=== TEST 1: location / takes the URI as it is
--- config
    location / { msgbus bus; }
--- request eval
["POST /bus/quiet\n{}", "GET /bus/quiet?echo=true"]
--- response_body eval
["", "/bus/quiet"]




=== TEST 2: location /bus/ is cut off
--- config
    location /bus/ { msgbus bus; }
--- request eval
["POST /bus/quiet\n{}", "GET /bus/quiet?echo=true"]
--- response_body eval
["", "/quiet"]




=== TEST 3: location /bus without a slash is cut off too
--- config
    location /bus { msgbus bus; }
--- request eval
["POST /bus/quiet\n{}", "GET /bus/quiet?echo=true"]
--- response_body eval
["", "/quiet"]




=== TEST 4: but not in the middle of a name
--- config
    location /bus { msgbus bus; }
--- request eval
["POST /busy\n{}", "GET /busy/c?echo=true"]
--- error_code eval
[400, 400]
--- response_body_like eval
[('\A\{ "message": "[^"]+" \}\z') x 2]




=== TEST 5: a longer prefix
--- config
    location /api/v1/bus/ { msgbus bus; }
--- request eval
["POST /api/v1/bus/a/b\n{}", "GET /api/v1/bus/a/b?echo=true"]
--- response_body eval
["", "/a/b"]




=== TEST 6: ^~ is a prefix as well
--- config
    location ^~ /bus/ { msgbus bus; }
--- request eval
["POST /bus/quiet\n{}", "GET /bus/quiet?echo=true"]
--- response_body eval
["", "/quiet"]




=== TEST 7: in a nested location its own name is cut off
--- config
    location /bus/ {
        location /bus/in/ { msgbus bus; }
    }
--- request eval
["POST /bus/in/quiet\n{}", "GET /bus/in/quiet?echo=true"]
--- response_body eval
["", "/quiet"]




=== TEST 8: one channel may be reached by two locations
--- config
    location /write/ { msgbus bus; }
    location /read/  { msgbus bus; }
--- request eval
["POST /write/both\n{}", "GET /read/both?echo=true"]
--- response_body eval
["", "/both"]




=== TEST 9: two buses in two locations do not share a channel
--- http_config
    msgbus_zone zone=one:1m;
    msgbus_zone zone=two:1m;
--- config
    location /1/ { msgbus one; }
    location /2/ { msgbus two; }
--- request eval
["POST /1/c\n{}", "GET /2/c?echo=true"]
--- error_code eval
[201, 204]




=== TEST 10: after a rewrite the new URI counts
--- config
    location /old/ { rewrite ^/old/(.*)$ /bus/$1 last; }
    location /bus/ { msgbus bus; }
--- request eval
["POST /old/moved\n{}", "GET /bus/moved?echo=true"]
--- response_body eval
["", "/moved"]




=== TEST 11: after a rewrite within the location too
--- config
    location /bus/ { msgbus bus; rewrite ^/bus/v1/(.*)$ /bus/$1 break; }
--- request eval
["POST /bus/v1/within\n{}", "GET /bus/within?echo=true"]
--- response_body eval
["", "/within"]




=== TEST 12: a URI that a rewrite took out of the location has no channel, which is logged
--- config
    location /bus/ { msgbus bus; rewrite ^ /other/c break; }
--- request eval
["POST /bus/c\n{}", "GET /bus/c?echo=true"]
--- error_code eval
[400, 400]
--- response_body eval
['{ "message": "Invalid channel name" }', '{ "message": "Invalid channel name" }']
--- error_log: use msgbus_channel
--- no_error_log
[error]




=== TEST 13: in a name with escaped bytes the decoded ones count
--- config
    location "/a b/" { msgbus bus; }
--- request eval
["POST /a%20b/c\n{}", "GET /a%20b/c?echo=true"]
--- response_body eval
["", "/c"]
