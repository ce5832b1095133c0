# What msgbus_zone does not understand it quotes, and nginx does not start.

use lib "t/lib";
use Test::Nginx::Socket;
use Msgbus::Blocks;

repeat_each(1);    # nginx has no state when it does not start

plan tests => repeat_each() * (blocks() * 2);

defaults(
    config => "location /bus/ { msgbus bus; }",
);

no_long_string();
run_tests();

__DATA__

=== TEST 1: no parameters
--- http_config
    msgbus_zone;
--- must_die
--- error_log eval: qr/\[emerg\].*"msgbus_zone"/




=== TEST 2: no zone
--- http_config
    msgbus_zone ttl=10s;
--- must_die
--- error_log eval: qr/\[emerg\].*zone/




=== TEST 3: a zone without a name
--- http_config
    msgbus_zone zone=:1m;
--- must_die
--- error_log eval: qr/\[emerg\].*"(zone=)?:1m"/




=== TEST 4: a zone without a size
--- http_config
    msgbus_zone zone=bus;
--- must_die
--- error_log eval: qr/\[emerg\].*"(zone=)?bus"/




=== TEST 5: an empty size
--- http_config
    msgbus_zone zone=bus:;
--- must_die
--- error_log eval: qr/\[emerg\].*"(zone=)?bus:"/




=== TEST 6: a size that is no size
--- http_config
    msgbus_zone zone=bus:big;
--- must_die
--- error_log eval: qr/\[emerg\].*"(zone=)?(bus:)?big"/




=== TEST 7: a negative size
--- http_config
    msgbus_zone zone=bus:-1m;
--- must_die
--- error_log eval: qr/\[emerg\].*"(zone=)?(bus:)?-1m"/




=== TEST 8: a size of nothing
--- http_config
    msgbus_zone zone=bus:0;
--- must_die
--- error_log eval: qr/\[emerg\].*"(zone=)?bus(:0)?"/




=== TEST 9: a zone too small for a bus
--- http_config
    msgbus_zone zone=bus:8k;
--- must_die
--- error_log eval: qr/\[emerg\].*"(zone=)?bus(:8k)?"/




=== TEST 10: two zones of one name
--- http_config
    msgbus_zone zone=bus:1m;
    msgbus_zone zone=bus:1m;
--- must_die
--- error_log eval: qr/\[emerg\].*"(zone=)?bus(:1m)?"/




=== TEST 11: the name of another module's zone
--- http_config
    limit_req_zone $server_name zone=bus:1m rate=1r/s;
    msgbus_zone zone=bus:1m;
--- must_die
--- error_log eval: qr/\[emerg\].*"(zone=)?bus(:1m)?"/




=== TEST 12: a ttl that is no time
--- http_config
    msgbus_zone zone=bus:1m ttl=soon;
--- must_die
--- error_log eval: qr/\[emerg\].*"(ttl=)?soon"/




=== TEST 13: an empty ttl
--- http_config
    msgbus_zone zone=bus:1m ttl=;
--- must_die
--- error_log eval: qr/\[emerg\].*"ttl="/




=== TEST 14: a negative ttl
--- http_config
    msgbus_zone zone=bus:1m ttl=-1s;
--- must_die
--- error_log eval: qr/\[emerg\].*"(ttl=)?-1s"/




=== TEST 15: a ttl of nothing
--- http_config
    msgbus_zone zone=bus:1m ttl=0;
--- must_die
--- error_log eval: qr/\[emerg\].*"(ttl=)?0"/




=== TEST 16: max_events that is no number
--- http_config
    msgbus_zone zone=bus:1m max_events=many;
--- must_die
--- error_log eval: qr/\[emerg\].*"(max_events=)?many"/




=== TEST 17: max_events of nothing
--- http_config
    msgbus_zone zone=bus:1m max_events=0;
--- must_die
--- error_log eval: qr/\[emerg\].*"(max_events=)?0"/




