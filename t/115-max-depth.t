# msgbus_max_depth bounds how deep arrays and objects are nested.

use lib "t/lib";
use Test::Nginx::Socket;
use Msgbus::Blocks;

repeat_each(2);

plan tests => repeat_each() * (blocks() * 3 + 2);

# events of such depths; those that are refused are answered 400
sub deep { [map { "POST /bus/c\n" . "[" x $_ . "]" x $_ } @_] }

# the default, 512, is in 012 and 013
defaults(
    http_config  => "msgbus_zone zone=bus:1m;",
    more_headers => "User-Agent: uuid/w",
    error_code   => [201, 400],
    no_error_log => "[error]",
);

no_long_string();
run_tests();

__DATA__

=== TEST 1: so many levels, and no more
--- config
    location /bus/ { msgbus bus; msgbus_max_depth 3; }
--- request eval: ::deep(3, 4)




=== TEST 2: the value itself is the first level
--- config
    location /bus/ { msgbus bus; msgbus_max_depth 1; }
--- request eval: ::deep(1, 2)




=== TEST 3: objects count like arrays
--- config
    location /bus/ { msgbus bus; msgbus_max_depth 2; }
--- request eval
["POST /bus/c\n{\"a\":{}}", "POST /bus/c\n{\"a\":[{}]}"]




=== TEST 4: more than the default
--- config
    location /bus/ { msgbus bus; msgbus_max_depth 10000; }
--- request eval: ::deep(10000, 10001)




=== TEST 5: in http it is for all locations
--- http_config
    msgbus_zone zone=bus:1m;
    msgbus_max_depth 3;
--- config
    location /bus/ { msgbus bus; }
--- request eval: ::deep(3, 4)




=== TEST 6: a server's own wins over that of http
--- http_config
    msgbus_zone zone=bus:1m;
    msgbus_max_depth 3;
--- config
    msgbus_max_depth 5;
    location /bus/ { msgbus bus; }
--- request eval: ::deep(5, 6)




=== TEST 7: a location's own wins over that of the server
--- http_config
    msgbus_zone zone=bus:1m;
    msgbus_max_depth 3;
--- config
    msgbus_max_depth 5;
    location /bus/ { msgbus bus; msgbus_max_depth 7; }
--- request eval: ::deep(7, 8)




=== TEST 8: what is no number is refused
--- config
    msgbus_max_depth deep;
--- must_die
--- error_log eval: qr/\[emerg\].*"(msgbus_max_depth|deep)"/




=== TEST 9: a negative number is refused
--- config
    msgbus_max_depth -1;
--- must_die
--- error_log eval: qr/\[emerg\].*"(msgbus_max_depth|-1)"/




=== TEST 10: a bus on which nothing could be posted is refused
--- config
    msgbus_max_depth 0;
--- must_die
--- error_log eval: qr/\[emerg\].*("0"|value must be .*\b1\b)/




=== TEST 11: a depth beyond all reason is refused
--- config
    msgbus_max_depth 1000000;
--- must_die
--- error_log eval: qr/\[emerg\].*("1000000"|value must be )/




=== TEST 12: no value is refused
--- config
    msgbus_max_depth;
--- must_die
--- error_log eval: qr/\[emerg\].*"msgbus_max_depth"/
