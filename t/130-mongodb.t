# msgbus_mongodb names a database for zones.  nginx starts although it is away;
# what the block does not understand it quotes, and nginx does not start.

use lib "t/lib";
use Test::Nginx::Socket;
use Msgbus::Blocks;

repeat_each(1);    # most of it does not start

needs_mongodb();
plan tests => repeat_each() * (blocks() * 2 + 10);

# nobody listens on port 1
defaults(
    config => "location / { msgbus bus; } location = /up { msgbus_health bus; }",
);

no_root_location();
no_long_string();
run_tests();

__DATA__

=== TEST 1: a zone that names it has it below
--- http_config
    msgbus_mongodb main { uri mongodb://127.0.0.1:1/; }
    msgbus_zone zone=bus:1m store=main;
--- request
GET /up?verbose=true
--- error_code: 503
--- response_body_like eval
'^\{"status":"down",.*"zone":"bus","store":"mongodb",.*"mongodb":\{"name":"main",'
. '"uri":"mongodb://127\.0\.0\.1:1/","reachable":false,"error":".+?",'
--- no_error_log
[alert]




=== TEST 2: it may stand below the zone
--- http_config
    msgbus_zone zone=bus:1m store=main;
    msgbus_mongodb main { uri mongodb://127.0.0.1:1/; }
--- request
GET /up?verbose=true
--- error_code: 503
--- response_body_like: "mongodb":\{"name":"main",
--- no_error_log
[alert]




=== TEST 3: reads are served from the log, posts are told to come again
--- http_config
    msgbus_mongodb main { uri mongodb://127.0.0.1:1/; retry tries=1 delay=200ms; }
    msgbus_zone zone=bus:1m store=main;
--- more_headers
User-Agent: uuid/w
--- request eval
["GET /a", "POST /a\n{}"]
--- error_code eval
[204, 503]
--- response_headers eval
["Msgbus-Id: ", "Retry-After: 1"]
--- no_error_log
[alert]
[emerg]




=== TEST 4: a memory bus beside it
--- http_config
    msgbus_mongodb main { uri mongodb://127.0.0.1:1/; }
    msgbus_zone zone=bus:1m store=main;
    msgbus_zone zone=other:1m;
--- config
    location / { msgbus other; }
--- request
GET /health
--- error_code: 200
--- response_body
OK
--- no_error_log
[alert]




=== TEST 5: one that no zone names
--- http_config
    msgbus_mongodb main { uri mongodb://127.0.0.1:1/; }
    msgbus_zone zone=bus:1m;
--- request
GET /health
--- error_code: 200
--- no_error_log
[alert]
[error]




=== TEST 6: no name
--- http_config
    msgbus_mongodb { uri mongodb://127.0.0.1:1/; }
--- must_die
--- error_log eval: qr/\[emerg\].*invalid number of arguments in "msgbus_mongodb"/




=== TEST 7: two names
--- http_config
    msgbus_mongodb one two { uri mongodb://127.0.0.1:1/; }
--- must_die
--- error_log eval: qr/\[emerg\].*invalid number of arguments in "msgbus_mongodb"/




=== TEST 8: an empty name
--- http_config
    msgbus_mongodb "" { uri mongodb://127.0.0.1:1/; }
--- must_die
--- error_log eval: qr/\[emerg\].*"msgbus_mongodb" can not be named ""/




=== TEST 9: the name of the other store
--- http_config
    msgbus_mongodb memory { uri mongodb://127.0.0.1:1/; }
--- must_die
--- error_log eval: qr/\[emerg\].*"msgbus_mongodb" can not be named "memory", choose another name/




=== TEST 10: a name that cannot stand in JSON
--- http_config
    msgbus_mongodb 'a"b' { uri mongodb://127.0.0.1:1/; }
--- must_die
--- error_log eval: qr/\[emerg\].*invalid character in the name "a"b" of "msgbus_mongodb", it is printable ASCII without quotes and backslashes/




=== TEST 11: two of one name
--- http_config
    msgbus_mongodb main { uri mongodb://127.0.0.1:1/; }
    msgbus_mongodb main { uri mongodb://127.0.0.1:2/; }
--- must_die
--- error_log eval: qr/\[emerg\].*"msgbus_mongodb main" is declared twice/




=== TEST 12: no block
--- http_config
    msgbus_mongodb main;
--- must_die
--- error_log eval: qr/\[emerg\].*"msgbus_mongodb" has no opening/




=== TEST 13: what there is none of in the block
--- http_config
    msgbus_mongodb main { uri mongodb://127.0.0.1:1/; color blue; }
--- must_die
--- error_log eval: qr/\[emerg\].*unknown directive "color" in msgbus_mongodb/




=== TEST 14: a directive with two values
--- http_config
    msgbus_mongodb main { uri mongodb://127.0.0.1:1/ mongodb://127.0.0.1:2/; }
--- must_die
--- error_log eval: qr/\[emerg\].*"uri" of msgbus_mongodb takes one value/




=== TEST 15: in a server
--- http_config
    msgbus_zone zone=bus:1m;
--- config
    msgbus_mongodb main { uri mongodb://127.0.0.1:1/; }
    location / { msgbus bus; }
--- must_die
--- error_log eval: qr/\[emerg\].*"msgbus_mongodb" directive is not allowed here/




=== TEST 16: a zone that names one that there is none of
--- http_config
    msgbus_mongodb main { uri mongodb://127.0.0.1:1/; }
    msgbus_zone zone=bus:1m store=mian;
--- must_die
--- error_log eval: qr/\[emerg\].*"(store=)?mian"/
