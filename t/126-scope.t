# msgbus_scope says whose events a location answers for: of the channel that is
# named, of those above it, of all below it and of the whole bus.

use lib "t/lib";
use Test::Nginx::Socket;
use Msgbus::Blocks;

repeat_each(2);

plan tests => repeat_each() * (blocks() * 9 - 15);

our @asked = ("GET /bus/a/b", "GET /bus/a/b?events=parent", "GET /bus/a?events=all",
              "GET /bus/?events=all");

our $init = "location /init/ { msgbus bus; }";

# the statuses, where these are in the set
sub answers {
    my (%set) = map { $_ => 1 } @_;

    return [map { $set{$_} ? 200 : 403 } qw( exact parent all all )];
}

defaults(
    http_config  => "msgbus_zone zone=bus:1m first_id=1;",
    init         => '::post(["/init/a/b", "{}", "uuid/w"])',
    request      => \@asked,
    no_error_log => "[error]",
);

no_long_string();
run_tests();

__DATA__

=== TEST 1: the default is exact
--- config eval
"$::init location /bus/ { msgbus bus; }"
--- error_code eval: ::answers("exact")
--- response_body_like eval
['\A\{"channel":"/a/b",', '\A\{ "message": "events=parent is off" \}\z', ('\A\{ "message": "events=all is off" \}\z') x 2]
--- response_headers eval
[("Content-Type: application/json; charset=utf-8") x 4]




=== TEST 2: exact says so
--- config eval
"$::init location /bus/ { msgbus bus; msgbus_scope exact; }"
--- error_code eval: ::answers("exact")




=== TEST 3: those above
--- config eval
"$::init location /bus/ { msgbus bus; msgbus_scope exact parent; }"
--- error_code eval: ::answers("exact", "parent")




=== TEST 4: those below, the whole bus among them
--- config eval
"$::init location /bus/ { msgbus bus; msgbus_scope exact all; }"
--- error_code eval: ::answers("exact", "all")




=== TEST 5: all of it
--- config eval
"$::init location /bus/ { msgbus bus; msgbus_scope all parent exact; }"
--- error_code eval: ::answers("exact", "parent", "all")




=== TEST 6: what is not named is off, exact too
--- config eval
"$::init location /bus/ { msgbus bus; msgbus_scope all; }"
--- error_code eval: ::answers("all")
--- response_body_like eval
['\A\{ "message": "events=exact is off" \}\z', 'events=parent is off', '"channel":"/a/b"', '"channel":"/a/b"']




=== TEST 7: streams, waits and HEAD are read by the same rule
--- config eval
"$::init location /bus/ { msgbus bus; }"
--- request eval
["GET /bus/a?events=all", "GET /bus/a?events=all&wait=5", "HEAD /bus/a?events=all",
 "GET /bus/a/b?events=parent&last-known-id=latest&wait=5"]
--- more_headers eval
["Accept: text/event-stream", "", "", ""]
--- error_code eval: [403, 403, 403, 403]




=== TEST 8: the root of the bus is no channel, whatever is on
--- config eval
"$::init location /bus/ { msgbus bus; msgbus_scope exact parent all; }"
--- request eval
["GET /bus/", "GET /bus/?events=parent"]
--- error_code eval: [400, 400]
--- response_body eval
[('{ "message": "Invalid channel name" }') x 2]




=== TEST 9: in http it is for all locations
--- http_config
    msgbus_zone zone=bus:1m first_id=1;
    msgbus_scope exact all;
--- config eval
"$::init location /bus/ { msgbus bus; }"
--- error_code eval: ::answers("exact", "all")




=== TEST 10: a server's own wins over that of http
--- http_config
    msgbus_zone zone=bus:1m first_id=1;
    msgbus_scope exact all;
--- config eval
"$::init msgbus_scope exact; location /bus/ { msgbus bus; }"
--- error_code eval: ::answers("exact")




=== TEST 11: a location's own wins over that of the server
--- http_config
    msgbus_zone zone=bus:1m first_id=1;
    msgbus_scope exact all;
--- config eval
"$::init msgbus_scope exact; location /bus/ { msgbus bus; msgbus_scope exact parent; }"
--- error_code eval: ::answers("exact", "parent")




=== TEST 12: another word is refused
--- config
    msgbus_scope everything;
--- must_die
--- error_log eval: qr/\[emerg\].*"everything"/




=== TEST 13: no word is refused
--- config
    msgbus_scope;
--- must_die
--- error_log eval: qr/\[emerg\].*"msgbus_scope"/
