# A parameter that is no number, or out of bounds, is answered 400.

use lib "t/lib";
use Test::Nginx::Socket;
use Msgbus::Blocks;

repeat_each(2);

plan tests => repeat_each() * (blocks() * 7);

# The next reader comes on the same connection: a 400 does not end it.
sub refused {
    my ($query) = @_;

    return ["GET /bus/c?echo=true&$query", "GET /bus/c?echo=true"];
}

defaults(
    http_config        => "msgbus_zone zone=bus:1m; msgbus_scope exact parent all;",
    config             => "location /bus/ { msgbus bus; }",
    error_code         => [400, 204],
    response_headers   => ["Content-Type: application/json; charset=utf-8", ""],
    response_body_like => ['\A\{ "message": "[^"]+" \}\z', '\A\z'],
    no_error_log       => "[error]",
);

no_long_string();
run_tests();

__DATA__

=== TEST 1: a cursor that is a word
--- pipelined_requests eval: ::refused("last-known-id=abc")




=== TEST 2: an empty cursor
--- pipelined_requests eval: ::refused("last-known-id=")




=== TEST 3: a cursor without a value
--- pipelined_requests eval: ::refused("last-known-id")




=== TEST 4: a cursor with something behind it
--- pipelined_requests eval: ::refused("last-known-id=1x")




=== TEST 5: a cursor with a point
--- pipelined_requests eval: ::refused("last-known-id=1.5")




=== TEST 6: a cursor with an exponent
--- pipelined_requests eval: ::refused("last-known-id=1e3")




=== TEST 7: a hexadecimal cursor
--- pipelined_requests eval: ::refused("last-known-id=0x10")




=== TEST 8: a cursor with a space
--- pipelined_requests eval: ::refused("last-known-id=%201")




=== TEST 9: a cursor with a NUL byte
--- pipelined_requests eval: ::refused("last-known-id=1%00")




=== TEST 10: a minus alone
--- pipelined_requests eval: ::refused("last-known-id=-")




=== TEST 11: two minuses
--- pipelined_requests eval: ::refused("last-known-id=--1")




=== TEST 12: more than latest
--- pipelined_requests eval: ::refused("last-known-id=latest1")




=== TEST 13: less than latest
--- pipelined_requests eval: ::refused("last-known-id=late")




=== TEST 14: a cursor out of 64 bits
--- pipelined_requests eval: ::refused("last-known-id=18446744073709551616")




=== TEST 15: a cursor far out of 64 bits
--- pipelined_requests eval: ::refused("last-known-id=" . "9" x 300)




=== TEST 16: max-events=0
--- pipelined_requests eval: ::refused("max-events=0")




=== TEST 17: max-events=-1
--- pipelined_requests eval: ::refused("max-events=-1")




=== TEST 18: max-events that is a word
--- pipelined_requests eval: ::refused("max-events=all")




=== TEST 19: an empty max-events
--- pipelined_requests eval: ::refused("max-events=")




=== TEST 20: max-events with something behind it
--- pipelined_requests eval: ::refused("max-events=10.")




=== TEST 21: max-events out of 64 bits
--- pipelined_requests eval: ::refused("max-events=18446744073709551616")




=== TEST 22: 2^64 + 1 is not 1
--- pipelined_requests eval: ::refused("max-events=18446744073709551617")




=== TEST 23: a percent sign with no digits behind it
--- pipelined_requests eval: ::refused("last-known-id=%zz")




=== TEST 24: a plus sign that is not encoded, which is a space
--- pipelined_requests eval: ::refused("last-known-id=+1")
