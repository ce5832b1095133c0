# JSONP: an answer is a call of a function that the page has named, and a page
# can post by GET.

use lib "t/lib";
use Test::Nginx::Socket;
use Msgbus::Blocks;

repeat_each(2);

plan tests => repeat_each() * (blocks() * 14 - 11);

our $json = qr/\{"id":\d+,"user_agent":"uuid\/w","created_at":"[^"]{20}","age":\d+,"data":/;

# a call of f with the answer to a read of /c, each event by its data alone
sub call {
    my ($body) = @_;

    $body =~ s/$json//g;
    return $body;
}

# the last thing that was posted to the channel
sub data { $_[0] =~ /"data":(.*)\}\]\}/s ? $1 : $_[0] }

# somebody posts in a moment, while a reader waits
sub later {
    my @events = @_;

    defined(my $pid = fork) or die "fork: $!";

    return if $pid;

    # whatever happens, this is no second run of the tests

    select undef, undef, undef, 0.5;
    eval { post(@events) };
    POSIX::_exit(0);
}

# nobody has ever posted there
sub nothing { ("GET /bus/quiet?echo=true") x ($_[0] || 1) }

defaults(
    http_config  => "msgbus_zone zone=bus:4m first_id=1; msgbus_jsonp on; msgbus_require_uuid on;",
    config       => "location /bus/ { msgbus bus; }",
    more_headers => "User-Agent: uuid/r",
    no_error_log => "[error]\n[alert]",
);

own_bus();

no_long_string();
run_tests();

__DATA__

=== TEST 1: a read is answered as a call of the callback
--- init
::post(["/bus/c", '{"n":1}', "uuid/w"], ["/bus/c", '[2]', "uuid/w"])
--- request
GET /bus/c?callback=f
--- response_headers
Content-Type: text/javascript; charset=utf-8
X-Content-Type-Options: nosniff
Msgbus-Last-Id: 2
Cache-Control: private, no-cache
Vary: Accept, User-Agent
--- response_body_filters eval: \&::call
--- response_body chop
f({"channel":"/c","events":[{"n":1}},[2]}]});




=== TEST 2: all but the call around it is as without
--- init
::post(["/bus/c", '{"n":1}', "uuid/w"], ["/bus/c", '[2]', "uuid/w"])
--- request eval
["GET /bus/c?max-events=1", "GET /bus/c?max-events=1&callback=f"]
--- error_code eval
[200, 200]
--- response_headers_like eval
["Msgbus-Last-Id: 1\nETag: W/\".+\"", "Msgbus-Last-Id: 1\nETag: W/\".+\""]
--- response_body_like eval
['\A\{"channel":"/c","events":\[' . $::json . '\{"n":1\}\}\]\}\z',
 '\Af\(\{"channel":"/c","events":\[' . $::json . '\{"n":1\}\}\]\}\);\z']




=== TEST 3: where there are no events it is called all the same
--- request
GET /bus/quiet?callback=f
--- response_headers
Content-Type: text/javascript; charset=utf-8
X-Content-Type-Options: nosniff
Msgbus-Last-Id: 0
Content-Length: 36
--- response_body chop
f({"channel":"/quiet","events":[]});




=== TEST 4: a gap is told
--- init
::post(["/bus/c", '{"n":1}', "uuid/w"])
--- request
GET /bus/c?last-known-id=1000&callback=f
--- response_headers
Msgbus-Gap: true
Msgbus-Last-Id: 1
--- response_body chop
f({"channel":"/c","events":[]});




=== TEST 5: a wait that ends in vain
--- request
GET /bus/quiet?callback=f&wait=1
--- response_headers
Content-Type: text/javascript; charset=utf-8
--- response_body chop
f({"channel":"/quiet","events":[]});




=== TEST 6: a wait that an event ends
--- init
::later(["/bus/c", '{"n":1}', "uuid/w"])
--- request
GET /bus/c?callback=f&wait=5
--- response_headers
Content-Type: text/javascript; charset=utf-8
X-Content-Type-Options: nosniff
Msgbus-Last-Id: 1
--- response_body_filters eval: \&::call
--- response_body chop
f({"channel":"/c","events":[{"n":1}}]});




