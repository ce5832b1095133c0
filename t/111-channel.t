# msgbus_channel says which channel a location speaks of.

use lib "t/lib";
use Test::Nginx::Socket;
use Msgbus::Blocks;

repeat_each(2);

plan tests => repeat_each() * (blocks() * 4 + 18);

# the channel that an answer names
sub channel { $_[0] =~ /\A\{"channel":"([^"]*)"/ ? $1 : $_[0] }

defaults(
    http_config           => "msgbus_zone zone=bus:1m;",
    more_headers          => "User-Agent: uuid/w",
    error_code            => [201, 200],
    response_body_filters => \&channel,
    no_error_log          => "[error]",
);

no_long_string();
run_tests();

__DATA__

=== TEST 1: one channel, whatever the URI
--- config
    location /bus/ { msgbus bus; msgbus_channel /news; }
--- request eval
["POST /bus/any\n{}", "GET /bus/other?echo=true"]
--- response_body eval
["", "/news"]




=== TEST 2: an exact location needs it
--- config
    location = /inbox { msgbus bus; msgbus_channel /in; }
--- request eval
["POST /inbox\n{}", "GET /inbox?echo=true"]
--- response_body eval
["", "/in"]




=== TEST 3: a regex location needs it, and may name parts
--- config
    location ~ ^/t/(?<tenant>\w+)/(?<rest>.*)$ { msgbus bus; msgbus_channel /$tenant/$rest; }
--- request eval
["POST /t/acme/a/b\n{}", "GET /t/acme/a/b?echo=true"]
--- response_body eval
["", "/acme/a/b"]




=== TEST 4: a named location needs it
--- config
    location /in/ { try_files /none @bus; }
    location @bus { msgbus bus; msgbus_channel $uri; }
--- request eval
["POST /in/named\n{}", "GET /in/named?echo=true"]
--- response_body eval
["", "/in/named"]




=== TEST 5: variables of the request
--- config
    location /bus/ { msgbus bus; msgbus_channel /$http_x_room/$arg_topic; }
--- more_headers
User-Agent: uuid/w
X-Room: red
--- request eval
["POST /bus/c?topic=t1\n{}", "GET /bus/c?topic=t1&echo=true"]
--- response_body eval
["", "/red/t1"]




=== TEST 6: $uri may be used with a prefix of one's own
--- config
    location /bus/ { msgbus bus; msgbus_channel /mine$uri; }
--- request eval
["POST /bus/c\n{}", "GET /bus/c?echo=true"]
--- response_body eval
["", "/mine/bus/c"]




=== TEST 7: what comes out must be a channel
--- config
    location /bus/ { msgbus bus; msgbus_channel $arg_c; }
--- request eval
[map { "GET /bus/x?echo=true&c=$_" } "", "a", "/a/", "/a//b", "/a.b", "/a%20b", "//a"]
--- error_code eval
[(400) x 7]
--- response_body_like eval
[('\A\{ "message": "[^"]+" \}\z') x 7]




=== TEST 8: in http it is for all locations
--- http_config
    msgbus_zone zone=bus:1m;
    msgbus_channel /from-http;
--- config
    location = /inbox { msgbus bus; }
--- request eval
["POST /inbox\n{}", "GET /inbox?echo=true"]
--- response_body eval
["", "/from-http"]




=== TEST 9: a server's own wins over that of http
--- http_config
    msgbus_zone zone=bus:1m;
    msgbus_channel /from-http;
--- config
    msgbus_channel /from-server;
    location = /inbox { msgbus bus; }
--- request eval
["POST /inbox\n{}", "GET /inbox?echo=true"]
--- response_body eval
["", "/from-server"]




=== TEST 10: a location's own wins over that of the server
--- http_config
    msgbus_zone zone=bus:1m;
    msgbus_channel /from-http;
--- config
    msgbus_channel /from-server;
    location = /inbox { msgbus bus; msgbus_channel /from-location; }
--- request eval
["POST /inbox\n{}", "GET /inbox?echo=true"]
--- response_body eval
["", "/from-location"]




=== TEST 11: an exact location without it is refused
--- config
    location = /inbox { msgbus bus; }
--- must_die
--- error_log eval: qr/\[emerg\].*msgbus_channel/




=== TEST 12: a regex location without it is refused
--- config
    location ~ ^/t/ { msgbus bus; }
--- must_die
--- error_log eval: qr/\[emerg\].*msgbus_channel/




=== TEST 13: a named location without it is refused
--- config
    location @bus { msgbus bus; }
--- must_die
--- error_log eval: qr/\[emerg\].*msgbus_channel/




=== TEST 14: an exact location without a bus needs none
--- config
    location = /inbox { return 200 "x"; }
    location /bus/ { msgbus bus; }
--- request
GET /inbox
--- error_code: 200
--- response_body chop
x




=== TEST 15: a value that can be no channel is refused
--- config
    location /bus/ { msgbus bus; msgbus_channel /not.good; }
--- must_die
--- error_log eval: qr{\[emerg\].*"/not\.good"}




=== TEST 16: a value without a slash in front is refused
--- config
    location /bus/ { msgbus bus; msgbus_channel news; }
--- must_die
--- error_log eval: qr/\[emerg\].*"news"/




=== TEST 17: an unknown variable is refused
--- config
    location /bus/ { msgbus bus; msgbus_channel /$nosuch; }
--- must_die
--- error_log eval: qr/\[emerg\].*"nosuch"/




=== TEST 18: no value is refused
--- config
    location /bus/ { msgbus bus; msgbus_channel; }
--- must_die
--- error_log eval: qr/\[emerg\].*"msgbus_channel"/




=== TEST 19: twice is refused
--- config
    location /bus/ { msgbus bus; msgbus_channel /a; msgbus_channel /b; }
--- must_die
--- error_log eval: qr/\[emerg\].*"msgbus_channel" directive is duplicate/
