# All that RFC 8259 allows in an object or array is accepted and kept as it is.

use lib "t/lib";
use Test::Nginx::Socket;
use Msgbus::Blocks;

repeat_each(2);

plan tests => repeat_each() * (blocks() * 6);

sub kept {
    my ($body) = @_;

    return ["POST /bus/good\n$body", "GET /bus/good?echo=true&sort=-1&max-events=1"];
}

# the data of the one event in an answer
sub data { $_[0] =~ /"data":(.*)\}\]\}\z/s ? $1 : $_[0] }

# Each block says what it posts once; that it comes back is said here.
Test::Nginx::Util::add_block_preprocessor(sub {
    my ($block) = @_;

    my $posted = substr $block->request->[0], length "POST /bus/good\n";

    $block->set_value("response_body", ["", $posted]);
});

defaults(
    http_config           => "msgbus_zone zone=bus:2m;",
    config                => "location /bus/ { msgbus bus; }",
    more_headers          => "User-Agent: uuid/w",
    error_code            => [201, 200],
    response_body_filters => \&data,
    no_error_log          => "[error]",
);

no_long_string();
run_tests();

__DATA__

=== TEST 1: an object
--- request eval: ::kept('{"a":1,"b":"c","d":null,"e":true,"f":false,"g":[],"h":{}}')




=== TEST 2: an array of everything
--- request eval: ::kept('[1,"a",null,true,false,[],{}]')




=== TEST 3: spaces, tabs, LF and CRLF as white space
--- request eval: ::kept("{ \"a\"\t:\r\n[\n1\r,\t2 ]\n}")




=== TEST 4: the escapes of JSON
--- request eval: ::kept('["\\" \\\\ \\/ \\b \\f \\n \\r \\t"]')




=== TEST 5: \u with digits of both cases
--- request eval: ::kept('["\\u00e9\\u00E9\\uAbCd"]')




=== TEST 6: \u0000
--- request eval: ::kept('["a\\u0000b"]')




=== TEST 7: a pair of escaped surrogates
--- request eval: ::kept('["\\ud83d\\ude00"]')




=== TEST 8: a high surrogate, escaped and alone
--- request eval: ::kept('["\\ud83d"]')




=== TEST 9: a low surrogate, escaped and alone
--- request eval: ::kept('["\\ude00 x"]')




=== TEST 10: two high surrogates, escaped
--- request eval: ::kept('["\\ud83d\\ud83d"]')




=== TEST 11: UTF-8 of two bytes
--- request eval: ::kept("[\"caf\xc3\xa9\"]")




=== TEST 12: UTF-8 of three bytes
--- request eval: ::kept("[\"\xe2\x82\xac\xef\xbf\xbf\"]")




=== TEST 13: UTF-8 of four bytes
--- request eval: ::kept("[\"\xf0\x9f\x98\x80\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\"]")




=== TEST 14: the first and the last of each length of UTF-8
--- request eval
::kept("[\"\x20\x7e\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xf0\x90\x80\x80\"]")




=== TEST 15: U+2028 and U+2029
--- request eval: ::kept("[\"\xe2\x80\xa8\xe2\x80\xa9\"]")




=== TEST 16: a byte order mark within a string
--- request eval: ::kept("[\"\xef\xbb\xbf\"]")




=== TEST 17: DEL
--- request eval: ::kept("[\"\x7f\"]")




=== TEST 18: zero and minus zero
--- request eval: ::kept('[0,-0,0.0,-0.0,0e0]')




=== TEST 19: every form of an exponent
--- request eval: ::kept('[1e2,1E2,1e+2,1E-2,1.5e3,-1.5E+003]')




=== TEST 20: integers beyond 64 bits
--- request eval: ::kept('[18446744073709551616,-9223372036854775809,' . '9' x 400 . ']')




=== TEST 21: numbers beyond a double
--- request eval: ::kept('[1e400,-1e400,1e-400,1e99999999999999999999]')




=== TEST 22: many decimals
--- request eval: ::kept('[0.' . '123456789' x 50 . ']')




=== TEST 23: an empty name
--- request eval: ::kept('{"":1}')




=== TEST 24: a name that comes twice
--- request eval: ::kept('{"a":1,"a":2}')




=== TEST 25: names with escapes
--- request eval: ::kept('{"\\u0000\\"":1}')




=== TEST 26: an empty string
--- request eval: ::kept('[""]')




=== TEST 27: 512 levels of arrays, the default limit
--- request eval: ::kept('[' x 512 . ']' x 512)




=== TEST 28: 512 levels of objects
--- request eval: ::kept('{"a":' x 511 . '{}' . '}' x 511)




=== TEST 29: many brackets that are not nested
--- request eval: ::kept('[' . '[],' x 4999 . '[]]')




=== TEST 30: brackets in a string are not nested
--- request eval: ::kept('["' . '[{' x 5000 . '"]')




=== TEST 31: a string of 100,000 bytes
--- request eval: ::kept('["' . 'x' x 100_000 . '"]')




=== TEST 32: 10,000 members
--- request eval: ::kept('{' . '"a":1,' x 9_999 . '"b":2}')




=== TEST 33: HTML is left alone
--- request eval: ::kept('["</script><!-- & -->"]')
