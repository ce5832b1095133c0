# msgbus_fresh_reads says where reads wait for a look at the store; 688 tells what
# that is good for.  A bus in memory has nothing to look at.

use lib "t/lib";
use Test::Nginx::Socket;
use Msgbus::Blocks;

repeat_each(2);

needs_mongodb();
plan tests => repeat_each() * (blocks() * 2 + 3);

# there is nobody at that port, so what waits is refused
defaults(
    http_config     => "msgbus_mongodb gone { uri mongodb://127.0.0.1:1;
                                              connect_timeout 100ms;
                                              retry tries=1 delay=100ms; }
                        msgbus_zone zone=gone:1m store=gone;
                        msgbus_zone zone=bus:1m;",
    request         => "GET /bus/a?echo=true",
    no_error_log    => "[alert]",
    suppress_stderr => "",
);

no_long_string();
run_tests();

__DATA__

=== TEST 1: the default is off: memory answers
--- config
    location /bus/ { msgbus gone; }
--- error_code: 204




=== TEST 2: off says so
--- config
    location /bus/ { msgbus gone; msgbus_fresh_reads off; }
--- error_code: 204




=== TEST 3: on
--- config
    location /bus/ { msgbus gone; msgbus_fresh_reads on; }
--- error_code: 503




=== TEST 4: it is inherited, and a location may do without
--- config
    msgbus_fresh_reads on;
    location /bus/   { msgbus gone; }
    location /plain/ { msgbus gone; msgbus_fresh_reads off; }
--- request eval
["GET /bus/a?echo=true", "GET /plain/a?echo=true"]
--- error_code eval
[503, 204]




=== TEST 5: a bus in memory has all there is
--- config
    location /bus/ { msgbus bus; msgbus_fresh_reads on; }
--- request
GET /bus/nothing?echo=true
--- error_code: 204




=== TEST 6: a subrequest can not wait, and is told nothing that may be old
--- config
    location = /page { ssi on; ssi_types application/x-page; default_type application/x-page;
                       return 200 '<!--#include virtual="/bus/a?echo=true" -->'; }
    location /bus/   { msgbus gone; msgbus_fresh_reads on; }
--- request
GET /page
--- response_body chop
{ "message": "A subrequest can not wait for the store" }




=== TEST 7: other values are refused
--- config
    location /bus/ { msgbus bus; msgbus_fresh_reads 1; }
--- must_die
--- error_log
invalid value "1" in "msgbus_fresh_reads" directive, it must be "on" or "off"




=== TEST 8: so is none
--- config
    location /bus/ { msgbus bus; msgbus_fresh_reads; }
--- must_die
--- error_log
invalid number of arguments in "msgbus_fresh_reads" directive




=== TEST 9: and another one in the same place
--- config
    location /bus/ { msgbus bus; msgbus_fresh_reads on; msgbus_fresh_reads off; }
--- must_die
--- error_log
"msgbus_fresh_reads" directive is duplicate
