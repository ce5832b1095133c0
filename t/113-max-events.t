# msgbus_max_events sets how long a page is by default, and how long at most.

use lib "t/lib";
use Test::Nginx::Socket;
use Msgbus::Blocks;

repeat_each(2);

plan tests => repeat_each() * (blocks() * 5);

# what is there is more than any limit below; the defaults are in 022
defaults(
    http_config           => "msgbus_zone zone=bus:1m;",
    init                  => "::post(map { ['/bus/c', qq({\"n\":\$_})] } 1 .. 9)",
    more_headers          => "User-Agent: uuid/r",
    request               => ["GET /bus/c", "GET /bus/c?max-events=100",
                              "GET /bus/c?max-events=1"],
    error_code            => [200, 200, 200],
    response_body_filters => \&numbers,
    no_error_log          => "[error]",
);

own_bus();

no_long_string();
run_tests();

__DATA__

=== TEST 1: a default and a cap
--- config
    location /bus/ { msgbus bus; msgbus_max_events 2 4; }
--- response_body eval
["1 2", "1 2 3 4", "1"]




=== TEST 2: they may be the same
--- config
    location /bus/ { msgbus bus; msgbus_max_events 3 3; }
--- response_body eval
["1 2 3", "1 2 3", "1"]




=== TEST 3: the smallest
--- config
    location /bus/ { msgbus bus; msgbus_max_events 1 1; }
--- response_body eval
["1", "1", "1"]




=== TEST 4: in http it is for all locations
--- http_config
    msgbus_zone zone=bus:1m;
    msgbus_max_events 2 3;
--- config
    location /bus/ { msgbus bus; }
--- response_body eval
["1 2", "1 2 3", "1"]




=== TEST 5: a server's own wins over that of http
--- http_config
    msgbus_zone zone=bus:1m;
    msgbus_max_events 2 3;
--- config
    msgbus_max_events 4 5;
    location /bus/ { msgbus bus; }
--- response_body eval
["1 2 3 4", "1 2 3 4 5", "1"]




=== TEST 6: a location's own wins over that of the server
--- http_config
    msgbus_zone zone=bus:1m;
    msgbus_max_events 2 3;
--- config
    msgbus_max_events 4 5;
    location /bus/ { msgbus bus; msgbus_max_events 6 7; }
--- response_body eval
["1 2 3 4 5 6", "1 2 3 4 5 6 7", "1"]




=== TEST 7: a default above the cap is refused
--- config
    msgbus_max_events 5 4;
--- must_die
--- error_log eval: qr/\[emerg\].*"5"/




=== TEST 8: no events by default is refused
--- config
    msgbus_max_events 0 4;
--- must_die
--- error_log eval: qr/\[emerg\].*"0"/




=== TEST 9: no events at most is refused
--- config
    msgbus_max_events 4 0;
--- must_die
--- error_log eval: qr/\[emerg\].*"(0|4)"/




=== TEST 10: a default that is no number is refused
--- config
    msgbus_max_events some 4;
--- must_die
--- error_log eval: qr/\[emerg\].*"some"/




=== TEST 11: a cap that is no number is refused
--- config
    msgbus_max_events 4 many;
--- must_die
--- error_log eval: qr/\[emerg\].*"many"/




=== TEST 12: a negative number is refused
--- config
    msgbus_max_events -1 4;
--- must_die
--- error_log eval: qr/\[emerg\].*"-1"/




=== TEST 13: three numbers are refused
--- config
    msgbus_max_events 1 2 3;
--- must_die
--- error_log eval: qr/\[emerg\].*"msgbus_max_events"/




=== TEST 14: no number is refused
--- config
    msgbus_max_events;
--- must_die
--- error_log eval: qr/\[emerg\].*"msgbus_max_events"/
