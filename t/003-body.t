# However the body comes, one event is stored.

use lib "t/lib";
use Test::Nginx::Socket;
use Msgbus::Blocks;

repeat_each(2);

plan tests => repeat_each() * (blocks() * 8 + 6);

# an event of n bytes
sub event { '{"a":"' . 'x' x ($_[0] - 8) . '"}' }

# what is read is told by its length alone
sub length_of { $_[0] =~ /"data":(.*)\}\]\}\z/s ? length $1 : $_[0] }

defaults(
    http_config           => "msgbus_zone zone=bus:2m;",
    more_headers          => "User-Agent: poster/1.0 uuid/w",
    no_error_log          => "[error]\n[alert]",
    response_body_filters => \&length_of,
);

no_long_string();
run_tests();

__DATA__

=== TEST 1: a body in memory
--- config
    location /bus/ { msgbus bus; }
--- request eval
["POST /bus/memory\n" . ::event(300), "GET /bus/memory?echo=true&sort=-1&max-events=1"]
--- more_headers
User-Agent: poster/1.0 uuid/w
--- error_code eval
[201, 200]
--- response_body eval
["", "300"]




=== TEST 2: a body in two buffers: what came with the header, and the rest
--- config
    client_header_buffer_size 1k;
    client_body_buffer_size 64k;
    location /bus/ { msgbus bus; }
--- request eval
["POST /bus/two\n" . ::event(30000), "GET /bus/two?echo=true&sort=-1&max-events=1"]
--- more_headers
User-Agent: poster/1.0 uuid/w
--- error_code eval
[201, 200]
--- response_body eval
["", "30000"]




=== TEST 3: a body larger than client_body_buffer_size, spilled to a file
--- config
    location /bus/ { msgbus bus; client_body_buffer_size 1k; }
--- request eval
["POST /bus/spilled\n" . ::event(100000), "GET /bus/spilled?echo=true&sort=-1&max-events=1"]
--- more_headers
User-Agent: poster/1.0 uuid/w
--- error_code eval
[201, 200]
--- response_body eval
["", "100000"]




=== TEST 4: a body that is in a file from the start
--- config
    location /bus/ { msgbus bus; client_body_in_file_only clean; }
--- request eval
["POST /bus/file\n" . ::event(300), "GET /bus/file?echo=true&sort=-1&max-events=1"]
--- more_headers
User-Agent: poster/1.0 uuid/w
--- error_code eval
[201, 200]
--- response_body eval
["", "300"]




=== TEST 5: client_body_in_single_buffer
--- config
    location /bus/ { msgbus bus; client_body_in_single_buffer on; client_body_buffer_size 64k; }
--- request eval
["POST /bus/single\n" . ::event(30000), "GET /bus/single?echo=true&sort=-1&max-events=1"]
--- more_headers
User-Agent: poster/1.0 uuid/w
--- error_code eval
[201, 200]
--- response_body eval
["", "30000"]




=== TEST 6: a chunked body
--- config
    location /bus/ { msgbus bus; }
--- request eval
["POST /bus/chunked\n" . "6\r\n{\"a\":[\r\n1\r\n1\r\n2;x=y\r\n]}\r\n0\r\n\r\n",
 "GET /bus/chunked?echo=true&sort=-1&max-events=1"]
--- more_headers eval
["User-Agent: uuid/w\nTransfer-Encoding: chunked", "User-Agent: uuid/w"]
--- error_code eval
[201, 200]
--- response_body eval
["", length('{"a":[1]}')]




=== TEST 7: a chunked body in many buffers and a file
--- config
    location /bus/ { msgbus bus; client_body_buffer_size 4k; }
--- request eval
["POST /bus/chunks\n" . "6\r\n{\"a\":\"\r\n" . ("bb8\r\n" . "x" x 3000 . "\r\n") x 20
 . "2\r\n\"}\r\n0\r\n\r\n",
 "GET /bus/chunks?echo=true&sort=-1&max-events=1"]
--- more_headers eval
["User-Agent: uuid/w\nTransfer-Encoding: chunked", "User-Agent: uuid/w"]
--- error_code eval
[201, 200]
--- response_body eval
["", "60008"]




=== TEST 8: a body that comes one byte a packet
--- raw_request_middle_delay: 0.002
--- config
    location /bus/ { msgbus bus; }
--- request eval
[["POST /bus/drip\n", map { substr ::event(40), $_, 1 } 0 .. 39],
 "GET /bus/drip?echo=true&sort=-1&max-events=1"]
--- more_headers
User-Agent: uuid/w
--- error_code eval
[201, 200]
--- response_body eval
["", "40"]




=== TEST 9: several events on one connection, sent before the first is answered
--- config
    location /bus/ { msgbus bus; }
--- pipelined_requests eval
["POST /bus/pipe\n" . ::event(20), "POST /bus/pipe\n" . ::event(21),
 "POST /bus/pipe\n" . ::event(22), "GET /bus/pipe?echo=true&sort=-1&max-events=1"]
--- more_headers
User-Agent: uuid/w
--- error_code eval
[201, 201, 201, 200]
--- response_body eval
["", "", "", "22"]




=== TEST 10: a broken chunk is answered 400, and nothing is stored
--- config
    location /bus/ { msgbus bus; }
--- request eval
["POST /bus/broken\n" . "2\r\n{}\r\nzz\r\n", "GET /bus/broken?echo=true"]
--- more_headers eval
["User-Agent: uuid/w\nTransfer-Encoding: chunked", "User-Agent: uuid/w"]
--- error_code eval
[400, 204]
--- response_body_like eval
['\A\{ "message": "[^"]+" \}\z', '\A\z']
--- no_error_log
[alert]
