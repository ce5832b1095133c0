# msgbus puts a bus into a location, or takes it out again.

use lib "t/lib";
use Test::Nginx::Socket;
use Msgbus::Blocks;

repeat_each(2);

plan tests => repeat_each() * (blocks() * 4 + 6);

defaults(
    http_config           => "msgbus_zone zone=bus:1m; msgbus_zone zone=other:1m;",
    more_headers          => "User-Agent: uuid/w",
    response_body_filters => \&numbers,
    no_error_log          => "[alert]",
);

no_long_string();
run_tests();

__DATA__

=== TEST 1: a location with a bus is served by it
--- config
    location /bus/ { msgbus bus; }
--- request eval
["POST /bus/here\n{\"n\":1}", "GET /bus/here?echo=true&max-events=1"]
--- error_code eval
[201, 200]
--- response_body eval
["", "1"]




=== TEST 2: a location without one is not
--- config
    location /bus/ { msgbus bus; }
    location /not/ { return 200 "not\n"; }
--- request
GET /not/here
--- response_body
not




=== TEST 3: the default is off
--- config
    location /bus/ { }
--- request
GET /bus/here?echo=true
--- error_code: 404
--- response_headers
Content-Type: text/html




=== TEST 4: off says so
--- config
    location /bus/ { msgbus off; }
--- request
GET /bus/here?echo=true
--- error_code: 404
--- response_headers
Content-Type: text/html




=== TEST 5: off in a nested location leaves it to nginx
--- config
    location /bus/ {
        msgbus bus;
        location /bus/files/ { msgbus off; }
    }
--- user_files
>>> bus/files/a.txt
a file
--- request eval
["GET /bus/files/a.txt", "GET /bus/none?echo=true"]
--- error_code eval
[200, 204]
--- response_body eval
["a file\n", ""]




=== TEST 6: a nested location may have another bus
--- config
    location /bus/ {
        msgbus bus;
        location /bus/other/ { msgbus other; }
    }
--- request eval
["POST /bus/other/nested\n{\"n\":1}", "GET /bus/other/nested?echo=true&max-events=1",
 "GET /bus/nested?echo=true"]
--- error_code eval
[201, 200, 204]
--- response_body eval
["", "1", ""]




=== TEST 7: within if the bus of the location is there
--- config
    location /bus/ {
        msgbus bus;
        if ($http_x_any) { set $any 1; }
    }
--- request eval
["POST /bus/within\n{\"n\":1}", "GET /bus/within?echo=true&max-events=1"]
--- more_headers
User-Agent: uuid/w
X-Any: thing
--- error_code eval
[201, 200]
--- response_body eval
["", "1"]




=== TEST 8: within if it may be another one
--- config
    location /bus/ {
        msgbus bus;
        if ($http_x_other) { msgbus other; }
    }
--- request eval
["POST /bus/choice\n{\"n\":1}", "GET /bus/choice?echo=true&max-events=1",
 "GET /bus/choice?echo=true"]
--- more_headers eval
["User-Agent: uuid/w\nX-Other: 1", "User-Agent: uuid/w\nX-Other: 1", "User-Agent: uuid/w"]
--- error_code eval
[201, 200, 204]
--- response_body eval
["", "1", ""]




=== TEST 9: within if it may be off
--- config
    location /bus/ {
        msgbus bus;
        if ($arg_file) { msgbus off; }
    }
--- user_files
>>> bus/a.txt
a file
--- request eval
["GET /bus/a.txt?file=1", "GET /bus/none?echo=true"]
--- error_code eval
[200, 204]
--- response_body eval
["a file\n", ""]




=== TEST 10: within if it may be on
--- config
    location /bus/ {
        if ($arg_bus) { msgbus bus; }
    }
--- user_files
>>> bus/a
a file
--- request eval
["GET /bus/a", "GET /bus/a?bus=1&echo=true"]
--- error_code eval
[200, 204]
--- response_body eval
["a file\n", ""]




=== TEST 11: within limit_except the bus of the location is there
--- config
    location /bus/ {
        msgbus bus;
        limit_except GET { allow all; }
    }
--- request eval
["POST /bus/except\n{\"n\":1}", "GET /bus/except?echo=true&max-events=1"]
--- error_code eval
[201, 200]
--- response_body eval
["", "1"]




=== TEST 12: within limit_except it may be another one
--- config
    location /bus/ {
        msgbus bus;
        limit_except GET { msgbus other; }
    }
    location /other/ { msgbus other; }
--- request eval
["POST /bus/apart\n{\"n\":1}", "GET /bus/apart?echo=true", "GET /other/apart?echo=true&max-events=1"]
--- error_code eval
[201, 204, 200]
--- response_body eval
["", "", "1"]




=== TEST 13: a zone may be defined behind its use
--- http_config
    server { listen unix:msgbus-unused; server_name x; location /bus/ { msgbus late; } }
    msgbus_zone zone=late:1m;
--- config
    location /bus/ { msgbus late; }
--- request eval
["POST /bus/late\n{\"n\":1}", "GET /bus/late?echo=true&max-events=1"]
--- error_code eval
[201, 200]
--- response_body eval
["", "1"]




=== TEST 14: a zone that there is none of is refused
--- config
    location /bus/ { msgbus nosuch; }
--- must_die
--- error_log eval: qr/\[emerg\].*"nosuch"/




=== TEST 15: the zone of another module is refused
--- http_config
    limit_req_zone $server_name zone=theirs:1m rate=1r/s;
--- config
    location /bus/ { msgbus theirs; }
--- must_die
--- error_log eval: qr/\[emerg\].*"theirs"/




=== TEST 16: msgbus without a zone is refused
--- config
    location /bus/ { msgbus; }
--- must_die
--- error_log eval: qr/\[emerg\].*"msgbus"/




=== TEST 17: msgbus twice is refused
--- config
    location /bus/ { msgbus bus; msgbus other; }
--- must_die
--- error_log eval: qr/\[emerg\].*"msgbus" directive is duplicate/




=== TEST 18: msgbus outside of a location is refused
--- config
    msgbus bus;
--- must_die
--- error_log eval: qr/\[emerg\].*"msgbus" directive is not allowed here/




=== TEST 19: "msgbus bus; proxy_pass ...;" is refused
--- config
    location /bus/ { msgbus bus; proxy_pass http://127.0.0.1:1; }
--- must_die
--- error_log eval: qr/\[emerg\].*msgbus. of location .\/bus\/. stands beside/




=== TEST 20: "proxy_pass ...; msgbus bus;" is refused
--- config
    location /bus/ { proxy_pass http://127.0.0.1:1; msgbus bus; }
--- must_die
--- error_log eval: qr/\[emerg\].*msgbus" directive stands beside/




=== TEST 21: "msgbus bus; msgbus_health bus;" is refused
--- config
    location /bus/ { msgbus bus; msgbus_health bus; }
--- must_die
--- error_log eval: qr/\[emerg\].*msgbus_health" directive stands beside/




=== TEST 22: "msgbus bus; if (...) { msgbus bus; proxy_pass ...; }" is refused
--- config
    location /bus/ { msgbus bus; if ($arg_x) { msgbus bus; proxy_pass http://127.0.0.1:1; } }
--- must_die
--- error_log eval: qr/\[emerg\].*msgbus. of location .\/bus\/. stands beside/




=== TEST 23: "msgbus_health bus; stub_status;" is refused
--- config
    location /bus/ { msgbus_health bus; stub_status; }
--- must_die
--- error_log eval: qr/\[emerg\].*msgbus_health. of location .\/bus\/. stands beside/