=== TEST 18: negative max_events
--- http_config
    msgbus_zone zone=bus:1m max_events=-5;
--- must_die
--- error_log eval: qr/\[emerg\].*"(max_events=)?-5"/




=== TEST 19: max_event_size that is no size
--- http_config
    msgbus_zone zone=bus:1m max_event_size=huge;
--- must_die
--- error_log eval: qr/\[emerg\].*"(max_event_size=)?huge"/




=== TEST 20: max_event_size of nothing
--- http_config
    msgbus_zone zone=bus:1m max_event_size=0;
--- must_die
--- error_log eval: qr/\[emerg\].*"(max_event_size=)?0"/




=== TEST 21: max_event_size beyond what the zone can hold
--- http_config
    msgbus_zone zone=bus:1m max_event_size=2m;
--- must_die
--- error_log eval: qr/\[emerg\].*max_event_size.*(2m|2097152)/




=== TEST 22: full that is neither evict nor reject
--- http_config
    msgbus_zone zone=bus:1m full=block;
--- must_die
--- error_log eval: qr/\[emerg\].*"(full=)?block"/




=== TEST 23: an empty full
--- http_config
    msgbus_zone zone=bus:1m full=;
--- must_die
--- error_log eval: qr/\[emerg\].*"full="/




=== TEST 24: first_id that is no number
--- http_config
    msgbus_zone zone=bus:1m first_id=one;
--- must_die
--- error_log eval: qr/\[emerg\].*"(first_id=)?one"/




=== TEST 25: first_id=0
--- http_config
    msgbus_zone zone=bus:1m first_id=0;
--- must_die
--- error_log eval: qr/\[emerg\].*"(first_id=)?0"/




=== TEST 26: a negative first_id
--- http_config
    msgbus_zone zone=bus:1m first_id=-1;
--- must_die
--- error_log eval: qr/\[emerg\].*"(first_id=)?-1"/




=== TEST 27: first_id at 2^53, where ids have to end
--- http_config
    msgbus_zone zone=bus:1m first_id=9007199254740992;
--- must_die
--- error_log eval: qr/\[emerg\].*"(first_id=)?9007199254740992"/




=== TEST 28: a store that there is none of
--- http_config
    msgbus_zone zone=bus:1m store=tape;
--- must_die
--- error_log eval: qr/\[emerg\].*"(store=)?tape"/




=== TEST 29: a parameter that there is none of
--- http_config
    msgbus_zone zone=bus:1m color=blue;
--- must_die
--- error_log eval: qr/\[emerg\].*"color=blue"/




=== TEST 30: a parameter that only begins alike
--- http_config
    msgbus_zone zone=bus:1m ttls=1s;
--- must_die
--- error_log eval: qr/\[emerg\].*"ttls=1s"/




=== TEST 31: a word
--- http_config
    msgbus_zone bus;
--- must_die
--- error_log eval: qr/\[emerg\].*"bus"/




=== TEST 32: in a server
--- http_config
    msgbus_zone zone=bus:1m;
--- config
    msgbus_zone zone=other:1m;
    location /bus/ { msgbus bus; }
--- must_die
--- error_log eval: qr/\[emerg\].*"msgbus_zone" directive is not allowed here/




=== TEST 33: a name that cannot stand in JSON
--- http_config
    msgbus_zone 'zone=b"x:1m';
--- must_die
--- error_log eval: qr/\[emerg\].*"zone=b"x:1m", it is printable ASCII without quotes and backslashes/




=== TEST 34: a parameter twice, of which the later one would win
--- http_config
    msgbus_zone zone=bus:1m ttl=1s ttl=2s;
--- must_die
--- error_log eval: qr/\[emerg\].*parameter "ttl=2s" of "msgbus_zone" is duplicate/




=== TEST 35: two zones in one directive
--- http_config
    msgbus_zone zone=bus:1m zone=other:1m;
--- must_die
--- error_log eval: qr/\[emerg\].*parameter "zone=other:1m" of "msgbus_zone" is duplicate/
