# A user's error_page wins over the bus's own errors.

use lib "t/lib";
use Test::Nginx::Socket;
use Msgbus::Blocks;

repeat_each(2);

plan tests => repeat_each() * (blocks() * 3 + 17);

defaults(
    http_config  => "msgbus_zone zone=bus:1m;",
    more_headers => "User-Agent: uuid/w",
    no_error_log => "[alert]",
);

no_long_string();
run_tests();

__DATA__

=== TEST 1: for an error of the bus
--- config
    location /bus/    { msgbus bus; error_page 400 /sorry; }
    location = /sorry { internal; return 200 "sorry\n"; }
--- request
POST /bus/c
{"a":
--- error_code: 400
--- response_body
sorry




=== TEST 2: for an error of nginx
--- config
    location /bus/    { msgbus bus; deny all; error_page 403 /sorry; }
    location = /sorry { internal; allow all; return 200 "sorry\n"; }
--- request
GET /bus/c?echo=true
--- error_code: 403
--- response_body
sorry




=== TEST 3: with another status
--- config
    location /bus/    { msgbus bus; error_page 400 =422 /sorry; }
    location = /sorry { internal; return 200 "sorry\n"; }
--- request
GET /bus/c?echo=true&max-events=0
--- error_code: 422
--- response_body
sorry




=== TEST 4: with a named location
--- config
    location /bus/  { msgbus bus; error_page 400 405 = @sorry; }
    location @sorry { return 200 "sorry\n"; }
--- request eval
["GET /bus/c?echo=true&max-events=0", "PUT /bus/c\n{}"]
--- error_code eval
[200, 200]
--- response_body eval
["sorry\n", "sorry\n"]




=== TEST 5: with a file
--- config
    error_page 400 /sorry.txt;
    location /bus/ { msgbus bus; }
--- user_files
>>> sorry.txt
sorry
--- request
GET /bus/c?echo=true&max-events=0
--- error_code: 400
--- response_body
sorry




=== TEST 6: for its own status only
--- config
    location /bus/    { msgbus bus; error_page 404 413 /sorry; }
    location = /sorry { internal; return 200 "sorry\n"; }
--- request
GET /bus/c?echo=true&max-events=0
--- error_code: 400
--- response_body_like: \A\{ "message": "[^"]+" \}\z




=== TEST 7: nothing is stored, and nothing a second time
--- config
    location /bus/    { msgbus bus; error_page 400 /sorry; }
    location = /sorry { internal; return 200 "sorry\n"; }
--- request eval
["POST /bus/once\n{\"a\":", "GET /bus/once?echo=true"]
--- error_code eval
[400, 204]
--- response_body eval
["sorry\n", ""]




=== TEST 8: an error page that is on the bus itself is read from there
--- config
    location /bus/    { msgbus bus; error_page 400 =200 /read/why?echo=true&sort=-1&max-events=1; }
    location /read/   { msgbus bus; }
--- init
::post(['/read/why', '{"n":1}'])
--- request
POST /bus/c
{"a":
--- response_body_filters eval: \&::numbers
--- response_body chop
1




=== TEST 9: without an error_page the connection lives on, with one as nginx has it
--- config
    location /bus/ { msgbus bus; }
--- pipelined_requests eval
["GET /bus/c?echo=true&max-events=0", "GET /bus/c?echo=true"]
--- error_code eval
[400, 204]
--- response_headers eval
["Connection: keep-alive", ""]




=== TEST 10: the status that it gives to an error is not that of the error page's own
--- config
    location /bus/   { msgbus bus; error_page 403 =200 /bus/no.name; error_page 400 =202 /bus/c?echo=true; if ($arg_x) { return 403; } }
    location /named/ { error_page 404 =200 @named; }
    location @named  { msgbus bus; msgbus_channel /no.$uri; }
--- request eval
["GET /bus/c?x=1", "GET /named/c", "POST /named/c\n{}", "GET /bus/a.b?echo=true"]
--- error_code eval
[400, 400, 400, 202]
--- response_body eval
[('{ "message": "Invalid channel name" }') x 3, ""]
