# JSON that is nested deeper than msgbus_max_depth is refused.

use lib "t/lib";
use Test::Nginx::Socket;
use Msgbus::Blocks;

repeat_each(2);

plan tests => repeat_each() * (blocks() * 6);

sub posted {
    my ($body) = @_;

    return ["POST /bus/deep\n$body", "GET /bus/deep?echo=true"];
}

defaults(
    http_config        => "msgbus_zone zone=bus:16m;",
    config             => "location /bus/ { msgbus bus; }",
    more_headers       => "User-Agent: uuid/w",
    error_code         => [400, 204],
    response_body_like => ['\A\{ "message": "[^"]+" \}\z', '\A\z'],
    no_error_log       => "[error]",
);

no_long_string();
run_tests();

__DATA__

=== TEST 1: 513 arrays
--- pipelined_requests eval: ::posted('[' x 513 . ']' x 513)




=== TEST 2: 513 objects
--- pipelined_requests eval: ::posted('{"a":' x 512 . '{}' . '}' x 512)




=== TEST 3: arrays and objects count alike
--- pipelined_requests eval: ::posted('[{"a":' x 256 . '[]' . '}]' x 256)




=== TEST 4: 900,000 opening brackets cost nothing
--- pipelined_requests eval: ::posted('[' x 900_000)




=== TEST 5: 500,000 nested arrays, well formed
--- pipelined_requests eval: ::posted('[' x 500_000 . ']' x 500_000)




=== TEST 6: 10 million opening brackets are too large already
--- request eval: ::posted('[' x 10_000_000)
--- error_code eval: [413, 204]
--- no_error_log
[alert]




=== TEST 7: depth is how deep, not how many
--- request eval
["POST /bus/wide\n[" . ('[' x 511 . ']' x 511 . ',') x 3 . '[]]',
 "GET /bus/wide?echo=true"]
--- error_code eval: [201, 200]
--- response_body_like eval: ['\A\z', '"data":\[{512}\]']
