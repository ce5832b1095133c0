# What database, the time-outs, retry and poll of msgbus_mongodb do not
# understand they quote, and nginx does not start.

use lib "t/lib";
use Test::Nginx::Socket;
use Msgbus::Blocks;

repeat_each(1);    # nginx has no state when it does not start

needs_mongodb();
plan tests => repeat_each() * (blocks() * 2);

# a block of msgbus_mongodb with this in it
sub main {
    return "msgbus_mongodb main { uri mongodb://127.0.0.1:1/; $_[0] }"
           . " msgbus_zone zone=bus:1m store=main;";
}

defaults(
    config => "location / { msgbus bus; }",
);

no_root_location();
no_long_string();
run_tests();

__DATA__

=== TEST 1: a database without a name
--- http_config eval: ::main(q{database "";})
--- must_die
--- error_log eval: qr/\[emerg\].*invalid name of a database ""/




=== TEST 2: one with a dot
--- http_config eval: ::main(q{database a.b;})
--- must_die
--- error_log eval: qr/\[emerg\].*invalid name of a database "a\.b"/




=== TEST 3: one with a slash
--- http_config eval: ::main(q{database a/b;})
--- must_die
--- error_log eval: qr/\[emerg\].*invalid name of a database "a\/b"/




=== TEST 4: one with a space
--- http_config eval: ::main(q{database "a b";})
--- must_die
--- error_log eval: qr/\[emerg\].*invalid name of a database "a b"/




=== TEST 5: one with a dollar
--- http_config eval: ::main(q{database a$b;})
--- must_die
--- error_log eval: qr/\[emerg\].*invalid name of a database "a\$b"/




=== TEST 6: one that is too long
--- http_config eval: ::main(q{database xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx;})
--- must_die
--- error_log eval: qr/\[emerg\].*invalid name of a database "x{64}"/




=== TEST 7: one that is not ASCII
--- http_config eval: ::main(q{database büs;})
--- must_die
--- error_log eval: qr/\[emerg\].*invalid name of a database "b.+s"/




=== TEST 8: two of them
--- http_config eval: ::main(q{database a; database b;})
--- must_die
--- error_log eval: qr/\[emerg\].*"database" of msgbus_mongodb is duplicate/




=== TEST 9: connect_timeout that is no time
--- http_config eval: ::main(q{connect_timeout soon;})
--- must_die
--- error_log eval: qr/\[emerg\].*invalid time "soon" in msgbus_mongodb/




=== TEST 10: connect_timeout of nothing
--- http_config eval: ::main(q{connect_timeout 0;})
--- must_die
--- error_log eval: qr/\[emerg\].*invalid time "0" in msgbus_mongodb/




=== TEST 11: connect_timeout that is negative
--- http_config eval: ::main(q{connect_timeout -1s;})
--- must_die
--- error_log eval: qr/\[emerg\].*invalid time "-1s" in msgbus_mongodb/




=== TEST 12: connect_timeout that is empty
--- http_config eval: ::main(q{connect_timeout "";})
--- must_die
--- error_log eval: qr/\[emerg\].*invalid time "" in msgbus_mongodb/




=== TEST 13: connect_timeout of more than an hour
--- http_config eval: ::main(q{connect_timeout 2h;})
--- must_die
--- error_log eval: qr/\[emerg\].*invalid time "2h" in msgbus_mongodb/




=== TEST 14: connect_timeout twice
--- http_config eval: ::main(q{connect_timeout 1s; connect_timeout 1s;})
--- must_die
--- error_log eval: qr/\[emerg\].*"connect_timeout" of msgbus_mongodb is duplicate/




=== TEST 15: timeout that is no time
--- http_config eval: ::main(q{timeout soon;})
--- must_die
--- error_log eval: qr/\[emerg\].*invalid time "soon" in msgbus_mongodb/




=== TEST 16: timeout of nothing
--- http_config eval: ::main(q{timeout 0;})
--- must_die
--- error_log eval: qr/\[emerg\].*invalid time "0" in msgbus_mongodb/




=== TEST 17: timeout that is negative
--- http_config eval: ::main(q{timeout -1s;})
--- must_die
--- error_log eval: qr/\[emerg\].*invalid time "-1s" in msgbus_mongodb/




=== TEST 18: timeout that is empty
--- http_config eval: ::main(q{timeout "";})
--- must_die
--- error_log eval: qr/\[emerg\].*invalid time "" in msgbus_mongodb/




=== TEST 19: timeout of more than an hour
--- http_config eval: ::main(q{timeout 2h;})
--- must_die
--- error_log eval: qr/\[emerg\].*invalid time "2h" in msgbus_mongodb/




