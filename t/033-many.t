# GET /?channels=/a,/b/c,/d/*: several channels and sub-trees as one page, in one
# order, with one cursor.

use lib "t/lib";
use Test::Nginx::Socket;
use Msgbus::Blocks;

repeat_each(2);

plan tests => repeat_each() * 213;

our $i = 0;

# eight events: n is the id
sub family {
    my $n = 0;

    post(map { [$_, '{"n":' . ++$n . '}', $n % 4 ? 'uuid/w' : 'uuid/r'] }
             qw( /bus/a /bus/b/c /bus/d /bus/d/e /bus/de /bus/a /bus/d/e/f /bus/x ));
}

defaults(
    http_config           => "msgbus_zone zone=bus:1m first_id=1; msgbus_jsonp read;
                              msgbus_scope exact parent all many;",
    config                => "location /bus/ { msgbus bus; }",
    init                  => "::family()",
    more_headers          => "User-Agent: uuid/reader",
    response_body_filters => \&numbers,
    no_error_log          => "[error]",
);

own_bus();

no_long_string();
run_tests();

__DATA__

=== TEST 1: several channels are one page, in the order of ids
--- request eval
["GET /bus/?channels=/a,/b/c,/x", "GET /bus/?channels=/x,/b/c,/a"]
--- response_body eval
["1 2 6 8", "1 2 6 8"]




=== TEST 2: a star is for all below, and for the channel itself
--- request eval
["GET /bus/?channels=/d/*", "GET /bus/?channels=/d/*,/b/c", "GET /bus/?channels=/d,/b/c",
 "GET /bus/?channels=/d/e/*,/de"]
--- response_body eval
["3 4 7", "2 3 4 7", "2 3", "4 5 7"]




=== TEST 3: one of them is enough, and one that nobody has written to may be among them
--- request eval
["GET /bus/?channels=/a", "GET /bus/?channels=/nobody,/a,/no/*"]
--- response_body eval
["1 6", "1 6"]




=== TEST 4: what is named twice comes once
--- request eval
["GET /bus/?channels=/a,/a", "GET /bus/?channels=/d,/d/*", "GET /bus/?channels=/d/*,/d/e,/d/e/*,/d/e/f,/d/*",
 "GET /bus/?channels=/de,/d/e,/d/*,/d"]
--- response_body eval
["1 6", "3 4 7", "3 4 7", "3 4 5 7"]




=== TEST 5: the star alone is the whole bus
--- request eval
["GET /bus/?channels=/*", "GET /bus/?channels=/a,/*"]
--- response_body eval
["1 2 3 4 5 6 7 8", "1 2 3 4 5 6 7 8"]




