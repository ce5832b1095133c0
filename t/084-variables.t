# Variables: for logs, headers, maps and limits.  (repeat_each(1): a limit
# counts what came before.)

use lib "t/lib";
use Test::Nginx::Socket;
use Msgbus::Blocks;

repeat_each(1);

plan tests => repeat_each() * (blocks() * 14 + 3);

our $agent = "User-Agent: uuid/w";

# the key of a token in memcached where prefix and token are too long for it
sub hashed { join "-", uc(Digest::SHA::sha512_hex($_[0])) =~ /../g }

require Digest::SHA;

our $log = 'log_format bus "<$msgbus_operation|$msgbus_channel|$msgbus_id|$msgbus_events>";';
our $headers = 'add_header X-Channel $msgbus_channel always;
        add_header X-Operation $msgbus_operation always;
        add_header X-Id $msgbus_id always;
        add_header X-Events $msgbus_events always;';

our $key = 'msgbus_zone zone=bus:1m first_id=1;';

defaults(
    http_config  => "msgbus_zone zone=bus:1m first_id=1; msgbus_scope exact parent all; msgbus_jsonp on; $log",
    more_headers => $agent,
    no_error_log => "[error]\n[alert]",
);

no_long_string();
run_tests();

__DATA__

=== TEST 1: all of them in an access log
--- config
    location /bus/ { msgbus bus; access_log logs/access.log bus; }
--- pipelined_requests eval
["POST /bus/a/b\n{}", "GET /bus/a/b?echo=true", "GET /bus/quiet", "OPTIONS /bus/a"]
--- ignore_response
--- access_log eval
[qr{<publish\|/a/b\|1\|->}, qr{<read\|/a/b\|-\|1>}, qr{<read\|/quiet\|-\|0>}, qr{<options\|/a\|-\|->}]




=== TEST 2: and in headers, those that follow from the answer, too
--- config eval
"location /bus/ { msgbus bus; $::headers }"
--- request eval
["POST /bus/a\n{}", "POST /bus/a\n{}", "GET /bus/a?echo=true", "GET /bus/?events=all&echo=true&last-known-id=2"]
--- error_code eval
[201, 201, 200, 204]
--- response_headers eval
["X-Channel: /a\nX-Operation: publish\nX-Id: 1\n! X-Events",
 "X-Channel: /a\nX-Operation: publish\nX-Id: 2\n! X-Events",
 "X-Channel: /a\nX-Operation: read\n! X-Id\nX-Events: 2",
 "X-Channel: /\nX-Operation: read\n! X-Id\nX-Events: 0"]




=== TEST 3: the operation of each request
--- config eval
"location /bus/ { msgbus bus; $::headers }"
--- request eval
["GET /bus/a?echo=true", "HEAD /bus/a?echo=true", "POST /bus/a\n[]", "OPTIONS /bus/a", "GET /bus/health", "HEAD /bus/health",
 "GET /bus/a?method=POST&post-data=[]", "GET /bus/a?method=GET&echo=true", "PUT /bus/a\n{}", "DELETE /bus/a",
 "GET /bus/health/x"]
--- error_code eval
[204, 204, 201, 204, 200, 200, 201, 200, 405, 405, 204]
--- response_headers eval
[map { $_ ? "X-Operation: $_" : "! X-Operation" }
     "read", "read", "publish", "options", "health", "health", "publish", "read", "", "", "read"]




=== TEST 4: of a batch the id is the last
--- config eval
"location /bus/ { msgbus bus; $::headers }"
--- more_headers eval: "$::agent\nContent-Type: application/x-ndjson"
--- request
POST /bus/a
[]
[]
[]
--- error_code: 201
--- response_headers
X-Operation: publish
X-Id: 3
! X-Events




=== TEST 5: JSONP has them as well
--- config eval
"location /bus/ { msgbus bus; $::headers }"
--- request eval
["POST /bus/a?callback=f\n{}", "GET /bus/a?callback=f&echo=true", "GET /bus/b?callback=f"]
--- error_code eval
[200, 200, 200]
--- response_headers eval
["X-Id: 1\n! X-Events", "! X-Id\nX-Events: 1", "! X-Id\nX-Events: 0"]




=== TEST 6: a page's own number of events, and that of one which was waited for
--- config eval
"location /bus/ { msgbus bus; $::headers }"
--- init
::post(map { ["/bus/a", "[]", "uuid/x"] } 1 .. 5)
--- request eval
["GET /bus/a?max-events=3", "GET /bus/a?last-known-id=3", "HEAD /bus/a", "GET /bus/a?last-known-id=5&wait=1"]
--- error_code eval
[200, 200, 200, 204]
--- response_headers eval
[map { "X-Events: $_" } 3, 2, 5, 0]




