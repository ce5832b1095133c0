# msgbus_methods says whether a location may be posted to, read from, or both.

use lib "t/lib";
use Test::Nginx::Socket;
use Msgbus::Blocks;

repeat_each(2);

plan tests => repeat_each() * (blocks() * 7 + 8);

defaults(
    http_config  => "msgbus_zone zone=bus:1m;",
    config       => "location /bus/ { msgbus bus; }",
    more_headers => "User-Agent: uuid/w",
    init         => "::post(['/both/c', '{}'])",
    request      => ["GET /bus/c?echo=true", "HEAD /bus/c?echo=true",
                     "POST /bus/c\n{}", "OPTIONS /bus/c"],
    no_error_log => "[error]",
);

no_long_string();
run_tests();

__DATA__

=== TEST 1: both are allowed by default
--- config
    location /bus/  { msgbus bus; }
    location /both/ { msgbus bus; }
--- error_code eval
[200, 200, 201, 204]




=== TEST 2: publish read says so
--- config
    location /bus/  { msgbus bus; msgbus_methods publish read; }
    location /both/ { msgbus bus; }
--- error_code eval
[200, 200, 201, 204]




=== TEST 3: in any order
--- config
    location /bus/  { msgbus bus; msgbus_methods read publish; }
    location /both/ { msgbus bus; }
--- error_code eval
[200, 200, 201, 204]




=== TEST 4: read alone refuses to store
--- config
    location /bus/  { msgbus bus; msgbus_methods read; }
    location /both/ { msgbus bus; }
--- error_code eval
[200, 200, 405, 204]
--- response_headers_like eval
["", "", "Allow: (?!.*POST).*GET.*\nContent-Type: application/json; charset=utf-8",
 "Allow: (?!.*POST).*GET.*"]
--- response_body_like eval
["", "", '\A\{ "message": "[^"]+" \}\z', '\A\z']




=== TEST 5: publish alone refuses to show
--- config
    location /bus/  { msgbus bus; msgbus_methods publish; }
    location /both/ { msgbus bus; }
--- error_code eval
[405, 405, 201, 204]
--- response_headers_like eval
["Allow: (?!.*GET).*POST.*\nContent-Type: application/json; charset=utf-8",
 "Allow: (?!.*GET).*POST.*", "", "Allow: (?!.*GET).*POST.*"]
--- response_body_like eval
['\A\{ "message": "[^"]+" \}\z', '\A\z', '\A\z', '\A\z']




=== TEST 6: in http it is for all locations
--- http_config
    msgbus_zone zone=bus:1m;
    msgbus_methods read;
--- config
    location /bus/  { msgbus bus; }
    location /both/ { msgbus bus; msgbus_methods publish read; }
--- error_code eval
[200, 200, 405, 204]




=== TEST 7: a server's own wins over that of http
--- http_config
    msgbus_zone zone=bus:1m;
    msgbus_methods read;
--- config
    msgbus_methods publish;
    location /bus/  { msgbus bus; }
    location /both/ { msgbus bus; }
--- error_code eval
[405, 405, 201, 204]




=== TEST 8: a location's own wins over that of the server
--- http_config
    msgbus_zone zone=bus:1m;
    msgbus_methods read;
--- config
    msgbus_methods publish;
    location /bus/  { msgbus bus; msgbus_methods read; }
    location /both/ { msgbus bus; }
--- error_code eval
[200, 200, 405, 204]




=== TEST 9: an unknown word is refused
--- config
    msgbus_methods fly;
--- must_die
--- error_log eval: qr/\[emerg\].*"fly"/




=== TEST 10: also behind a known one
--- config
    msgbus_methods read GET;
--- must_die
--- error_log eval: qr/\[emerg\].*"GET"/




=== TEST 11: no word is refused
--- config
    msgbus_methods;
--- must_die
--- error_log eval: qr/\[emerg\].*"msgbus_methods"/
