# Prefer: return=representation shows the poster its event as readers see it.

use lib "t/lib";
use Test::Nginx::Socket;
use Msgbus::Blocks;

repeat_each(2);

plan tests => repeat_each() * (blocks() * 11 + 22);

# an answer to a POST is kept; "same" is a page that has it as its one event
my $shown;

sub compare {
    my ($body) = @_;

    my ($channel, $event) = $body =~ /\A\{"channel":"([^"]+)","events":\[(.*)\]\}\z/s;

    if (!defined $event) {
        $shown = $body;
        return $body =~ /\A\{"id":/ ? "shown" : $body;
    }

    s/"age":\d+,/"age":A,/ for $event, $shown;

    return $event eq $shown ? "the same" : "read: $event\nshown: $shown";
}

our $agent = "User-Agent: Poster/1.0 uuid/w";
our $back = "GET /bus/c?echo=true&sort=-1&max-events=1";

defaults(
    http_config           => "msgbus_zone zone=bus:4m first_id=1; msgbus_jsonp on;",
    config                => "location /bus/ { msgbus bus; }",
    response_body_filters => \&compare,
    more_headers          => "$agent\nPrefer: return=representation",
    no_error_log          => "[error]\n[alert]",
);

own_bus();

no_long_string();
run_tests();

__DATA__

=== TEST 1: the answer is the event, byte for byte as a reader gets it
--- request eval
["POST /bus/c\n{\"n\":1}", $::back]
--- error_code eval
[201, 200]
--- response_headers_like eval
["Preference-Applied: return=representation\nContent-Type: application/json; charset=utf-8\nMsgbus-Id: [12]",
 "Msgbus-Last-Id: [12]"]
--- response_body eval
["shown", "the same"]




=== TEST 2: that is, of this form, with age 0
--- request
POST /bus/c
{"n":1}
--- error_code: 201
--- response_body_filters eval: sub { $_[0] }
--- response_body_like eval
qr{\A\{"id":[12],"user_agent":"Poster/1\.0 uuid/w","created_at":"20\d\d-\d\d-\d\d \d\d:\d\d:\d\dZ","age":0,"data":\{"n":1\}\}\z}




=== TEST 3: white space, escapes and UTF-8 come back as they were
--- request eval
["POST /bus/c\n{ \"a\" :\t\"\\u00e9\xc3\xa9\xe2\x80\xa8\\n\",\r\n\"b\":[ -0.5e+1,{}] }\n", $::back]
--- error_code eval
[201, 200]
--- response_body eval
["shown", "the same"]




=== TEST 4: so does what has to be escaped in a User-Agent
--- more_headers eval: "User-Agent: \"q\" \\ \t \xff\xc3\xa9 uuid/w\nPrefer: return=representation"
--- request eval
["POST /bus/c\n[]", $::back]
--- error_code eval
[201, 200]
--- response_body eval
["shown", "the same"]




=== TEST 5: and a large event, which has gone through a file
--- config
    location /bus/ { msgbus bus; client_body_buffer_size 1k; }
--- request eval
["POST /bus/c\n[\"" . "x" x 300_000 . "\"]", $::back]
--- error_code eval
[201, 200]
--- response_body eval
["shown", "the same"]




=== TEST 6: without the wish there is no body
--- more_headers eval: $::agent
--- request
POST /bus/c
{}
--- error_code: 201
--- response_headers
! Preference-Applied
Content-Length: 0
--- response_body chop




=== TEST 7: it may stand among others, in any case, quoted, and in a header of its own
--- request eval
[("POST /bus/c\n[]") x 8]
--- more_headers eval
[map { "$::agent\n$_" }
     "Prefer: respond-async, return=representation", "Prefer: return=representation, wait=10, return=minimal",
     "Prefer: handling=lenient,return=representation ,priority=5", "prefer: RETURN=Representation",
     "Prefer: respond-async\nPrefer: return=representation", "Prefer: wait=1,\t return=representation",
     "Prefer: return = \"representation\"", "Prefer: x=\"a, b; c\", return=representation; d"]
--- error_code eval
[(201) x 8]
--- response_headers eval
[("Preference-Applied: return=representation") x 8]
--- response_body eval
[("shown") x 8]




=== TEST 8: what only looks like it is passed over, and what comes behind another wish
--- request eval
[("POST /bus/c\n[]") x 8]
--- more_headers eval
[map { "$::agent\n$_" }
     "Prefer: return=minimal, return=representation", "Prefer: return=representations", "Prefer: return", "Prefer:",
     "X-Prefer: return=representation", "Prefer: return:representation",
     "Prefer: x=\"a, return=representation, b\"", "Prefer: x; y=\"\\\", return=representation\""]
--- error_code eval
[(201) x 8]
--- response_headers eval
[("! Preference-Applied") x 8]
--- response_body eval
[("") x 8]




=== TEST 9: when nothing is stored, nothing is shown
--- request eval
["POST /bus/c\n{", "POST /bus/c.d\n{}"]
--- error_code eval
[400, 400]
--- response_headers eval
[("! Preference-Applied") x 2]
--- response_body eval
['{ "message": "Invalid JSON" }', '{ "message": "Invalid channel name" }']




=== TEST 10: a callback is called as without the wish
--- request eval
["POST /bus/c?callback=f\n[]", "GET /bus/c?method=POST&post-data=[]&callback=f"]
--- error_code eval
[200, 200]
--- response_headers eval
[("! Preference-Applied") x 2]
--- response_body eval
[("f({});") x 2]




=== TEST 11: a post by GET without a callback is shown
--- request eval
["GET /bus/c?method=POST&post-data=[1]", $::back]
--- error_code eval
[201, 200]
--- response_headers eval
["Preference-Applied: return=representation", "! Preference-Applied"]
--- response_body eval
["shown", "the same"]




=== TEST 12: a read does not know the wish, and grants the one beside it
--- more_headers
User-Agent: uuid/r
Prefer: return=representation, wait=1
--- request
GET /bus/quiet
--- error_code: 204
--- response_headers
Preference-Applied: wait=1




=== TEST 13: to post does not wait, whatever is preferred
--- more_headers eval: "$::agent\nPrefer: wait=20, return=representation"
--- timeout: 10
--- request
POST /bus/c
[]
--- error_code: 201
--- response_headers
Preference-Applied: return=representation
--- response_body chop
shown