=== TEST 6: each event says its channel; the page is the root's
--- request
GET /bus/?channels=/d/*,/a&max-events=3
--- response_body_filters eval
sub { $_[0] =~ s/"user_agent.*?"age":\d+,//gr }
--- response_body chop
{"channel":"/","events":[{"id":1,"data":{"n":1},"channel":"/a"},{"id":3,"data":{"n":3},"channel":"/d"},{"id":4,"data":{"n":4},"channel":"/d/e"}]}
--- response_headers
Msgbus-Last-Id: 4
Content-Type: application/json; charset=utf-8




=== TEST 7: it may be encoded; of two the last counts
--- request eval
["GET /bus/?channels=%2Fa%2C%2Fd%2F%2A", "GET /bus/?channels=/a&channels=/x"]
--- response_body eval
["1 3 4 6 7", "8"]




=== TEST 8: cut as a whole, with one cursor
--- request eval
["GET /bus/?channels=/a,/b/c,/d/*&max-events=2", "GET /bus/?channels=/a,/b/c,/d/*&max-events=2&last-known-id=2",
 "GET /bus/?channels=/a,/b/c,/d/*&max-events=2&last-known-id=4", "GET /bus/?channels=/a,/b/c,/d/*&last-known-id=7"]
--- error_code eval
[200, 200, 200, 204]
--- response_body eval
["1 2", "3 4", "6 7", ""]
--- response_headers eval
["Msgbus-Last-Id: 2", "Msgbus-Last-Id: 4", "Msgbus-Last-Id: 8", "Msgbus-Last-Id: 8"]




=== TEST 9: the newest first
--- request eval
["GET /bus/?channels=/a,/d/*&sort=-1", "GET /bus/?channels=/a,/d/*&sort=-1&max-events=2", "GET /bus/?channels=/a,/d/*&sort=-1&last-known-id=3"]
--- response_body eval
["7 6 4 3 1", "7 6", "7 6 4"]
--- response_headers eval
[("Msgbus-Last-Id: 8") x 3]




=== TEST 10: the caller's own are hidden, but by echo
--- more_headers
User-Agent: uuid/r
--- request eval
["GET /bus/?channels=/d/*,/x", "GET /bus/?channels=/d/*,/x&echo=true"]
--- response_body eval
["3 7", "3 4 7 8"]




=== TEST 11: what events= says does not count
--- request eval
["GET /bus/?channels=/d&events=all", "GET /bus/?channels=/d/e&events=parent", "GET /bus/?events=exact&channels=/d/*"]
--- response_body eval
["3", "4", "3 4 7"]




=== TEST 12: a page stops at its bytes
--- config
    location /bus/ { msgbus bus; msgbus_max_response 1; }
--- request eval
["GET /bus/?channels=/a,/d/*", "GET /bus/?channels=/a,/d/*&last-known-id=1"]
--- response_body eval
["1", "3"]
--- response_headers eval
["Msgbus-Last-Id: 1", "Msgbus-Last-Id: 3"]




=== TEST 13: HEAD has the headers, no event is 204
--- request eval
["HEAD /bus/?echo=true&channels=/a,/d/*", "HEAD /bus/?channels=/nobody", "GET /bus/?channels=/nobody,/no/*"]
--- error_code eval
[200, 204, 204]
--- response_body eval
["", "", ""]
--- response_headers eval
["ETag: W/\"1-7-5\"\nMsgbus-Last-Id: 8", "Msgbus-Last-Id: 8", "Msgbus-Last-Id: 8"]




=== TEST 14: who has it gets 304
--- more_headers
User-Agent: uuid/reader
If-None-Match: W/"1-6-2"
--- request eval
["GET /bus/?echo=true&channels=/a", "GET /bus/?echo=true&channels=/a,/b/c"]
--- error_code eval
[304, 200]
--- response_body eval
["", "1 2 6"]




=== TEST 15: JSONP
--- request eval
["GET /bus/?channels=/x,/b/c&callback=f", "GET /bus/?channels=/nobody&callback=f"]
--- response_body_like eval
[qr/\Af\(\{"channel":"\/","events":\[\{"id":2,.*"channel":"\/b\/c"\},\{"id":8,.*"channel":"\/x"\}\]\}\);\z/,
 qr/\Af\(\{"channel":"\/","events":\[\]\}\);\z/]




=== TEST 16: 32 of them
--- request eval
["GET /bus/?channels=" . CORE::join(',', '/a', map { "/c$_" } 2 .. 32), "GET /bus/?channels=" . CORE::join(',', '/a', map { "/c$_" } 2 .. 33)]
--- error_code eval
[200, 400]
--- response_body eval
["1 6", '{ "message": "Too many channels" }']




=== TEST 17: a name that is none, or no name at all
--- request eval
[map { "GET /bus/?channels=$_" } '', '/', 'a', '/a,', ',/a', '/a,,/b', '/a/', '/a%20b', '/a*', '/*/a', '*', '/a/**', '/%C3%A4', '/a+',
                                       '/a%', '/a%2', '/a%zz', '/a,/b%2/c', '%2', '/a,%']
--- error_code eval
[(400) x 20]
--- response_body eval
[('{ "message": "Invalid channel name in channels=" }') x 20]




=== TEST 18: it is asked at the root; of a path it is no channel's
--- request eval
["GET /bus/a?channels=/b/c", "GET /bus/?channels=/a"]
--- error_code eval
[400, 200]
--- response_body eval
['{ "message": "channels= needs the root of the bus" }', "1 6"]




=== TEST 19: a channel that is named by 255 bytes, of 32 levels
--- request eval
["GET /bus/?channels=/a,/" . 'y' x 254, "GET /bus/?channels=/a,/" . 'y' x 255, "GET /bus/?channels=/a," . '/y' x 32 . '/*', "GET /bus/?channels=" . '/y' x 33]
--- error_code eval
[200, 400, 200, 400]
--- response_body_like eval
['\A1 6\z', 'Invalid', '\A1 6\z', 'Invalid']