=== TEST 7: a page posts by GET
--- request eval
["GET /bus/c?method=POST&post-data=%7B%22n%22%3A1%7D&callback=f",
 "GET /bus/c?echo=true&sort=-1&max-events=1"]
--- error_code eval
[200, 200]
--- response_headers_like eval
["Content-Type: text/javascript; charset=utf-8\nX-Content-Type-Options: nosniff\nMsgbus-Id: [12]",
 "Content-Type: application/json; charset=utf-8"]
--- response_body_filters eval: \&::data
--- response_body eval
['f({});', '{"n":1}']




=== TEST 8: a plus in post-data is a space, one that is encoded is a plus
--- request eval
["GET /bus/c?method=POST&post-data=%7B%22t%22%3A+%22a+b%2Bc%26d%3De%25%22%7D&callback=f",
 "GET /bus/c?echo=true&sort=-1&max-events=1"]
--- error_code eval
[200, 200]
--- response_body_filters eval: \&::data
--- response_body eval
['f({});', '{"t": "a b+c&d=e%"}']




=== TEST 9: post-data may stand there as it is, too, and be UTF-8
--- request eval
["GET /bus/c?post-data={\"t\":\"\xc3\xa9%e2%82%AC\"}&callback=f&method=POST",
 "GET /bus/c?echo=true&sort=-1&max-events=1"]
--- error_code eval
[200, 200]
--- response_body_filters eval: \&::data
--- response_body eval
['f({});', "{\"t\":\"\xc3\xa9\xe2\x82\xac\"}"]




=== TEST 10: a percent sign that begins nothing is one
--- request eval
["GET /bus/c?method=POST&post-data={\"t\":\"50%off%2\"}&callback=f",
 "GET /bus/c?echo=true&sort=-1&max-events=1"]
--- error_code eval
[200, 200]
--- response_body_filters eval: \&::data
--- response_body eval
['f({});', '{"t":"50%off%2"}']




=== TEST 11: without a callback the answer is that of a POST
--- request
GET /bus/c?method=POST&post-data={}
--- error_code: 201
--- response_headers_like
Msgbus-Id: [12]
Content-Length: 0
--- response_body chop




=== TEST 12: a POST is answered by a call, too
--- request eval
["POST /bus/c?callback=f\n{\"n\":1}", "GET /bus/c?echo=true&sort=-1&max-events=1"]
--- error_code eval
[200, 200]
--- response_headers_like eval
["Content-Type: text/javascript; charset=utf-8\nX-Content-Type-Options: nosniff\nMsgbus-Id: [12]", ""]
--- response_body_filters eval: \&::data
--- response_body eval
['f({});', '{"n":1}']




=== TEST 13: of a POST the body counts, not post-data and method
--- request eval
["POST /bus/c?callback=f&method=GET&post-data=[2]\n[1]", "GET /bus/c?echo=true&sort=-1&max-events=1"]
--- error_code eval
[200, 200]
--- response_body_filters eval: \&::data
--- response_body eval
['f({});', '[1]']




=== TEST 14: a post by GET needs something to post
--- request eval
["GET /bus/quiet?method=POST&callback=f", "GET /bus/quiet?method=POST&callback=f&post-data",
 "GET /bus/quiet?method=POST&callback=f&post-data=", ::nothing()]
--- error_code eval
[400, 400, 400, 204]
--- response_body eval
['{ "message": "Missing parameter: post-data" }',
 ('{ "message": "Invalid JSON" }') x 2, '']




=== TEST 15: which is checked as the body of a POST is
--- request eval
[map({ "GET /bus/quiet?method=POST&callback=f&post-data=$_" }
     '1', '{"n":1}{}', '{"n":%ff}', '["%ff"]', '["%00"]', '["%0a"]', '[1,]'), ::nothing()]