=== TEST 7: what is refused has an operation, and no id; a channel where its name can be one
--- config eval
"location /bus/ { msgbus bus; $::headers }"
--- request eval
["POST /bus/a\n{", "POST /bus/a.b\n{}", "GET /bus/a?max-events=0", "GET /bus/a/"]
--- error_code eval
[400, 400, 400, 400]
--- response_headers eval
["X-Channel: /a\nX-Operation: publish\n! X-Id\n! X-Events", "! X-Channel\nX-Operation: publish\n! X-Id\n! X-Events",
 "X-Channel: /a\nX-Operation: read\n! X-Id\n! X-Events", "! X-Channel\nX-Operation: read\n! X-Id\n! X-Events"]




=== TEST 8: the channel is that of msgbus_channel, where there is one
--- config eval
"location ~ ^/rooms/([a-z]+)\$ { msgbus bus; msgbus_channel /house/\$1; $::headers }"
--- request
POST /rooms/kitchen
{}
--- error_code: 201
--- response_headers
X-Channel: /house/kitchen
X-Operation: publish
X-Id: 1




=== TEST 9: and decoded and merged, as the bus takes it
--- config eval
"location /bus/ { msgbus bus; $::headers }"
--- request
GET /bus/%61//b/./c?echo=true
--- error_code: 204
--- response_headers
X-Channel: /a/b/c




=== TEST 10: where msgbus is not on they are empty
--- config eval
"location /bus/  { msgbus bus; }
 location /else/ { $::headers add_header X-Key \$msgbus_auth_key always; return 200 [\$msgbus_channel\$msgbus_operation\$msgbus_id\$msgbus_events]; }
 location = /ok  { msgbus_health bus; $::headers }"
--- request eval
["GET /else/a", "GET /ok"]
--- error_code eval
[200, 200]
--- response_headers eval
[("! X-Channel\n! X-Operation\n! X-Id\n! X-Events\n! X-Key") x 2]
--- response_body eval
["[]", "OK\n"]




=== TEST 11: and where an "if" switches it off
--- config eval
"location /bus/ {
     msgbus bus;
     $::headers
     if (\$arg_x) { msgbus off; return 200 [\$msgbus_channel]; }
 }"
--- request eval
["GET /bus/a?x=1", "GET /bus/a?echo=true"]
--- error_code eval
[200, 204]
--- response_headers eval
["! X-Channel\n! X-Operation", "X-Channel: /a\nX-Operation: read"]
--- response_body eval
["[]", ""]




=== TEST 12: in a map
--- http_config
    msgbus_zone zone=bus:1m first_id=1;
    msgbus_scope exact parent all;
    msgbus_jsonp on;
    map "$msgbus_operation $msgbus_channel" $who {
        default              nobody;
        "~^publish /public"  everybody;
        "~^read "            readers;
    }
--- config
    location /bus/ { msgbus bus; add_header X-Who $who always; }
--- request eval
["POST /bus/public/a\n{}", "POST /bus/private/a\n{}", "GET /bus/private/a?echo=true", "OPTIONS /bus/a"]
--- error_code eval
[201, 201, 200, 204]
--- response_headers eval
[map { "X-Who: $_" } qw( everybody nobody readers nobody )]




=== TEST 13: in a condition of the location
--- config
    location /bus/ {
        msgbus bus;
        if ($msgbus_operation = publish) { return 403; }
    }
--- request eval
["POST /bus/a\n{}", "GET /bus/a?method=POST&post-data={}&callback=f", "GET /bus/a?echo=true"]
--- error_code eval
[403, 403, 204]




=== TEST 14: as the key of a limit
--- http_config
    msgbus_zone zone=bus:1m first_id=1;
    msgbus_scope exact parent all;
    msgbus_jsonp on;
    limit_req_zone $msgbus_channel zone=each:1m rate=1r/m;
--- config
    location /bus/  { msgbus bus; limit_req zone=each; limit_req_status 429; }
    location /free/ { msgbus bus; }
--- request eval
["POST /bus/a\n{}", "POST /bus/a\n{}", "POST /bus/b\n{}", "GET /bus/%61?echo=true", "POST /free/a\n{}"]
--- no_error_log
[alert]
--- error_code eval
[201, 429, 201, 429, 201]
--- response_body eval
["", '{ "message": "Too Many Requests" }', "", '{ "message": "Too Many Requests" }', ""]




=== TEST 15: where an operation alone is limited, the other is not
--- http_config
    msgbus_zone zone=bus:1m first_id=1;
    msgbus_scope exact parent all;
    msgbus_jsonp on;
    map $msgbus_operation $poster { publish $binary_remote_addr; }
    limit_req_zone $poster zone=posts:1m rate=1r/m;
