# msgbus_rse on gives the clients of 2012 what they need, and which nobody else
# should meet by surprise: uuids are asked for, JSONP posts and reads, events of
# other channels are there, /health has its report.  Each can be said alone.

use lib "t/lib";
use Test::Nginx::Socket;
use Msgbus::Blocks;

repeat_each(2);

plan tests => repeat_each() * (blocks() * 10 - 11);

# what a client of RSE may do, and what a page of another site could do by it
our @asked = ("GET /bus/c?method=POST&post-data={}&callback=f", "GET /bus/c?callback=f",
              "GET /bus/c?events=parent", "GET /bus/?events=all",
              "GET /bus/health?verbose=true");
our @off = (403, 200, 403, 403, 200);
our @on = (200, 200, 200, 200, 200);

# with "one" already there
defaults(
    http_config  => "msgbus_zone zone=bus:1m first_id=1;",
    init         => '::post(["/init/c", "{}", "uuid/w"])',
    more_headers => "User-Agent: uuid/r",
    request      => \@asked,
    no_error_log => "[error]",
);

our $init = "location /init/ { msgbus bus; }";

no_long_string();
run_tests();

__DATA__

=== TEST 1: the default is off: no GET posts or is a script, no channel shows another
--- config eval
"$::init location /bus/ { msgbus bus; }"
--- error_code eval: [@::off]
--- response_body_like eval
['\A\{ "message": "Posting by GET is off" \}\z', '\A\{"channel":"/c",',
 '\A\{ "message": "events=parent is off" \}\z', '\A\{ "message": "events=all is off" \}\z', '\AOK$']




=== TEST 2: off says so
--- config eval
"$::init location /bus/ { msgbus bus; msgbus_rse off; }"
--- error_code eval: [@::off]




=== TEST 3: on
--- config eval
"$::init location /bus/ { msgbus bus; msgbus_rse on; }"
--- error_code eval: [@::on]
--- response_body_like eval
['\Af\(\{\}\);\z', '\Af\(\{"channel":"/c",', '"channel":"/c"\}\]\}\z', '\A\{"channel":"/",', '\A\{"status":"ok",']




=== TEST 4: off, nobody is asked for a uuid
--- config eval
"$::init location /bus/ { msgbus bus; }"
--- more_headers
User-Agent: browser
--- request eval
["POST /bus/d\n{}", "GET /bus/d"]
--- error_code eval: [201, 200]




=== TEST 5: on, everybody is
--- config eval
"$::init location /bus/ { msgbus bus; msgbus_rse on; }"
--- more_headers
User-Agent: browser
--- request eval
["POST /bus/d\n{}", "GET /bus/d"]
--- error_code eval: [400, 400]
--- response_body eval
[('{ "message": "Missing UUID in User-Agent header" }') x 2]




=== TEST 6: in http it is for all locations
--- http_config
    msgbus_zone zone=bus:1m first_id=1;
    msgbus_rse on;
--- config eval
"$::init location /bus/ { msgbus bus; }"
--- error_code eval: [@::on]




=== TEST 7: a server's own wins over that of http
--- http_config
    msgbus_zone zone=bus:1m first_id=1;
    msgbus_rse on;
--- config eval
"$::init msgbus_rse off; location /bus/ { msgbus bus; }"
--- error_code eval: [@::off]




=== TEST 8: a location's own wins over that of the server
--- http_config
    msgbus_zone zone=bus:1m first_id=1;
    msgbus_rse on;
--- config eval
"$::init msgbus_rse off; location /bus/ { msgbus bus; msgbus_rse on; }"
--- error_code eval: [@::on]




=== TEST 9: what is said of one thing goes before, also where it is said further out
--- http_config
    msgbus_zone zone=bus:1m first_id=1;
    msgbus_jsonp read;
    msgbus_scope exact parent;
    msgbus_require_uuid off;
--- config eval
"$::init location /bus/ { msgbus bus; msgbus_rse on; }"
--- more_headers
User-Agent: browser
--- error_code eval
[403, 200, 200, 403, 200]
--- response_body_like eval
['Posting by GET is off', '\Af\(', '"channel":"/c"\}\]\}\z', 'events=all is off', '\A\{"status":"ok",']




=== TEST 10: in an if it is what it is in its location
--- config eval
"$::init location /bus/ { msgbus bus; msgbus_rse on; if (\$args) { set \$x 1; } }"
--- error_code eval: [@::on]




=== TEST 11: another word is refused
--- config
    msgbus_rse maybe;
--- must_die
--- error_log eval: qr/\[emerg\].*"maybe"/




=== TEST 12: no word is refused
--- config
    msgbus_rse;
--- must_die
--- error_log eval: qr/\[emerg\].*"msgbus_rse"/