=== TEST 20: timeout twice
--- http_config eval: ::main(q{timeout 1s; timeout 1s;})
--- must_die
--- error_log eval: qr/\[emerg\].*"timeout" of msgbus_mongodb is duplicate/




=== TEST 21: poll that is no time
--- http_config eval: ::main(q{poll soon;})
--- must_die
--- error_log eval: qr/\[emerg\].*invalid time "soon" in msgbus_mongodb/




=== TEST 22: poll of nothing
--- http_config eval: ::main(q{poll 0;})
--- must_die
--- error_log eval: qr/\[emerg\].*invalid time "0" in msgbus_mongodb/




=== TEST 23: poll that is negative
--- http_config eval: ::main(q{poll -1s;})
--- must_die
--- error_log eval: qr/\[emerg\].*invalid time "-1s" in msgbus_mongodb/




=== TEST 24: poll that is empty
--- http_config eval: ::main(q{poll "";})
--- must_die
--- error_log eval: qr/\[emerg\].*invalid time "" in msgbus_mongodb/




=== TEST 25: poll of more than an hour
--- http_config eval: ::main(q{poll 2h;})
--- must_die
--- error_log eval: qr/\[emerg\].*invalid time "2h" in msgbus_mongodb/




=== TEST 26: poll twice
--- http_config eval: ::main(q{poll 1s; poll 1s;})
--- must_die
--- error_log eval: qr/\[emerg\].*"poll" of msgbus_mongodb is duplicate/




=== TEST 27: poll that is off, and then on
--- http_config eval: ::main(q{poll off; poll 1s;})
--- must_die
--- error_log eval: qr/\[emerg\].*"poll" of msgbus_mongodb is duplicate/




=== TEST 28: poll that is on, and then off
--- http_config eval: ::main(q{poll 1s; poll off;})
--- must_die
--- error_log eval: qr/\[emerg\].*(?:"poll" of msgbus_mongodb is duplicate|invalid time "off")/




=== TEST 29: retry without a word
--- http_config eval: ::main(q{retry;})
--- must_die
--- error_log eval: qr/\[emerg\].*"retry" of msgbus_mongodb needs tries= or delay=/




=== TEST 30: retry with no number of tries
--- http_config eval: ::main(q{retry tries=many;})
--- must_die
--- error_log eval: qr/\[emerg\].*invalid value "tries=many" of "retry" in msgbus_mongodb/




=== TEST 31: retry with no tries
--- http_config eval: ::main(q{retry tries=0;})
--- must_die
--- error_log eval: qr/\[emerg\].*invalid value "tries=0" of "retry" in msgbus_mongodb/




=== TEST 32: retry with an empty number of tries
--- http_config eval: ::main(q{retry tries=;})
--- must_die
--- error_log eval: qr/\[emerg\].*invalid value "tries=" of "retry" in msgbus_mongodb/




=== TEST 33: retry with more tries than there is use for
--- http_config eval: ::main(q{retry tries=1001;})
--- must_die
--- error_log eval: qr/\[emerg\].*invalid value "tries=1001" of "retry" in msgbus_mongodb/




=== TEST 34: retry with a delay that is no time
--- http_config eval: ::main(q{retry delay=soon;})
--- must_die
--- error_log eval: qr/\[emerg\].*invalid value "delay=soon" of "retry" in msgbus_mongodb/




=== TEST 35: retry with a delay of nothing
--- http_config eval: ::main(q{retry delay=0;})
--- must_die
--- error_log eval: qr/\[emerg\].*invalid value "delay=0" of "retry" in msgbus_mongodb/




=== TEST 36: retry with a delay of more than a minute
--- http_config eval: ::main(q{retry delay=61s;})
--- must_die
--- error_log eval: qr/\[emerg\].*invalid value "delay=61s" of "retry" in msgbus_mongodb/




=== TEST 37: retry with what there is none of
--- http_config eval: ::main(q{retry times=3;})
--- must_die
--- error_log eval: qr/\[emerg\].*invalid value "times=3" of "retry" in msgbus_mongodb/




=== TEST 38: retry with a word
--- http_config eval: ::main(q{retry 10;})
--- must_die
--- error_log eval: qr/\[emerg\].*invalid value "10" of "retry" in msgbus_mongodb/




=== TEST 39: retry twice with tries
--- http_config eval: ::main(q{retry tries=1 tries=2;})
--- must_die
--- error_log eval: qr/\[emerg\].*"retry" of msgbus_mongodb is duplicate/




=== TEST 40: retry twice with a delay
--- http_config eval: ::main(q{retry delay=1s; retry delay=2s;})
--- must_die
--- error_log eval: qr/\[emerg\].*"retry" of msgbus_mongodb is duplicate/
