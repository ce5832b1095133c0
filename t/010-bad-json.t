# What is no JSON object or array is answered 400, and nothing is stored.

use lib "t/lib";
use Test::Nginx::Socket;
use Msgbus::Blocks;

repeat_each(2);

plan tests => repeat_each() * (blocks() * 8 + 7);

# The reader comes on the same connection: a 400 does not end it.
sub refused {
    my ($body) = @_;

    return ["POST /bus/bad\n$body", "GET /bus/bad?echo=true"];
}

# a body with white space or nothing at its ends, which must not be trimmed
sub exactly {
    my ($body) = @_;

    my $length = length $body;

    return ["User-Agent: uuid/w\nContent-Length: $length", "User-Agent: uuid/w"];
}

defaults(
    http_config   => "msgbus_zone zone=bus:1m;",
    config        => "location /bus/ { msgbus bus; }",
    more_headers  => "User-Agent: uuid/w",
    error_code    => [400, 204],
    response_body => ['{ "message": "Invalid JSON" }', ""],
    no_error_log  => "[error]\n[alert]",
);

no_long_string();
run_tests();

__DATA__

=== TEST 1: a comma after the last member
--- pipelined_requests eval: ::refused('{"a":1,}')




=== TEST 2: a comma after the last element
--- pipelined_requests eval: ::refused('[1,]')




=== TEST 3: a comma before the first element
--- pipelined_requests eval: ::refused('[,1]')




=== TEST 4: two commas
--- pipelined_requests eval: ::refused('[1,,2]')




=== TEST 5: a comma missing
--- pipelined_requests eval: ::refused('[1 2]')




=== TEST 6: a colon missing
--- pipelined_requests eval: ::refused('{"a" 1}')




=== TEST 7: a value missing
--- pipelined_requests eval: ::refused('{"a":}')




=== TEST 8: a name alone
--- pipelined_requests eval: ::refused('{"a"}')




=== TEST 9: a name without quotes
--- pipelined_requests eval: ::refused('{a:1}')




=== TEST 10: a number for a name
--- pipelined_requests eval: ::refused('{1:1}')




=== TEST 11: single quotes
--- pipelined_requests eval: ::refused("{'a':1}")




=== TEST 12: a bare word
--- pipelined_requests eval: ::refused('[yes]')




=== TEST 13: a constant in upper case
--- pipelined_requests eval: ::refused('[True]')




=== TEST 14: a constant with something behind it
--- pipelined_requests eval: ::refused('[nullx]')




=== TEST 15: a constant cut short
--- pipelined_requests eval: ::refused('[tru]')




=== TEST 16: NaN
--- pipelined_requests eval: ::refused('[NaN]')




=== TEST 17: Infinity
--- pipelined_requests eval: ::refused('[Infinity]')




=== TEST 18: minus Infinity
--- pipelined_requests eval: ::refused('[-Infinity]')




=== TEST 19: an object cut short
--- pipelined_requests eval: ::refused('{"a":1')




=== TEST 20: an array cut short
--- pipelined_requests eval: ::refused('[1')




=== TEST 21: a string cut short
--- pipelined_requests eval: ::refused('["a')




=== TEST 22: a long string cut short
--- pipelined_requests eval: ::refused('["' . 'x' x 100_000)




=== TEST 23: a string that ends in a backslash
--- pipelined_requests eval: ::refused('["a\\')




=== TEST 24: a closing bracket that was never opened
--- pipelined_requests eval: ::refused(']')




=== TEST 25: brackets that do not match
--- pipelined_requests eval: ::refused('[1}')




=== TEST 26: one closing bracket too many
--- pipelined_requests eval: ::refused('[1]]')




=== TEST 27: two values
--- pipelined_requests eval: ::refused('{"a":1}{"a":2}')




=== TEST 28: two values on two lines
--- pipelined_requests eval: ::refused("{\"a\":1}\n{\"a\":2}")




=== TEST 29: a word behind the value
--- pipelined_requests eval: ::refused('{"a":1}x')




=== TEST 30: a comma behind the value
--- pipelined_requests eval: ::refused('{"a":1},')




=== TEST 31: a block comment
--- pipelined_requests eval: ::refused('[1/* one */]')




=== TEST 32: a line comment
--- pipelined_requests eval: ::refused("[1// one\n]")




=== TEST 33: a comment behind the value
--- pipelined_requests eval: ::refused('[1] // one')




=== TEST 34: a hash comment
--- pipelined_requests eval: ::refused("[1 # one\n]")




=== TEST 35: a byte order mark
--- pipelined_requests eval: ::refused("\xef\xbb\xbf{}")




=== TEST 36: UTF-16
--- pipelined_requests eval: ::refused("\xff\xfe[\x00]\x00")




=== TEST 37: a raw line feed in a string
--- pipelined_requests eval: ::refused("[\"a\nb\"]")




=== TEST 38: a raw tab in a string
--- pipelined_requests eval: ::refused("[\"a\tb\"]")




=== TEST 39: a raw 0x01 in a string
--- pipelined_requests eval: ::refused("[\"a\x01b\"]")




