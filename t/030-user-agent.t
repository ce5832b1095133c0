# A User-Agent is kept as it came, escaped where JSON asks for it.

use lib "t/lib";
use Test::Nginx::Socket;
use Msgbus::Blocks;

repeat_each(2);

plan tests => repeat_each() * (blocks() * 6);

# the user_agent of the one event in an answer, as it stands there
sub agent { $_[0] =~ /"user_agent":"(.*)","created_at":/s ? $1 : $_[0] }

defaults(
    http_config           => "msgbus_zone zone=bus:1m;",
    config                => "location /bus/ { msgbus bus; }",
    request               => ["POST /bus/c\n{}", "GET /bus/c?echo=true&sort=-1&max-events=1"],
    error_code            => [201, 200],
    response_body_filters => \&agent,
    no_error_log          => "[error]",
);

no_long_string();
run_tests();

__DATA__

=== TEST 1: as it came
--- more_headers
User-Agent: Name/1.2 (a; b) uuid/6ba7b810-9dad-11d1-80b4-00c04fd430c8 <x>/&'
--- response_body eval
["", "Name/1.2 (a; b) uuid/6ba7b810-9dad-11d1-80b4-00c04fd430c8 <x>/&'"]




=== TEST 2: quotes
--- more_headers
User-Agent: a "quoted" name uuid/w
--- response_body eval
["", 'a \\"quoted\\" name uuid/w']




=== TEST 3: backslashes
--- more_headers
User-Agent: C:\bus\" uuid/w
--- response_body eval
["", 'C:\\\\bus\\\\\\" uuid/w']




=== TEST 4: a tab
--- more_headers eval
"User-Agent: a\tb uuid/w"
--- response_body_like eval
['\A\z', '\Aa\\\\(?:t|u0009)b uuid/w\z']




=== TEST 5: control bytes
--- more_headers eval
"User-Agent: a\x01\x1fb uuid/w"
--- response_body_like eval
['\A\z', '\Aa\\\\u0001\\\\u001[fF]b uuid/w\z']




=== TEST 6: UTF-8
--- more_headers eval
"User-Agent: caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 uuid/w"
--- response_body eval
["", "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 uuid/w"]




=== TEST 7: bytes that are no UTF-8 become U+FFFD
--- more_headers eval
"User-Agent: caf\xe9 uuid/w"
--- response_body_like eval
['\A\z', '\Acaf(?:\xef\xbf\xbd|\\\\ufffd) uuid/w\z']




=== TEST 8: so do overlong forms, surrogates and sequences cut short
--- more_headers eval
"User-Agent: a\xc0\xafb\xed\xa0\x80c\xe2\x82d\xf4\x90\x80\x80e\xff uuid/w"
--- response_body_like eval
my $x = '(?:\xef\xbf\xbd|\\\\ufffd)+';
['\A\z', "\\Aa${x}b${x}c${x}d${x}e$x uuid/w\\z"]




=== TEST 9: a quote behind half a character is still escaped
--- more_headers eval
"User-Agent: a\xe2\"b\xf0\\c uuid/w"
--- response_body_like eval
my $x = '(?:\xef\xbf\xbd|\\\\ufffd)+';
['\A\z', "\\Aa$x\\\\\"b$x\\\\\\\\c uuid/w\\z"]




=== TEST 10: 1,024 bytes are kept
--- more_headers eval
"User-Agent: uuid/w " . "x" x 1017
--- response_body eval
["", "uuid/w " . "x" x 1017]




=== TEST 11: what is behind them is cut off
--- more_headers eval
"User-Agent: uuid/w " . "x" x 1018 . "y" x 3000
--- response_body eval
["", "uuid/w " . "x" x 1017]




=== TEST 12: a character is not cut in two
--- more_headers eval
"User-Agent: uuid/w " . "\xc3\xa9" x 1000
--- response_body_like eval
['\A\z', '\Auuid/w (?:\xc3\xa9){508}(?:\xef\xbf\xbd|\\\\ufffd)?\z']




=== TEST 13: quotes count once, although they are escaped
--- more_headers eval
"User-Agent: uuid/w " . '"' x 2000
--- response_body_like eval
['\A\z', '\Auuid/w (?:\\\\"){500,1017}\z']




=== TEST 14: of two headers one is the poster
--- more_headers
User-Agent: one/1 uuid/w
X-User-Agent: two/2 uuid/v
--- response_body eval
["", "one/1 uuid/w"]
