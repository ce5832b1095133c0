# A channel is a path of letters, digits, "_" and "-", and what nginx makes
# of a URI before it looks for a location is what counts.

use lib "t/lib";
use Test::Nginx::Socket;
use Msgbus::Blocks;

repeat_each(2);

plan tests => repeat_each() * (blocks() * 7 + 32);

# the channel that an answer names
sub channel { $_[0] =~ /\A\{"channel":"([^"]*)"/ ? $1 : $_[0] }

sub alphabet { join "", "/", "a" .. "z", "A" .. "Z", 0 .. 9, "_", "-" }

# posts to one spelling, reads by another, tells the channel
sub same {
    my ($posted, $read) = @_;

    return ["POST $posted\n{}", "GET $read?echo=true&max-events=1"];
}

# neither posted to nor read; the connection lives on
sub refused {
    my ($uri) = @_;

    return ["POST $uri\n{}", "GET $uri?echo=true", "GET /good?echo=true"];
}

# a block is of one kind or the other
Test::Nginx::Util::add_block_preprocessor(sub {
    my ($block) = @_;

    if (defined $block->pipelined_requests) {
        $block->set_value("error_code", [400, 400, 204]);
        $block->set_value("response_body_like",
                          [('\A\{ "message": "[^"]+" \}\z') x 2, '\A\z']);

    } elsif (!defined $block->error_code) {
        $block->set_value("error_code", [201, 200]);
    }
});

defaults(
    http_config           => "msgbus_zone zone=bus:1m;",
    config                => "location / { msgbus bus; }",
    more_headers          => "User-Agent: uuid/w",
    response_body_filters => \&channel,
    no_error_log          => "[error]",
);

no_root_location();
no_long_string();
run_tests();

__DATA__

=== TEST 1: the whole alphabet
--- request eval
::same((::alphabet()) x 2)
--- response_body eval
["", ::alphabet()]




=== TEST 2: case matters
--- request eval
["POST /Case\n{}", "GET /case?echo=true"]
--- error_code eval
[201, 204]




=== TEST 3: a channel of one letter
--- request eval: ::same("/x", "/x")
--- response_body eval: ["", "/x"]




=== TEST 4: a channel that begins with a dash or a digit
--- request eval: ::same("/-/0/_", "/-/0/_")
--- response_body eval: ["", "/-/0/_"]




=== TEST 5: 255 bytes
--- request eval: ::same(("/" . "x" x 254) x 2)
--- response_body eval: ["", "/" . "x" x 254]




=== TEST 6: 256 bytes are too many
--- pipelined_requests eval: ::refused("/" . "x" x 255)




=== TEST 7: 1,000 bytes are too many
--- pipelined_requests eval: ::refused("/x" x 20 . "x" x 960)




=== TEST 8: 32 levels
--- request eval: ::same(("/x" x 32) x 2)
--- response_body eval: ["", "/x" x 32]




=== TEST 9: 33 levels are too many
--- pipelined_requests eval: ::refused("/x" x 33)




=== TEST 10: a slash at the end
--- pipelined_requests eval: ::refused("/a/")




=== TEST 11: two slashes are merged to one
--- request eval: ::same("/m//n", "/m/n")
--- response_body eval: ["", "/m/n"]




=== TEST 12: two slashes at the end are one slash at the end
--- pipelined_requests eval: ::refused("/a//")




=== TEST 13: two slashes where nginx does not merge them
--- config
    merge_slashes off;
    location / { msgbus bus; }
--- pipelined_requests eval: ::refused("/a//b")




=== TEST 14: a dot
--- pipelined_requests eval: ::refused("/a.b")




=== TEST 15: three dots
--- pipelined_requests eval: ::refused("/a/.../b")




=== TEST 16: . and .. are resolved
--- request eval: ::same("/d/x/../y/./z", "/d/y/z")
--- response_body eval: ["", "/d/y/z"]




=== TEST 17: percent-encoded letters are letters
--- request eval: ::same("/%65nc%6Fded", "/encoded")
--- response_body eval: ["", "/encoded"]




=== TEST 18: a percent-encoded slash is a slash
--- request eval: ::same("/s%2Ft", "/s/t")
--- response_body eval: ["", "/s/t"]




=== TEST 19: a percent-encoded percent sign is a bad character
--- pipelined_requests eval: ::refused("/a%2561")




=== TEST 20: percent-encoded dots are resolved
--- request eval: ::same("/p/x/%2e%2e/y", "/p/y")
--- response_body eval: ["", "/p/y"]




=== TEST 21: a colon
--- pipelined_requests eval: ::refused("/a:claim")




=== TEST 22: a tilde
--- pipelined_requests eval: ::refused("/~a")




=== TEST 23: a plus sign
--- pipelined_requests eval: ::refused("/a+b")




=== TEST 24: a space
--- pipelined_requests eval: ::refused("/a%20b")




=== TEST 25: a star
--- pipelined_requests eval: ::refused("/a/*")




=== TEST 26: a quote
--- pipelined_requests eval: ::refused("/a%22b")




=== TEST 27: a backslash
--- pipelined_requests eval: ::refused("/a%5Cb")




=== TEST 28: a line feed
--- pipelined_requests eval: ::refused("/a%0Ab")




=== TEST 29: a DEL
--- pipelined_requests eval: ::refused("/a%7F")




=== TEST 30: UTF-8
--- pipelined_requests eval: ::refused("/caf%C3%A9")




=== TEST 31: UTF-8 that is not escaped
--- pipelined_requests eval: ::refused("/caf\xc3\xa9")




=== TEST 32: an escaped question mark is no query
--- pipelined_requests eval: ::refused("/a%3Fecho=true")




=== TEST 33: a semicolon
--- pipelined_requests eval: ::refused("/a;b=c")




=== TEST 34: channels that begin alike are not the same
--- request eval
["POST /alike\n{}", "GET /alik?echo=true", "GET /alike2?echo=true", "GET /alike/2?echo=true"]
--- error_code eval
[201, 204, 204, 204]