--- error_code eval
[(400) x 7, 204]
--- response_body eval
[('{ "message": "Invalid JSON" }') x 7, '']




=== TEST 16: and is no larger
--- http_config
    msgbus_zone zone=bus:1m max_event_size=1k;
    msgbus_jsonp on;
    msgbus_require_uuid on;
--- request eval
["GET /bus/quiet?method=POST&callback=f&post-data=[" . "1," x 600 . "1]", ::nothing()]
--- error_code eval
[413, 204]
--- response_body eval
['{ "message": "Request Entity Too Large" }', '']




=== TEST 17: nor nested deeper
--- config
    location /bus/ { msgbus bus; msgbus_max_depth 2; }
--- request eval
["GET /bus/quiet?method=POST&callback=f&post-data=[[[]]]", ::nothing()]
--- error_code eval
[400, 204]
--- response_body eval
['{ "message": "JSON is nested too deep" }', '']




=== TEST 18: a callback's name is letters, digits and _, up to 255 of them
--- request eval
[map { "GET /bus/quiet?callback=$_" } "f", "F_9", "_", "9", "%66", "a" x 255]
--- error_code eval
[(200) x 6]
--- response_body eval
[map { $_ . '({"channel":"/quiet","events":[]});' } "f", "F_9", "_", "9", "f", "a" x 255]




=== TEST 19: any other name is refused
--- request eval
[map { "GET /bus/quiet?callback$_" }
     "=" . "a" x 256, "=", "", "=a.b", "=a%2Eb", "=a-b", "=a+b", "=a%20b", "=a[0]", "=a()",
     "=alert(1)//", "=%00", "=a%00", "=a%0A", "=a%0d%0aX:y", "=\xc3\xa9", "=%C3%A9", "=a\$", "=%", "=a;"]
--- error_code eval
[(400) x 20]
--- response_headers eval
[("Content-Type: application/json; charset=utf-8") x 20]
--- response_body eval
[('{ "message": "Invalid callback name" }') x 20]




=== TEST 20: before anything is stored
--- request eval
["POST /bus/quiet?callback=a.b\n{}", "GET /bus/quiet?method=POST&post-data={}&callback=a.b",
 "GET /bus/quiet?method=POST&post-data={}&callback=", "POST /bus/quiet?callback=" . "a" x 256 . "\n{}",
 ::nothing()]
--- error_code eval
[400, 400, 400, 400, 204]
--- response_body eval
[('{ "message": "Invalid callback name" }') x 4, ""]




=== TEST 21: of two callbacks the last counts
--- request eval
["GET /bus/quiet?callback=a.b&callback=f", "GET /bus/quiet?callback=f&callback=a.b"]
--- error_code eval
[200, 400]
--- response_body eval
['f({"channel":"/quiet","events":[]});', '{ "message": "Invalid callback name" }']




=== TEST 22: errors are not wrapped
--- request eval
["GET /bus/c?callback=f&max-events=0", "GET /bus/c.d?callback=f", "POST /bus/c?callback=f\n{",
 "PUT /bus/c?callback=f\n{}", "GET /bus/c?callback=f&wait=1&sort=-1",
 "GET /bus/?callback=f&method=POST&post-data={}"]
--- error_code eval
[400, 400, 400, 405, 400, 400]
--- response_headers eval
[("Content-Type: application/json; charset=utf-8\n! X-Content-Type-Options") x 6]
--- response_body eval
[map { qq({ "message": "$_" }) } "Invalid max-events", "Invalid channel name", "Invalid JSON",
 "Method Not Allowed", "To wait needs sort=1", "Invalid channel name"]




=== TEST 23: U+2028 and U+2029, which end a line of JavaScript, are escaped
--- init
::post(["/bus/c", qq(["\xe2\x80\xa8 \xe2\x80\xa9"])])
--- request eval
["GET /bus/c?callback=f", "GET /bus/c"]
--- error_code eval
[200, 200]
--- response_body_filters eval: \&::data
--- response_body eval
['["\u2028 \u2029"]', qq(["\xe2\x80\xa8 \xe2\x80\xa9"])]




