# msgbus_auth_prefix stands before the token in $msgbus_auth_key.

use lib "t/lib";
use Test::Nginx::Socket;
use Msgbus::Blocks;

repeat_each(2);

plan tests => repeat_each() * (blocks() * 3 - 2);

defaults(
    http_config  => "msgbus_zone zone=bus:1m;",
    request      => "GET /key",
    more_headers => "X-Auth-Token: 1b9d",
    no_error_log => "[error]",
);

no_long_string();
run_tests();

__DATA__

=== TEST 1: the default is none
--- config
    location /key { return 200 $msgbus_auth_key; }
--- response_body chop
1b9d




=== TEST 2: any text
--- config
    location /key { msgbus_auth_prefix "to ken:"; return 200 $msgbus_auth_key; }
--- response_body chop
to ken:1b9d




=== TEST 3: a variable in it is none
--- config
    location /key { msgbus_auth_prefix $uri; return 200 $msgbus_auth_key; }
--- response_body chop
$uri1b9d




=== TEST 4: in http it is for all locations
--- http_config
    msgbus_auth_prefix http_;
--- config
    location /key { return 200 $msgbus_auth_key; }
--- response_body chop
http_1b9d




=== TEST 5: a server's own wins over that of http
--- http_config
    msgbus_auth_prefix http_;
--- config
    msgbus_auth_prefix server_;
    location /key { return 200 $msgbus_auth_key; }
--- response_body chop
server_1b9d




=== TEST 6: a location's own wins over that of the server
--- http_config
    msgbus_auth_prefix http_;
--- config
    msgbus_auth_prefix server_;
    location /key { msgbus_auth_prefix location_; return 200 $msgbus_auth_key; }
--- response_body chop
location_1b9d




=== TEST 7: none again, in a location
--- http_config
    msgbus_auth_prefix http_;
--- config
    location /key { msgbus_auth_prefix ""; return 200 $msgbus_auth_key; }
--- response_body chop
1b9d




=== TEST 8: twice is refused
--- config
    msgbus_auth_prefix a;
    msgbus_auth_prefix b;
--- must_die
--- error_log eval: qr/\[emerg\].*"msgbus_auth_prefix" directive is duplicate/




=== TEST 9: no text is refused
--- config
    msgbus_auth_prefix;
--- must_die
--- error_log eval: qr/\[emerg\].*"msgbus_auth_prefix"/
