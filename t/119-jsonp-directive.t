# msgbus_jsonp says whether a callback makes an answer JavaScript, and whether
# a GET can post.

use lib "t/lib";
use Test::Nginx::Socket;
use Msgbus::Blocks;

repeat_each(2);

plan tests => repeat_each() * (blocks() * 4 - 5);

our @is_on = (200, 200);
our @is_off = (204, 403);

defaults(
    http_config  => "msgbus_zone zone=bus:1m;",
    more_headers => "User-Agent: uuid/w",
    request      => ["GET /bus/c?callback=f", "GET /bus/c?method=POST&post-data={}&callback=f"],
    no_error_log => "[error]",
);

no_long_string();
run_tests();

__DATA__

=== TEST 1: the default is off
--- config
    location /bus/ { msgbus bus; }
--- error_code eval: [@::is_off]
--- response_body eval
["", '{ "message": "Posting by GET is off" }']




=== TEST 2: on says so
--- config
    location /bus/ { msgbus bus; msgbus_jsonp on; }
--- error_code eval: [@::is_on]




=== TEST 3: off makes a callback mean nothing, and method=POST be refused
--- config
    location /bus/ { msgbus bus; msgbus_jsonp off; }
--- error_code eval: [@::is_off]




=== TEST 4: in http it is for all locations
--- http_config
    msgbus_zone zone=bus:1m;
    msgbus_jsonp on;
--- config
    location /bus/ { msgbus bus; }
--- error_code eval: [@::is_on]




=== TEST 5: a server's own wins over that of http
--- http_config
    msgbus_zone zone=bus:1m;
    msgbus_jsonp off;
--- config
    msgbus_jsonp on;
    location /bus/ { msgbus bus; }
--- error_code eval: [@::is_on]




=== TEST 6: a location's own wins over that of the server
--- http_config
    msgbus_zone zone=bus:1m;
    msgbus_jsonp off;
--- config
    msgbus_jsonp on;
    location /bus/ { msgbus bus; msgbus_jsonp off; }
--- error_code eval: [@::is_off]




=== TEST 7: another word is refused
--- config
    msgbus_jsonp maybe;
--- must_die
--- error_log eval: qr/\[emerg\].*"maybe"/




=== TEST 8: no word is refused
--- config
    msgbus_jsonp;
--- must_die
--- error_log eval: qr/\[emerg\].*"msgbus_jsonp"/




=== TEST 9: read lets a callback count, and no GET post
--- config
    location /bus/ { msgbus bus; msgbus_jsonp read; }
--- error_code eval: [200, 403]
--- response_body_like eval
['\Af\(\{"channel":"/c","events":\[\]\}\);\z', 'Posting by GET is off']




=== TEST 10: nor the callback of a POST be nothing
--- config
    location /bus/ { msgbus bus; msgbus_jsonp read; }
--- request
POST /bus/d?callback=f
{}
--- response_body chop
f({});




=== TEST 11: a name that is none is refused before that
--- config
    location /bus/ { msgbus bus; msgbus_jsonp read; }
--- request
GET /bus/c?method=POST&post-data={}&callback=a.b
--- error_code: 400




=== TEST 12: where posts are not served at all, that is said
--- config
    location /bus/ { msgbus bus; msgbus_methods read; }
--- request
GET /bus/c?method=POST&post-data={}
--- error_code: 405
