# msgbus_health answers for a bus in a location of its own.

use lib "t/lib";
use Test::Nginx::Socket;
use Msgbus::Blocks;

repeat_each(2);

plan tests => repeat_each() * (blocks() * 4 - 1);

defaults(
    http_config  => "msgbus_zone zone=bus:1m;",
    config       => "location = /health { msgbus_health bus; }",
    no_error_log => "[alert]",
);

no_root_location();
no_long_string();
run_tests();

__DATA__

=== TEST 1: OK, as text
--- request
GET /health
--- response_headers
Content-Type: text/plain
Content-Length: 3
--- response_body
OK




=== TEST 2: with HEAD
--- request
HEAD /health
--- response_headers
Content-Type: text/plain
Content-Length: 3
--- response_body eval: ""




=== TEST 3: at whatever URI
--- config
    location /is/it/well { msgbus_health bus; }
--- request
GET /is/it/well
--- response_body
OK




=== TEST 4: other methods are 405
--- request eval
["POST /health\n{}", "PUT /health\n{}", "DELETE /health"]
--- more_headers
User-Agent: uuid/w
--- error_code eval
[405, 405, 405]
--- response_headers_like eval
[("Allow: .*GET.*") x 3]




=== TEST 5: it is free although the bus is not
--- config
    location /         { msgbus bus; deny all; }
    location = /health { msgbus_health bus; }
--- request eval
["GET /health", "GET /c?echo=true"]
--- error_code eval
[200, 403]
--- response_body eval
["OK\n", '{ "message": "" }']




=== TEST 6: below a closed location it is not
--- config
    location / { msgbus bus; deny all; }
--- request
GET /health
--- error_code: 403
--- response_body chop
{ "message": "" }




=== TEST 7: a zone that there is none of is refused
--- config
    location = /health { msgbus_health nosuch; }
--- must_die
--- error_log eval: qr/\[emerg\].*"nosuch"/




=== TEST 8: no zone is refused
--- config
    location = /health { msgbus_health; }
--- must_die
--- error_log eval: qr/\[emerg\].*"msgbus_health"/




=== TEST 9: in a server it is refused
--- config
    msgbus_health bus;
--- must_die
--- error_log eval: qr/\[emerg\].*"msgbus_health" directive is not allowed here/




=== TEST 10: no name is none
--- config
    location = /health { msgbus_health ""; }
--- must_die
--- error_log eval: qr/\[emerg\].*"msgbus_health" directive needs the name of a zone/