=== TEST 24: what is beside them is not
--- init
::post(["/bus/c", qq(["\xe2\x80\xa7\xe2\x80\xaa\xe2\x81\xa8\xe2\x82\xac\xc3\xa2"])])
--- request eval
["GET /bus/c?callback=f", "GET /bus/c"]
--- error_code eval
[200, 200]
--- response_body_filters eval: \&::data
--- response_body eval
[(qq(["\xe2\x80\xa7\xe2\x80\xaa\xe2\x81\xa8\xe2\x82\xac\xc3\xa2"])) x 2]




=== TEST 25: they are escaped in the poster's User-Agent as well
--- init
::post(["/bus/c", '[]', qq(\xe2\x80\xa8\xe2\x80\xa9 uuid/w)])
--- request
GET /bus/c?callback=f
--- response_body_like: "user_agent":"\\u2028\\u2029 uuid/w"




=== TEST 26: and all over a long page
--- init
my $x = "\xe2\x80\xa8" x 3000; ::post(map { ["/bus/c", qq(["$x"])] } 1 .. 60)
--- request
GET /bus/c?callback=f
--- response_body_filters eval
sub {
    my ($body) = @_;

    my $escaped = () = $body =~ /\\u2028/g;
    my $raw = () = $body =~ /\xe2/g;

    $body =~ s/"data":\["(?:\\u2028){3000}"\]//g;
    length $body < 100 * 60 ? "$escaped escaped, $raw not" : $body
}
--- response_body chop
180000 escaped, 0 not




=== TEST 27: who posts must say who it is, as for any post
--- request eval
["GET /bus/quiet?method=POST&post-data={}&callback=f", "POST /bus/quiet?callback=f\n{}", ::nothing()]
--- more_headers
User-Agent: browser/1.0
--- error_code eval
[400, 400, 204]
--- response_body eval
[('{ "message": "Missing UUID in User-Agent header" }') x 2, ""]




=== TEST 28: and have a User-Agent
--- request eval
["GET /bus/quiet?method=POST&post-data={}&callback=f", ::nothing()]
--- more_headers eval
["X-Nobody: true", "X-Nobody: true"]
--- error_code eval
[400, 204]
--- response_body eval
['{ "message": "Missing header: User-Agent" }', ""]




=== TEST 29: where no uuid is asked for, it need not
--- config
    location /bus/ { msgbus bus; msgbus_require_uuid off; }
--- request eval
["GET /bus/c?method=POST&post-data=[1]&callback=f", "GET /bus/c?sort=-1&max-events=1&callback=f"]
--- more_headers
User-Agent: browser/1.0
--- error_code eval
[200, 200]
--- response_body_filters eval: \&::data
--- response_body eval
['f({});', '[1]']




=== TEST 30: a reader does not see what it has posted by GET
--- request eval
["GET /bus/c?method=POST&post-data=[1]&callback=f", "GET /bus/c?callback=f",
 "GET /bus/c?callback=f&echo=true&sort=-1&max-events=1"]
--- error_code eval
[200, 200, 200]
--- response_body_filters eval: \&::data
--- response_body eval
['f({});', 'f({"channel":"/c","events":[]});', '[1]']




=== TEST 31: any other method by GET is a read
--- request eval
[map({ "GET /bus/quiet?method=$_&post-data={}&echo=true" } "post", "", "GET", "DELETE", "PUT", "POSTX"), "GET /bus/quiet?post-data={}&echo=true"]
--- error_code eval
[(204) x 7]




=== TEST 32: HEAD posts nothing
--- request eval
["HEAD /bus/quiet?method=POST&post-data={}&callback=f", ::nothing()]
--- error_code eval
[200, 204]