--- config
    location /bus/ { msgbus bus; limit_req zone=posts; limit_req_status 429; }
--- request eval
["GET /bus/a?echo=true", "POST /bus/a\n{}", "GET /bus/a?echo=true", "POST /bus/b\n{}",
 "GET /bus/a?method=POST&post-data={}", "HEAD /bus/a?echo=true"]
--- no_error_log
[alert]
--- error_code eval
[204, 201, 200, 429, 429, 200]




=== TEST 16: before the body is there
--- http_config
    msgbus_zone zone=bus:1m first_id=1;
    msgbus_scope exact parent all;
    msgbus_jsonp on;
    map $msgbus_channel $closed { default 0; /closed 1; }
--- config
    location /bus/ { msgbus bus; lingering_timeout 100ms; if ($closed) { return 403; } }
--- raw_request eval
"POST /bus/closed HTTP/1.1\r\nHost: localhost\r\nUser-Agent: uuid/w\r\nContent-Length: 100000\r\nConnection: close\r\n\r\n"
--- error_code: 403
--- response_body chop
{ "message": "" }




=== TEST 17: without a token there is no key
--- config
    location /bus/ { msgbus bus; msgbus_auth_prefix token_; add_header X-Key "[$msgbus_auth_key]" always; }
--- request eval
["GET /bus/a?echo=true", "GET /bus/a?echo=true"]
--- more_headers eval
["X-Auth: x", "X-Auth-Token:"]
--- error_code eval
[204, 204]
--- response_headers eval
[("X-Key: []") x 2]




=== TEST 18: the key is the prefix and the token
--- config
    location /bus/  { msgbus bus; msgbus_auth_prefix token_; add_header X-Key $msgbus_auth_key always; }
    location /none/ { msgbus bus; add_header X-Key $msgbus_auth_key always; }
    location /else  { msgbus_auth_prefix else:; return 200 $msgbus_auth_key; }
--- request eval
["GET /bus/a?echo=true", "GET /none/a?echo=true", "GET /else"]
--- more_headers eval
["X-Auth-Token: 1b9d6bcd", "x-auth-token: 1b9d6bcd", "X-Auth-Token: a b\"c\\d"]
--- error_code eval
[204, 204, 200]
--- response_headers eval
["X-Key: token_1b9d6bcd", "X-Key: 1b9d6bcd", ""]
--- response_body eval
["", "", "else:a b\"c\\d"]




=== TEST 19: up to 249 bytes; from 250 on it is their SHA-512 alone
--- config
    large_client_header_buffers 4 8k;
    location /bus/ { msgbus bus; msgbus_auth_prefix token_; add_header X-Key $msgbus_auth_key always; }
--- request eval
[("GET /bus/a?echo=true") x 4]
--- more_headers eval
[map { "X-Auth-Token: " . "x" x $_ } 243, 244, 245, 5000]
--- error_code eval
[(204) x 4]
--- response_headers eval
["X-Key: token_" . "x" x 243, map { "X-Key: " . ::hashed("token_" . "x" x $_) } 244, 245, 5000]




=== TEST 20: which is upper-case hex, a dash between the bytes
--- config
    location /bus/ { msgbus bus; msgbus_auth_prefix token_; add_header X-Key $msgbus_auth_key always; }
--- request
GET /bus/a?echo=true
--- more_headers eval
"X-Auth-Token: " . "x" x 244
--- error_code: 204
--- response_headers_like
X-Key: [0-9A-F]{2}(-[0-9A-F]{2}){63}




=== TEST 21: a channel that names itself is an error, and no more
--- config
    location = /x { msgbus bus; msgbus_channel $msgbus_channel; }
--- request
GET /x?echo=true
--- no_error_log
[alert]
--- error_code_like: 400|500
--- response_body_like: \A\{ "message": "[^"]+" \}\z




=== TEST 22: what can be no channel's name reaches no header
--- config eval
"location /bus/   { msgbus bus; $::headers }
 location /named/ { msgbus bus; msgbus_channel \$arg_name; $::headers }
 location ~ ^/to  { set \$to \$uri; msgbus bus; msgbus_channel \$to; $::headers }"
--- request eval
["OPTIONS /bus/x%0d%0aX-Injected:%20yes", "POST /bus/x%0d%0aX-Injected:%20yes\n{}", "GET /bus/x%0aX-Injected:%20yes",
 "OPTIONS /named/x?name=x%0d%0aX-Injected:%20yes", "OPTIONS /to%0d%0aX-Injected:%20yes"]
--- error_code eval
[204, 400, 400, 204, 204]
--- response_headers eval
[("! X-Channel\n! X-Injected") x 5]
