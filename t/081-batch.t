# A batch: one POST of application/x-ndjson, an event a line.

use lib "t/lib";
use Test::Nginx::Socket;
use Msgbus::Blocks;

repeat_each(2);

plan tests => repeat_each() * (blocks() * 12 + 5);

# ids as they follow each other: the first is i
sub ids_from_i {
    my ($body) = @_;

    my ($first) = $body =~ /\A\{"ids":\[(\d+)/ or return numbers($body);

    $body =~ s/(\d+)/$1 == $first ? "i" : "i+" . ($1 - $first)/ge;
    return $body;
}

# the events in an answer by their data alone
sub data {
    my ($body) = @_;

    return $body if $body !~ /^\{"channel":/;
    return join " ", $body =~ /"data":(.*?)\}(?=,\{"id":|\]\}\z)/gs;
}

# a batch of n events, and what is newest of it
sub lines { join "\n", map { "{\"n\":$_}" } 1 .. $_[0] }
sub newest { "GET /bus/$_[0]?echo=true&sort=-1&max-events=$_[1]" }

# nobody has posted there with success
sub nothing { "GET /bus/none?echo=true" }

our $agent = "User-Agent: uuid/w";
our $ndjson = "$agent\nContent-Type: application/x-ndjson";

defaults(
    http_config           => "msgbus_zone zone=bus:8m first_id=1; msgbus_jsonp on; msgbus_require_uuid on;",
    config                => "location /bus/ { msgbus bus; }",
    more_headers          => $ndjson,
    response_body_filters => \&ids_from_i,
    no_error_log          => "[error]\n[alert]",
);

own_bus();

no_long_string();
run_tests();

__DATA__

=== TEST 1: each line is an event, and the answer has their ids
--- request eval
["POST /bus/c\n{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n", ::newest("c", 3)]
--- error_code eval
[201, 200]
--- response_headers_like eval
["Msgbus-Id: [36]\nContent-Type: application/json; charset=utf-8", "Msgbus-Last-Id: [36]"]
--- response_body eval
['{"ids":[i,i+1,i+2]}', "3 2 1"]




=== TEST 2: a line is kept byte for byte, but for its end
--- request eval
["POST /bus/c\n[\"\\n\",\t2]\n { \"a\" :1} \n{\"b\":\"\xc3\xa9\"}", ::newest("c", 3)]
--- error_code eval
[201, 200]
--- response_body_filters eval: \&::data
--- response_body_like eval
['\A\{"ids":\[\d+,\d+,\d+\]\}\z',
 qr/\A\{"b":"\xc3\xa9"\}  \{ "a" :1\}  \["\\n",\t2\]\z/]




=== TEST 3: lines may end with CR LF, and the last need not end
--- request eval
["POST /bus/c\n{\"n\":1}\r\n{\"n\":2}\r\n{\"n\":3}", "GET /bus/c?echo=true&sort=-1&max-events=3"]
--- error_code eval
[201, 200]
--- response_body_filters eval: \&::data
--- response_body_like eval
['\A\{"ids":\[\d+,\d+,\d+\]\}\z', '\A\{"n":3\} \{"n":2\} \{"n":1\}\z']




=== TEST 4: empty lines are skipped
--- request eval
["POST /bus/c\n\n\r\n{\"n\":1}\n\n\n{\"n\":2}\n\r\n\n", ::newest("c", 2)]
--- error_code eval
[201, 200]
--- response_body eval
['{"ids":[i,i+1]}', "2 1"]




=== TEST 5: a batch may be one event
--- request eval
["POST /bus/c\n{\"n\":1}", "POST /bus/c\n{\"n\":2}\n"]
--- error_code eval
[201, 201]
--- response_body eval
['{"ids":[i]}', '{"ids":[i]}']




=== TEST 6: a bad line is named by its number, empty ones counted, and nothing is stored
--- request eval
["POST /bus/none\n{\"n\":1}\n\r\n{\"n\":2}\n{\"n\":}\n{\"n\":4}\n", ::nothing()]
--- error_code eval
[400, 204]
--- response_headers eval
["Content-Type: application/json; charset=utf-8\n! Msgbus-Id", "Msgbus-Last-Id: 0"]
--- response_body eval
['{ "message": "Invalid JSON in line 4" }', ""]




=== TEST 7: whatever is bad about it, and wherever it is
--- request eval
[map({ "POST /bus/none\n$_" }
     "{\n{}\n", "[1]\n[2]\n[3", "[1]\n[2] [3]\n", "[1]\n \n[3]\n", "[1]\n\"a\"\n",
     "[\"\xff\"]\n[]", "[1,\n2]", "[]\r[]\n", "\xef\xbb\xbf{}\n"), ::nothing()]
--- error_code eval
[(400) x 9, 204]
--- response_body eval
[map({ qq({ "message": "Invalid JSON in line $_" }) } 1, 3, 2, 2, 2, 1, 1, 1, 1), ""]




=== TEST 8: a carriage return is white space of JSON, but in a string
--- request eval
["POST /bus/c\n[1,\r2]\r\n", "POST /bus/none\n[\"\r\"]\n", ::nothing()]
--- error_code eval
[201, 400, 204]




=== TEST 9: a line that is nested too deep
--- config
    location /bus/ { msgbus bus; msgbus_max_depth 2; }
--- request eval
["POST /bus/none\n[]\n[[]]\n[[[]]]\n", ::nothing()]
--- error_code eval
[400, 204]
--- response_body eval
['{ "message": "JSON is nested too deep in line 3" }', ""]




=== TEST 10: a batch has an event
--- request eval
["POST /bus/none\n", "POST /bus/none\n\n", "POST /bus/none\n\r\n\n\r\n", ::nothing()]
--- error_code eval
[400, 400, 400, 204]
--- response_body eval
[('{ "message": "No event in the batch" }') x 3, ""]




=== TEST 11: 1,000 events
--- request eval
["POST /bus/c\n" . ::lines(1000), ::newest("c", 500)]
--- error_code eval
[201, 200]
--- response_headers_like eval
["Msgbus-Id: [12]000", "Msgbus-Last-Id: [12]000"]
--- response_body eval
['{"ids":[i' . CORE::join('', map { ",i+$_" } 1 .. 999) . ']}', ::row(1000, 501)]




=== TEST 12: and no more
--- request eval
["POST /bus/none\n" . ::lines(1001), ::nothing()]
--- error_code eval
[413, 204]
--- response_body eval
['{ "message": "Request Entity Too Large" }', ""]




=== TEST 13: 1,000 are counted without the empty lines
--- request eval
["POST /bus/c\n" . "{}\n\n" x 1000]
--- error_code eval
[201]
--- response_body_like eval
['\A\{"ids":\[(?:[^,]+,){999}[^,]+\]\}\z']




=== TEST 14: a line that is larger than an event may be
--- http_config
    msgbus_zone zone=bus:1m max_event_size=1k;
    msgbus_jsonp on;
    msgbus_require_uuid on;
--- request eval
["POST /bus/none\n{}\n[\"" . "x" x 1021 . "\"]\n", "POST /bus/c\n" . ("[\"" . "x" x 1020 . "\"]\n") x 5,
 ::nothing()]
--- error_code eval
[413, 201, 204]
--- response_body eval
['{ "message": "Request Entity Too Large" }', '{"ids":[i,i+1,i+2,i+3,i+4]}', ""]




=== TEST 15: a batch that is too large as a whole
--- config
    location /bus/ { msgbus bus; client_max_body_size 1k; }
--- no_error_log
[alert]
--- request eval
["POST /bus/none\n" . "[1]\n" x 257, "POST /bus/c\n" . "[1]\n" x 256, ::nothing()]
--- error_code eval
[413, 201, 204]




=== TEST 16: the type counts in any case and with parameters
--- request eval
[("POST /bus/c\n[1]\n[2]\n") x 5]
--- more_headers eval
[map { "$::agent\nContent-Type: $_" }
     "Application/X-NDJSON", "application/x-ndjson;charset=utf-8", "application/x-ndjson; charset=utf-8",
     "application/x-ndjson ; x=y", "APPLICATION/X-NDJSON;"]
--- error_code eval
[(201) x 5]
--- response_body eval
[('{"ids":[i,i+1]}') x 5]




=== TEST 17: with any other type, and with none, the body is one event
--- request eval
[("POST /bus/c\n[1,\n2]\n") x 6, ("POST /bus/none\n[1]\n[2]\n") x 6, ::nothing()]
--- more_headers eval
[map({ "$::agent\n$_" } ("X-Type: none", map { "Content-Type: $_" }
     "application/json", "application/ndjson", "application/x-ndjsonp", "x-application/x-ndjson",
     "text/plain, application/x-ndjson") x 2), $::agent]
--- error_code eval
[(201) x 6, (400) x 6, 204]
--- response_body eval
[("") x 6, ('{ "message": "Invalid JSON" }') x 6, ""]




=== TEST 18: who posts it must say who it is
--- more_headers
User-Agent: nobody
Content-Type: application/x-ndjson
--- request eval
["POST /bus/none\n{}\n{}\n", "GET /bus/none?echo=true"]
--- error_code eval
[400, 204]
--- response_body eval
['{ "message": "Missing UUID in User-Agent header" }', ""]




=== TEST 19: and does not see any of its events
--- request eval
["POST /bus/c\n[1]\n[2]\n", "GET /bus/c"]
--- error_code eval
[201, 204]




=== TEST 20: with a callback it is called as for one event
--- request eval
["POST /bus/c?callback=f\n{\"n\":1}\n{\"n\":2}\n", ::newest("c", 2),
 "POST /bus/none?callback=f\n{}\n{\n", "POST /bus/none?callback=a.b\n{}\n", ::nothing()]
--- error_code eval
[200, 200, 400, 400, 204]
--- response_headers_like eval
["Content-Type: text/javascript; charset=utf-8\nX-Content-Type-Options: nosniff\nMsgbus-Id: [24]",
 ("Content-Type: application/json; charset=utf-8") x 3, ""]
--- response_body eval
['f({});', '2 1', '{ "message": "Invalid JSON in line 2" }', '{ "message": "Invalid callback name" }', ""]




=== TEST 21: return=representation is no wish that a batch knows
--- more_headers eval: "$::ndjson\nPrefer: return=representation"
--- request
POST /bus/c
[1]
--- error_code: 201
--- response_headers
! Preference-Applied
--- response_body chop
{"ids":[i]}




=== TEST 22: a body that has gone through a file
--- config
    location /bus/ { msgbus bus; client_body_buffer_size 1k; }
--- request eval
["POST /bus/c\n" . ::lines(900), ::newest("c", 500)]
--- error_code eval
[201, 200]
--- response_body eval
['{"ids":[i' . CORE::join('', map { ",i+$_" } 1 .. 899) . ']}', ::row(900, 401)]




=== TEST 23: chunks may end anywhere
--- request eval
["POST /bus/c\n" . CORE::join("", map { sprintf "%x\r\n%s\r\n", length $_, $_ } ::lines(500) =~ /(.{1,7})/gs)
 . "0\r\n\r\n", ::newest("c", 500)]
--- more_headers eval
["$::ndjson\nTransfer-Encoding: chunked", $::agent]
--- error_code eval
[201, 200]
--- response_body eval
['{"ids":[i' . CORE::join('', map { ",i+$_" } 1 .. 499) . ']}', ::row(500, 1)]




=== TEST 24: a batch for which the bus has no room
--- http_config
    msgbus_zone zone=bus:1m max_events=3 full=reject first_id=1;
    msgbus_jsonp on;
    msgbus_require_uuid on;
--- init
::post(map { ["/bus/c", "[]"] } 1 .. 3)
--- request eval
["POST /bus/c\n[1]\n[2]\n", ::nothing()]
--- no_error_log
[alert]
--- error_code eval
[507, 204]
--- response_body eval
['{ "message": "No room for events" }', ""]




=== TEST 25: or no room for all of it: the one error after which something is stored
--- http_config
    msgbus_zone zone=bus:1m max_events=5 full=reject first_id=1;
    msgbus_jsonp on;
    msgbus_require_uuid on;
--- init
::post(["/bus/c", "[]"], ["/bus/c", "[]"])
--- request eval
["POST /bus/c\n[1]\n[2]\n[3]\n[4]\n", "GET /bus/c?echo=true"]
--- no_error_log
[alert]
--- response_body_filters eval: sub { $_[0] }
--- error_code_like eval
["503|507", "200"]
--- response_headers_like eval
["Content-Type: application/json; charset=utf-8", "Msgbus-Last-Id: 5"]
--- response_body_like eval
['\A\{ "message": "(?:Only the first 3 events were stored", "ids": \[\d+,\d+,\d+\]|No room for events") \}\z',
 '"data":\[3\]\}\]\}\z']




=== TEST 26: a GET is a read, whatever its type
--- request
GET /bus/quiet?echo=true
--- error_code: 204




=== TEST 27: several on one connection
--- pipelined_requests eval
["POST /bus/c\n[1]\n[2]\n", "POST /bus/c\n[1\n", "POST /bus/c\n[3]\n[4]"]
--- error_code eval
[201, 400, 201]
--- response_body eval
['{"ids":[i,i+1]}', '{ "message": "Invalid JSON in line 1" }', '{"ids":[i,i+1]}']
