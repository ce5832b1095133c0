# Test mode: nobody has to say who it is, and /all shows every event.

use lib "t/lib";
use Test::Nginx::Socket;
use Msgbus::Blocks;

repeat_each(2);
check_accum_error_log();    # the warning is there once, at the start

plan tests => repeat_each() * (blocks() * 4 + 1);

sub three {
    post(["/a", '{"n":1}'], ["/b/c", '{"n":2}'], ["/a", '{"n":3}', 'uuid/r']);
}

defaults(
    http_config           => "msgbus_zone zone=bus:1m first_id=1;",
    config                => "location / { msgbus bus; msgbus_test_mode on; }",
    init                  => "::three()",
    response_body_filters => \&numbers,
    no_error_log          => "[error]",
    suppress_stderr       => "",
);

own_bus();

no_root_location();
no_long_string();
run_tests();

__DATA__

=== TEST 1: every event of the bus
--- request
GET /all
--- response_headers
Content-Type: application/json; charset=utf-8
--- response_body chop
1 2 3




=== TEST 2: in a bare array
--- request
GET /all
--- response_body_filters eval: sub { $_[0] }
--- response_body_like eval
my $x = '"user_agent":"[^"]+","created_at":"[^"]+","age":\d+';
'\A\[\{"id":1,' . $x . ',"data":\{"n":1\}[^{}]*\},\{"id":2,' . $x . ',"data":\{"n":2\}[^{}]*\},'
. '\{"id":3,' . $x . ',"data":\{"n":3\}[^{}]*\}\]\z'




=== TEST 3: an empty bus is an empty array
--- init
--- request
GET /all
--- response_headers
Content-Type: application/json; charset=utf-8
Content-Length: 2
--- response_body_filters eval: sub { $_[0] }
--- response_body chop
[]




=== TEST 4: newest first
--- request
GET /all?sort=-1
--- response_body chop
3 2 1




=== TEST 5: HEAD
--- request
HEAD /all
--- response_headers
Content-Type: application/json; charset=utf-8
--- response_body eval: ""




=== TEST 6: own events are there as well
--- request
GET /all
--- more_headers
User-Agent: uuid/r
--- response_body chop
1 2 3




=== TEST 7: every event, not a page of them
--- init
::post(map { ["/a", qq({"n":$_})] } 1 .. 600)
--- request
GET /all
--- response_body eval
::row(1, 600)




=== TEST 8: a poster needs no uuid
--- request eval
["POST /anon\n{}", "GET /anon?sort=-1&max-events=1"]
--- more_headers
User-Agent: nobody/1.0
--- error_code eval
[201, 200]




=== TEST 9: nor a User-Agent
--- request eval
["POST /none\n{\"n\":7}", "GET /none?sort=-1&max-events=1"]
--- error_code eval
[201, 200]
--- response_body_filters eval: sub { $_[0] }
--- response_body_like eval
['\A\z', '"user_agent":"","created_at":']




=== TEST 10: all cannot be posted to
--- request
POST /all
{}
--- more_headers
User-Agent: uuid/w
--- error_code_like: 40[05]
--- response_body_like: \A\{ "message": "[^"]+" \}\z




=== TEST 11: out of test mode it is a channel like others
--- config
    location / { msgbus bus; }
--- request eval
["GET /all", "POST /all\n{\"n\":7}", "GET /all?echo=true&max-events=1"]
--- more_headers
User-Agent: uuid/w
--- error_code_like eval
["20[04]", "201", "200"]
--- response_body_filters eval: sub { $_[0] }
--- response_body_like eval
["", "", '\A\{"channel":"/all","events":\[']




=== TEST 12: it is logged at the start, as a warning
--- request
GET /all
--- error_log eval
qr/\[warn\].*test[ _]mode/




=== TEST 13: out of test mode it is not
--- config
    location / { msgbus bus; msgbus_test_mode off; }
--- request
GET /a?echo=true
--- no_error_log
test_mode
test mode
