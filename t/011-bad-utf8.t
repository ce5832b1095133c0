# JSON is UTF-8: other bytes are answered 400, and nothing is stored.

use lib "t/lib";
use Test::Nginx::Socket;
use Msgbus::Blocks;

repeat_each(2);

plan tests => repeat_each() * (blocks() * 6);

sub refused {
    my ($bytes) = @_;

    return ["POST /bus/bad\n[\"$bytes\"]", "GET /bus/bad?echo=true"];
}

defaults(
    http_config   => "msgbus_zone zone=bus:1m;",
    config        => "location /bus/ { msgbus bus; }",
    more_headers  => "User-Agent: uuid/w",
    error_code    => [400, 204],
    response_body => ['{ "message": "Invalid JSON" }', ""],
    no_error_log  => "[error]",
);

no_long_string();
run_tests();

__DATA__

=== TEST 1: a byte that UTF-8 never has
--- pipelined_requests eval: ::refused("a\xffb")




=== TEST 2: Latin-1
--- pipelined_requests eval: ::refused("caf\xe9")




=== TEST 3: a continuation byte alone
--- pipelined_requests eval: ::refused("\x80")




=== TEST 4: one continuation byte too many
--- pipelined_requests eval: ::refused("\xc3\xa9\xa9")




=== TEST 5: two bytes, cut short
--- pipelined_requests eval: ::refused("\xc3")




=== TEST 6: three bytes, cut short
--- pipelined_requests eval: ::refused("\xe2\x82")




=== TEST 7: four bytes, cut short
--- pipelined_requests eval: ::refused("\xf0\x9f\x98")




=== TEST 8: a sequence that the body's end cuts short
--- pipelined_requests eval
["POST /bus/bad\n[\"\xe2\x82", "GET /bus/bad?echo=true"]




=== TEST 9: an overlong slash in two bytes
--- pipelined_requests eval: ::refused("\xc0\xaf")




=== TEST 10: an overlong A in two bytes
--- pipelined_requests eval: ::refused("\xc1\x81")




=== TEST 11: an overlong NUL
--- pipelined_requests eval: ::refused("\xc0\x80")




=== TEST 12: an overlong slash in three bytes
--- pipelined_requests eval: ::refused("\xe0\x80\xaf")




=== TEST 13: the highest overlong form in three bytes
--- pipelined_requests eval: ::refused("\xe0\x9f\xbf")




=== TEST 14: an overlong slash in four bytes
--- pipelined_requests eval: ::refused("\xf0\x80\x80\xaf")




=== TEST 15: the highest overlong form in four bytes
--- pipelined_requests eval: ::refused("\xf0\x8f\xbf\xbf")




=== TEST 16: an encoded high surrogate
--- pipelined_requests eval: ::refused("\xed\xa0\x80")




=== TEST 17: an encoded low surrogate
--- pipelined_requests eval: ::refused("\xed\xbf\xbf")




=== TEST 18: an encoded pair of surrogates (CESU-8)
--- pipelined_requests eval: ::refused("\xed\xa0\xbd\xed\xb8\x80")




=== TEST 19: above U+10FFFF
--- pipelined_requests eval: ::refused("\xf4\x90\x80\x80")




=== TEST 20: a lead byte that is too high
--- pipelined_requests eval: ::refused("\xf5\x80\x80\x80")




=== TEST 21: five bytes
--- pipelined_requests eval: ::refused("\xf8\x88\x80\x80\x80")




=== TEST 22: six bytes
--- pipelined_requests eval: ::refused("\xfc\x84\x80\x80\x80\x80")




=== TEST 23: in a name
--- pipelined_requests eval
["POST /bus/bad\n{\"\xff\":1}", "GET /bus/bad?echo=true"]




=== TEST 24: outside of strings
--- pipelined_requests eval
["POST /bus/bad\n[1,\xff]", "GET /bus/bad?echo=true"]




=== TEST 25: far behind in a long body
--- pipelined_requests eval: ::refused("x" x 20_001 . "\xc3")
