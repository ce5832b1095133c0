# /health?verbose=true tells more, where msgbus_health or msgbus_rse says so:
# versions, numbers, warnings.

use lib "t/lib";
use Test::Nginx::Socket;
use Msgbus::Blocks;

repeat_each(2);

plan tests => repeat_each() * (blocks() * 8 + 3);

# the report but for versions
sub report {
    my ($body) = @_;

    $body =~ s/"msgbus":"\d+\.\d+\.\d+","nginx":"\d+\.\d+\.\d+",/VERSIONS,/;
    return $body;
}

# what a bus of this name says, with these numbers
sub says {
    my ($zone, $events, $last_id, $evicted, $refused, $warning) = @_;

    return qq({"status":"ok",VERSIONS,"zone":"$zone","store":"memory","events":$events,"last_id":$last_id,)
         . qq("waiting_readers":0,"evicted_early":$evicted,"refused":$refused,"keys_forgotten":0,"rebuilds":0,)
         . qq("warnings":[) . ($warning ? '"the zone is too small for its ttl"' : '') . ']}';
}

defaults(
    http_config           => "msgbus_zone zone=news:1m first_id=1;",
    config                => "location / { msgbus news; } location = /up { msgbus_health news; }
                              location /rse/ { msgbus news; msgbus_rse on; }",
    response_body_filters => \&report,
    no_error_log          => "[error]\n[alert]",
);

no_root_location();
no_long_string();
run_tests();

__DATA__

=== TEST 1: a report, as JSON, that is not cached
--- request
GET /up?verbose=true
--- response_headers
Content-Type: application/json; charset=utf-8
Cache-Control: no-store
--- response_body eval: ::says("news", 0, 0, 0, 0)




=== TEST 2: it counts events
--- init
::post(map { ["/a", "{}", "uuid/w"] } 1 .. 3)
--- request
GET /up?verbose=true
--- response_body eval: ::says("news", 3, 3, 0, 0)




=== TEST 3: below a bus it is for clients of RSE only
--- request eval
["GET /rse/health?verbose=true", "GET /health?verbose=true"]
--- error_code eval
[200, 200]
--- response_body eval
[::says("news", 0, 0, 0, 0), "OK\n"]




=== TEST 4: a zone in which events had to leave early is a warning, and no failure
--- http_config
    msgbus_zone zone=news:128k first_id=1;
--- init
my $x = "x" x 9_000; ::post(map { ["/a", qq(["$x"]), "uuid/w"] } 1 .. 15)
--- no_error_log
[alert]
--- request eval
["GET /up?verbose=true", "GET /health"]
--- error_code eval
[200, 200]
--- response_body_like eval
['"events":(\d),"last_id":15,"waiting_readers":0,"evicted_early":(?!0)\d+,"refused":0,"keys_forgotten":0,"rebuilds":0,'
 . '"warnings":\["the zone is too small for its ttl"\]\}\z', '\AOK$']




=== TEST 5: and when none has had to for as long as events live, it is over
--- http_config
    msgbus_zone zone=news:128k first_id=1 ttl=1s;
--- init
my $x = "x" x 9_000; ::post(map { ["/a", qq(["$x"]), "uuid/w"] } 1 .. 15); sleep 2
--- no_error_log
[alert]
--- request eval
["GET /up?verbose=true", "GET /health"]
--- error_code eval
[200, 200]
--- response_body_like eval
['"last_id":15,"waiting_readers":0,"evicted_early":(?!0)\d+,"refused":0,"keys_forgotten":0,"rebuilds":0,"warnings":\[\]\}\z', '\AOK$']




=== TEST 6: max_events is no matter of room: what it drops is no warning
--- http_config
    msgbus_zone zone=news:1m first_id=1 max_events=2;
--- init
::post(map { ["/a", "{}", "uuid/w"] } 1 .. 5)
--- request
GET /up?verbose=true
--- response_body eval: ::says("news", 2, 5, 0, 0)




=== TEST 7: so is one that refused some
--- http_config
    msgbus_zone zone=news:1m first_id=1 max_events=2 full=reject;
--- init
::post(map { ["/a", "{}", "uuid/w"] } 1 .. 2)
--- request eval
["POST /a\n{}", "GET /up?verbose=true"]
--- more_headers
User-Agent: uuid/w
--- no_error_log
[alert]
--- error_code eval
[507, 200]
--- response_body_like eval
["No room for events", '\A' . quotemeta(::says("news", 2, 2, 0, "N", 1)) =~ s/N(?=\\,)/[12]/r . '\z']




=== TEST 8: each bus has its own
--- http_config
    msgbus_zone zone=news:1m first_id=1;
    msgbus_zone zone=other:1m first_id=7;
--- config
    location = /news  { msgbus_health news; }
    location = /other { msgbus_health other; }
    location /others/ { msgbus other; }
--- init
::post(["/others/a", "{}", "uuid/w"])
--- request eval
["GET /news?verbose=true", "GET /other?verbose=true"]
--- error_code eval
[200, 200]
--- response_body eval
[::says("news", 0, 0, 0, 0), ::says("other", 1, 7, 0, 0)]




=== TEST 9: only true is true
--- request eval
[map { "GET /up?verbose=$_" } "", "false", "1", "TRUE", "truee", "true&verbose=false"]
--- error_code eval
[(200) x 6]
--- response_headers eval
[("Content-Type: text/plain") x 6]
--- response_body eval
[("OK\n") x 6]




=== TEST 10: with HEAD
--- request
HEAD /up?verbose=true
--- response_headers
Content-Type: application/json; charset=utf-8
--- response_body eval: ""
