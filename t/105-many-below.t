# msgbus_scope many lets a location answer for several channels at once;
# msgbus_many_below says which.

use lib "t/lib";
use Test::Nginx::Socket;
use Msgbus::Blocks;

repeat_each(2);

plan tests => repeat_each() * 70;

our $init = "location /init/ { msgbus bus; }";

our $off = '\A\{ "message": "channels= is off" \}\z';
our $star = '\A\{ "message": "channels= takes no /\* here" \}\z';
our $not_here = '\A\{ "message": "channels= names one that it may not name here" \}\z';

defaults(
    http_config           => "msgbus_zone zone=bus:1m first_id=1; msgbus_require_uuid off;",
    init                  => '::post(map { ["/init$_->[0]", qq({"n":$_->[1]})] } ["/a", 1], ["/a/b", 2], ["/c", 3], ["/ab", 4])',
    response_body_filters => \&numbers,
    no_error_log          => "[error]",
);

own_bus();

no_long_string();
run_tests();

__DATA__

=== TEST 1: it is off where nobody has switched it on
--- config eval
"$::init location /bus/ { msgbus bus; } location /all/ { msgbus bus; msgbus_scope exact parent all; }
 location /rse/ { msgbus bus; msgbus_rse on; }"
--- request eval
["GET /bus/?channels=/a", "GET /all/?channels=/a", "GET /rse/?channels=/a"]
--- error_code eval: [403, 403, 403]
--- response_body_like eval
[($::off) x 3]




=== TEST 2: many takes channels; with all, those below them too
--- config eval
"$::init location /bus/ { msgbus bus; msgbus_scope exact many; } location /all/ { msgbus bus; msgbus_scope many all; }"
--- request eval
["GET /bus/?channels=/a,/c", "GET /bus/?channels=/a/*,/c", "GET /bus/?channels=/*", "GET /all/?channels=/a/*,/c", "GET /all/a"]
--- error_code eval: [200, 403, 403, 200, 403]
--- response_body_like eval
['\A1 3\z', $::star, $::star, '\A1 2 3\z', 'events=exact is off']




=== TEST 3: streams, waits and HEAD by the same rule
--- config eval
"$::init location /bus/ { msgbus bus; }"
--- request eval
["GET /bus/?channels=/a", "GET /bus/?channels=/a&wait=5", "HEAD /bus/?channels=/a"]
--- more_headers eval
["Accept: text/event-stream", "", ""]
--- error_code eval: [403, 403, 403]




=== TEST 4: names below those of msgbus_many_below
--- config eval
"$::init location /bus/ { msgbus bus; msgbus_scope many all; msgbus_many_below /a /x/y; }"
--- request eval
["GET /bus/?channels=/a", "GET /bus/?channels=/a/b,/a", "GET /bus/?channels=/a/*,/x/y/z", "GET /bus/?channels=/a,/c",
 "GET /bus/?channels=/ab", "GET /bus/?channels=/x", "GET /bus/?channels=/x/*", "GET /bus/?channels=/*"]
--- error_code eval: [200, 200, 200, 403, 403, 403, 403, 403]
--- response_body_like eval
['\A1\z', '\A1 2\z', '\A1 2\z', ($::not_here) x 5]




=== TEST 5: it limits channels= alone, and is inherited where nothing else is said
--- http_config
    msgbus_zone zone=bus:1m first_id=1;
    msgbus_scope exact all many;
    msgbus_many_below /a;
--- config eval
"$::init location /bus/ { msgbus bus; } location /own/ { msgbus bus; msgbus_many_below /c; }"
--- request eval
["GET /bus/?channels=/c", "GET /bus/c", "GET /bus/?events=all", "GET /own/?channels=/c", "GET /own/?channels=/a"]
--- error_code eval: [403, 200, 200, 200, 403]




=== TEST 6: it must be a channel's name
--- must_die
--- config
    location /bus/ { msgbus bus; msgbus_many_below a; }
--- error_log eval: qr/\[emerg\].*"a" of "msgbus_many_below" is no channel/




=== TEST 7: the root is no limit
--- must_die
--- config
    location /bus/ { msgbus bus; msgbus_many_below /a /; }
--- error_log eval: qr/\[emerg\].*"\/" of "msgbus_many_below" is no channel/




=== TEST 8: it must say one, once
--- must_die
--- config
    location /bus/ { msgbus bus; msgbus_many_below /a; msgbus_many_below /b; }
--- error_log eval: qr/\[emerg\].*"msgbus_many_below" directive is duplicate/
