# events=parent: the channel and its parents; events=all: it and all below it.

use lib "t/lib";
use Test::Nginx::Socket;
use Msgbus::Blocks;

repeat_each(2);

plan tests => repeat_each() * (blocks() * 6 + 9);

sub family {
    my $n = 0;

    post(map { [$_, '{"n":' . ++$n . '}'] }
             qw( /bus/a /bus/a/b /bus/a/b/c /bus/ab /bus/a/b2 /bus/a/b/c/d /bus/a /bus/a/b ));
}

# "1/a" for each event: its n and the channel that it names, if it names one
sub places {
    my ($body) = @_;

    return $body if $body !~ /^\{"channel":/;
    return join " ", $body =~ /"data":\{"n":(\d+\}(?:,"channel":"[^"]*)?)/g;
}

defaults(
    http_config           => "msgbus_zone zone=bus:1m first_id=1; msgbus_scope exact parent all;",
    config                => "location /bus/ { msgbus bus; }",
    init                  => "::family()",
    more_headers          => "User-Agent: uuid/r",
    response_body_filters => \&numbers,
    no_error_log          => "[error]",
);

own_bus();

no_long_string();
run_tests();

__DATA__

=== TEST 1: exact is the channel alone
--- request eval
["GET /bus/a/b", "GET /bus/a/b?events=exact"]
--- error_code eval
[200, 200]
--- response_body eval
["2 8", "2 8"]




=== TEST 2: parent merges the channel with each of its parents, in the order of ids
--- request
GET /bus/a/b/c?events=parent
--- response_body chop
1 2 3 7 8




=== TEST 3: a channel without parents is alone
--- request
GET /bus/a?events=parent
--- response_body chop
1 7




=== TEST 4: parents speak to a channel that nobody has written to
--- request
GET /bus/a/b/x/y?events=parent
--- response_body chop
1 2 7 8




=== TEST 5: parent is cut as a whole
--- request eval
["GET /bus/a/b/c?events=parent&max-events=2",
 "GET /bus/a/b/c?events=parent&max-events=2&last-known-id=2",
 "GET /bus/a/b/c?events=parent&max-events=2&last-known-id=7"]
--- error_code eval
[200, 200, 200]
--- response_headers eval
["Msgbus-Last-Id: 2", "Msgbus-Last-Id: 7", "Msgbus-Last-Id: 8"]
--- response_body eval
["1 2", "3 7", "8"]




=== TEST 6: parent, newest first
--- request
GET /bus/a/b/c?events=parent&sort=-1&max-events=3
--- response_body chop
8 7 3




=== TEST 7: all is the channel and everything below it, and no channel that only begins alike
--- request
GET /bus/a?events=all
--- response_body chop
1 2 3 5 6 7 8




=== TEST 8: all from further down
--- request eval
["GET /bus/a/b?events=all", "GET /bus/a/b/c?events=all", "GET /bus/a/b/c/d?events=all"]
--- error_code eval
[200, 200, 200]
--- response_body eval
["2 3 6 8", "3 6", "6"]




=== TEST 9: all where only channels below have been written to
--- init
::post(["/bus/x/y/z", '{"n":1}'])
--- request
GET /bus/x?events=all
--- response_body chop
1




=== TEST 10: all, a page at a time
--- request eval
["GET /bus/a?events=all&max-events=3", "GET /bus/a?events=all&max-events=3&last-known-id=3",
 "GET /bus/a?events=all&max-events=3&last-known-id=7"]
--- error_code eval
[200, 200, 200]
--- response_headers eval
["Msgbus-Last-Id: 3", "Msgbus-Last-Id: 7", "Msgbus-Last-Id: 8"]
--- response_body eval
["1 2 3", "5 6 7", "8"]




=== TEST 11: all, newest first
--- request
GET /bus/a?events=all&sort=-1&max-events=3
--- response_body chop
8 7 6




=== TEST 12: nothing below is 204
--- request eval
["GET /bus/a/b/c/d/e?events=all", "GET /bus/a/b?events=all&last-known-id=8",
 "GET /bus/z/b?events=parent"]
--- error_code eval
[204, 204, 204]
--- response_headers eval
[("Msgbus-Last-Id: 8\n! Msgbus-Gap") x 3]




=== TEST 13: own events are hidden here too
--- init
::post(["/bus/a", '{"n":1}', 'uuid/r'], ["/bus/a/b", '{"n":2}'], ["/bus/a/b", '{"n":3}', 'uuid/r'])
--- request eval
["GET /bus/a?events=all", "GET /bus/a/b?events=parent",
 "GET /bus/a?events=all&echo=true", "GET /bus/a/b?events=parent&echo=true"]
--- error_code eval
[(200) x 4]
--- response_body eval
["2", "2", "1 2 3", "1 2 3"]




=== TEST 14: an event then names its own channel, last
--- request eval
["GET /bus/a/b/c?events=parent&max-events=3", "GET /bus/a/b?events=all&max-events=2"]
--- error_code eval
[200, 200]
--- response_body_filters eval: \&::places
--- response_body eval
['1},"channel":"/a 2},"channel":"/a/b 3},"channel":"/a/b/c',
 '2},"channel":"/a/b 3},"channel":"/a/b/c']




=== TEST 15: with exact it does not
--- request
GET /bus/a/b
--- response_body_filters eval: \&::places
--- response_body chop
2} 8}




=== TEST 16: the answer's own channel is the one that was asked for
--- request
GET /bus/a/b/x?events=parent&max-events=1
--- response_body_filters eval: sub { $_[0] }
--- response_body_like eval
'\A\{"channel":"/a/b/x","events":\[\{"id":1,"user_agent":"[^"]+","created_at":"[^"]+","age":\d+,'
. '"data":\{"n":1\},"channel":"/a"\}\]\}\z'




=== TEST 17: an unknown value means exact
--- request eval
[map { "GET /bus/a/b?events=$_" } "", "children", "ALL", "allx", "par"]
--- error_code eval
[(200) x 5]
--- response_body eval
[("2 8") x 5]




=== TEST 18: events that were dropped below are a gap to a reader of all
--- http_config
    msgbus_zone zone=bus:1m first_id=1 max_events=2;
    msgbus_scope exact parent all;
--- init
::post(map { [$_, '{"n":0}'] } qw( /bus/a/b /bus/a/b /bus/c /bus/c ))
--- request eval
["GET /bus/a?events=all&last-known-id=1", "GET /bus/a?events=all&last-known-id=2"]
--- error_code eval
[204, 204]
--- response_headers eval
["Msgbus-Gap: true", "! Msgbus-Gap"]




=== TEST 19: events that were dropped above are a gap to a reader of parent
--- http_config
    msgbus_zone zone=bus:1m first_id=1 max_events=2;
    msgbus_scope exact parent all;
--- init
::post(map { [$_, '{"n":0}'] } qw( /bus/a /bus/a /bus/c /bus/c ))
--- request eval
["GET /bus/a/b?events=parent&last-known-id=1", "GET /bus/a/b?events=parent&last-known-id=2"]
--- error_code eval
[204, 204]
--- response_headers eval
["Msgbus-Gap: true", "! Msgbus-Gap"]