=== TEST 33: HEAD has the headers of the call
--- request
HEAD /bus/quiet?callback=f
--- response_headers
Content-Type: text/javascript; charset=utf-8
X-Content-Type-Options: nosniff
Content-Length: 36
Msgbus-Last-Id: 0
--- response_body eval: ""




=== TEST 34: health knows no callback
--- request
GET /bus/health?callback=a.b&method=POST&post-data={}
--- response_headers
Content-Type: text/plain
! X-Content-Type-Options
--- response_body
OK




=== TEST 35: where nobody may post, nobody may by GET
--- config
    location /bus/ { msgbus bus; msgbus_methods read; }
--- request eval
["GET /bus/quiet?method=POST&post-data={}&callback=f", ::nothing()]
--- error_code eval
[405, 204]
--- response_headers eval
["Allow: GET, HEAD, OPTIONS", "! Allow"]




=== TEST 36: where nobody may read, a page can still post
--- config
    location /bus/ { msgbus bus; msgbus_methods publish; }
--- request eval
["GET /bus/c?method=POST&post-data={}&callback=f", "GET /bus/c?callback=f"]
--- error_code eval
[200, 405]
--- response_body eval
['f({});', '{ "message": "Method Not Allowed" }']




=== TEST 37: with msgbus_jsonp off a callback is ignored, a bad one too
--- config
    location /bus/ { msgbus bus; msgbus_jsonp off; }
--- init
::post(["/bus/c", '[1]'])
--- request eval
["GET /bus/c?callback=f", "GET /bus/c?callback=a.b", "GET /bus/quiet?callback=f", "POST /bus/d?callback=f\n{}",
 "HEAD /bus/c?callback=f"]
--- error_code eval
[200, 200, 204, 201, 200]
--- response_headers eval
[("Content-Type: application/json; charset=utf-8\n! X-Content-Type-Options") x 2,
 ("! Content-Type") x 2, "Content-Type: application/json; charset=utf-8"]
--- response_body_like eval
[('\A\{"channel":"/c","events":\[.+\]\}\z') x 2, ('\A\z') x 3]




=== TEST 38: and method=POST is no method
--- config
    location /bus/ { msgbus bus; msgbus_jsonp off; }
--- request eval
["GET /bus/quiet?method=POST&post-data={}&callback=f", ::nothing(),
 "HEAD /bus/quiet?method=POST&post-data={}&callback=f&echo=true"]
--- error_code eval
[403, 204, 204]
--- response_headers eval
[("! Allow") x 3]
--- response_body eval
['{ "message": "Posting by GET is off" }', "", ""]




=== TEST 39: several on one connection
--- pipelined_requests eval
["GET /bus/quiet?callback=f", "GET /bus/quiet?callback=a.b", "GET /bus/c?method=POST&callback=f&post-data={}",
 "GET /bus/c?method=POST&callback=f", "GET /bus/quiet?callback=g"]
--- error_code eval
[200, 400, 200, 400, 200]
--- response_body eval
['f({"channel":"/quiet","events":[]});', '{ "message": "Invalid callback name" }', 'f({});',
 '{ "message": "Missing parameter: post-data" }', 'g({"channel":"/quiet","events":[]});']




=== TEST 40: a condition does not make an error of what has been stored
--- request eval
["POST /bus/c?callback=f\n[]", "GET /bus/c?method=POST&post-data=[]&callback=f", "POST /bus/c?callback=f\n[]"]
--- more_headers eval
["User-Agent: uuid/w\nIf-Match: \"x\"", "User-Agent: uuid/w\nIf-None-Match: *",
 "User-Agent: uuid/w\nIf-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT"]
--- error_code eval
[200, 200, 200]
--- response_body eval
[('f({});') x 3]




=== TEST 41: limit_except, where it is about POST, is about a post by GET
--- config
    location /bus/ { msgbus bus; limit_except GET { deny all; } }
--- request eval
["GET /bus/quiet?method=POST&post-data={}&callback=f", ::nothing()]
--- error_code eval
[405, 204]
--- response_body eval
['{ "message": "Method Not Allowed" }', '']
