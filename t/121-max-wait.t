# msgbus_max_wait bounds how long a reader may wait.

use lib "t/lib";
use Test::Nginx::Socket;
use Msgbus::Blocks;

repeat_each(1);    # each block takes its time

plan tests => repeat_each() * (blocks() * 3 - 1);

defaults(
    http_config  => "msgbus_zone zone=bus:1m;",
    more_headers => "User-Agent: uuid/r\nPrefer: wait=600",
    request      => "GET /bus/c",
    error_code   => 204,
    no_error_log => "[error]",
);

no_long_string();
run_tests();

__DATA__

=== TEST 1: a reader waits so long
--- config
    location /bus/ { msgbus bus; msgbus_max_wait 1s; }
--- response_headers
Preference-Applied: wait=1




=== TEST 2: with 0 nobody waits
--- config
    location /bus/ { msgbus bus; msgbus_max_wait 0; }
--- timeout: 10
--- request eval
["GET /bus/c?wait=20", "GET /bus/c"]
--- error_code eval
[204, 204]




=== TEST 3: of less than a second, too, there is a wait
--- config
    location /bus/ { msgbus bus; msgbus_max_wait 100ms; }
--- timeout: 10
--- request eval
["GET /bus/c?wait=20", "GET /bus/c?wait=1"]
--- error_code eval
[204, 204]




=== TEST 4: what is no time is refused
--- config
    msgbus_max_wait soon;
--- must_die
--- error_log eval: qr/\[emerg\].*"msgbus_max_wait" directive invalid value/




=== TEST 5: so is a time before now
--- config
    msgbus_max_wait -1s;
--- must_die
--- error_log eval: qr/\[emerg\].*"msgbus_max_wait" directive invalid value/




=== TEST 6: so is none
--- config
    msgbus_max_wait;
--- must_die
--- error_log eval: qr/\[emerg\].*"msgbus_max_wait"/