=== TEST 40: a raw 0x1f in a string
--- pipelined_requests eval: ::refused("[\"a\x1fb\"]")




=== TEST 41: a raw control character in a name
--- pipelined_requests eval: ::refused("{\"a\x02\":1}")




=== TEST 42: a NUL byte in a string
--- pipelined_requests eval: ::refused("[\"a\x00b\"]")




=== TEST 43: a NUL byte between values
--- pipelined_requests eval: ::refused("[1,\x002]")




=== TEST 44: a NUL byte behind the value
--- pipelined_requests eval: ::refused("[1]\x00")




=== TEST 45: a NUL byte before the value
--- pipelined_requests eval: ::refused("\x00[1]")




=== TEST 46: a vertical tab is no white space
--- pipelined_requests eval: ::refused("[1,\x0b2]")




=== TEST 47: a form feed is no white space
--- pipelined_requests eval: ::refused("[1,\x0c2]")




=== TEST 48: a no-break space is no white space
--- pipelined_requests eval: ::refused("[1,\xc2\xa02]")




=== TEST 49: an escape that JSON does not know
--- pipelined_requests eval: ::refused('["\\x41"]')




=== TEST 50: a \u with three digits
--- pipelined_requests eval: ::refused('["\\u004"]')




=== TEST 51: a \u with a letter that is no digit
--- pipelined_requests eval: ::refused('["\\u00g1"]')




=== TEST 52: a leading zero
--- pipelined_requests eval: ::refused('[01]')




=== TEST 53: a leading zero behind a minus
--- pipelined_requests eval: ::refused('[-01]')




=== TEST 54: a plus sign
--- pipelined_requests eval: ::refused('[+1]')




=== TEST 55: a minus alone
--- pipelined_requests eval: ::refused('[-]')




=== TEST 56: two minuses
--- pipelined_requests eval: ::refused('[--1]')




=== TEST 57: nothing before the point
--- pipelined_requests eval: ::refused('[.5]')




=== TEST 58: nothing behind the point
--- pipelined_requests eval: ::refused('[1.]')




=== TEST 59: nothing between the point and the exponent
--- pipelined_requests eval: ::refused('[1.e3]')




=== TEST 60: nothing behind the e
--- pipelined_requests eval: ::refused('[1e]')




=== TEST 61: nothing behind the exponent's sign
--- pipelined_requests eval: ::refused('[1e+]')




=== TEST 62: a hexadecimal number
--- pipelined_requests eval: ::refused('[0x1f]')




=== TEST 63: a number with separators
--- pipelined_requests eval: ::refused('[1_000]')




=== TEST 64: a string alone
--- pipelined_requests eval: ::refused('"a"')




=== TEST 65: a number alone
--- pipelined_requests eval: ::refused('1')




=== TEST 66: true alone
--- pipelined_requests eval: ::refused('true')




=== TEST 67: null alone
--- pipelined_requests eval: ::refused('null')




=== TEST 68: XML
--- pipelined_requests eval: ::refused('<a>1</a>')




=== TEST 69: a form
--- pipelined_requests eval: ::refused('a=1&b=2')




=== TEST 70: no body
--- pipelined_requests eval: ::refused('')




=== TEST 71: a body of no bytes
--- pipelined_requests eval: ::refused('')
--- more_headers eval: ::exactly('')




=== TEST 72: white space only
--- pipelined_requests eval: ::refused(" \t\r\n")
--- more_headers eval: ::exactly(" \t\r\n")




=== TEST 73: an empty chunked body
--- pipelined_requests eval: ::refused("0\r\n\r\n")
--- more_headers eval
["User-Agent: uuid/w\nTransfer-Encoding: chunked", "User-Agent: uuid/w"]




=== TEST 74: a good value before and after a bad one is stored, the bad one is not
--- pipelined_requests eval
["POST /bus/between\n{\"n\":1}", "POST /bus/between\n{\"n\":2",
 "POST /bus/between\n{\"n\":3}", "GET /bus/between?echo=true&sort=-1&max-events=2"]
--- error_code eval: [201, 400, 201, 200]
--- response_body_filters eval: \&::numbers
--- response_body eval
["", '{ "message": "Invalid JSON" }', "", "3 1"]




=== TEST 75: bad JSON that lies in a file
--- config
    location /bus/ { msgbus bus; client_body_in_file_only clean; }
--- pipelined_requests eval: ::refused('{"a":1')




=== TEST 76: bad JSON only at the end of a long body
--- config
    location /bus/ { msgbus bus; client_body_buffer_size 4k; }
--- pipelined_requests eval: ::refused('["' . 'x' x 50_000 . '"}')




=== TEST 77: a string that begins behind the value and does not end
--- pipelined_requests eval: ::refused('{}"abc')




=== TEST 78: a quote behind the value
--- pipelined_requests eval: ::refused('[] "]')




=== TEST 79: the answer is JSON itself, and the client's doing is logged below error
--- request
POST /bus/bad
{"a":
--- error_code: 400
--- response_headers
Content-Type: application/json; charset=utf-8
Connection: close
--- response_body chop
{ "message": "Invalid JSON" }
--- no_error_log
[error]
[crit]
[alert]
