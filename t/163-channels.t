# msgbus_channels lists the channels of a bus that have events or readers, by
# name, a page at a time.  (repeat_each(1): the second time none is the first.)

use lib "t/lib";
use Test::Nginx::Socket;
use Msgbus::Blocks;

repeat_each(1);

plan tests => repeat_each() * (blocks() * 3 + 95);

our $agent = "uuid/w";
our $nobody = '"subscribers":{"long_poll":0,"stream":0},"tree_subscribers":{"long_poll":0,"stream":0}';

our @six = ("/b", "/a/b", "/a-b", "/a", "/a/b", "/ab/c");

sub fill { ::post(map { [ $_, "[]", $agent ] } @_) }

# what a page of these channels is

sub page {
    my ($next, @channels) = @_;

    my $list = join ",", map { qq(\\{"channel":"$_","events":\\d+,"newest":\\d+,"newest_at":"[-: \\dZ]{20}",\Q$nobody\E\\}) } @channels;
    my $rest = defined $next ? qq(,"next":"$next") : "";

    return qr/^\{"channels":\[$list\]$rest\}$/;
}

defaults(
    http_config  => "msgbus_zone zone=bus:1m;",
    config       => "location / { msgbus bus; } location = /channels { msgbus_channels bus; }",
    no_error_log => "[error]\n[alert]",
);

no_root_location();
no_long_string();
run_tests();

__DATA__

=== TEST 1: there is none yet
--- config
    location = /channels { msgbus_channels bus; }
--- request
GET /channels
--- response_headers
Content-Type: application/json; charset=utf-8
Cache-Control: no-store
--- response_body chop
{"channels":[]}




=== TEST 2: a channel that was posted to, with its newest event
--- http_config
    msgbus_zone zone=bus:1m first_id=7;
--- init
::fill("/a", "/a", "/a")
--- request
GET /channels
--- response_body_like eval
qr/^\{"channels":\[\{"channel":"\/a","events":[36],"newest":(9|12),"newest_at":"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ",\Q$::nobody\E\}\]\}$/




=== TEST 3: by name, bytewise, and no channel that has others below it alone
--- init
::fill(@::six)
--- request
GET /channels
--- response_body_like eval
::page(undef, "/a", "/a-b", "/a/b", "/ab/c", "/b")




=== TEST 4: a page at a time
--- init
::fill(@::six)
--- request eval
["GET /channels?limit=2", "GET /channels?limit=2&after=/a-b", "GET /channels?limit=2&after=/ab/c", "GET /channels?limit=5", "GET /channels?after=/b"]
--- response_body_like eval
[::page("/a-b", "/a", "/a-b"), ::page("/ab/c", "/a/b", "/ab/c"), ::page(undef, "/b"), ::page(undef, "/a", "/a-b", "/a/b", "/ab/c", "/b"), ::page(undef)]




=== TEST 5: after a name that there is no channel of
--- init
::fill(@::six)
--- request eval
["GET /channels?after=/a/bb", "GET /channels?after=/"]
--- response_body_like eval
[::page(undef, "/ab/c", "/b"), ::page(undef, "/a", "/a-b", "/a/b", "/ab/c", "/b")]




=== TEST 6: a channel and what is below it
--- init
::fill(@::six)
--- request eval
["GET /channels?prefix=/a", "GET /channels?prefix=/ab", "GET /channels?prefix=%2Fa%2Fb", "GET /channels?prefix=/", "GET /channels?prefix=/c", "GET /channels?prefix=/a&limit=1"]
--- response_body_like eval
[::page(undef, "/a", "/a/b"), ::page(undef, "/ab/c"), ::page(undef, "/a/b"), ::page(undef, "/a", "/a-b", "/a/b", "/ab/c", "/b"), ::page(undef), ::page("/a", "/a")]




=== TEST 7: what is no name, or no number, is refused
--- request eval
["GET /channels?prefix=a", "GET /channels?prefix=/a/", "GET /channels?prefix=", "GET /channels?prefix=/a%20b", "GET /channels?after=b", "GET /channels?limit=0", "GET /channels?limit=-1", "GET /channels?limit=x", "GET /channels?limit=", "GET /channels?limit=99999999999999999999"]
--- error_code eval
[(400) x 10]
--- response_body eval
[(map { "{ \"message\": \"Invalid $_\" }" } ("prefix") x 4, "after", ("limit") x 5)]




=== TEST 8: more than the most is the most, and unknown names are ignored
--- init
::fill(@::six)
--- request
GET /channels?limit=9223372036854775807&x=y
--- response_body_like eval
::page(undef, "/a", "/a-b", "/a/b", "/ab/c", "/b")




=== TEST 9: with HEAD
--- request
HEAD /channels
--- response_headers
Content-Type: application/json; charset=utf-8
--- response_body eval: ""




=== TEST 10: other methods are 405
--- request eval
["POST /channels\n{}", "PUT /channels\n{}", "DELETE /channels"]
--- error_code eval
[405, 405, 405]
--- response_headers_like eval
[("Allow: .*GET.*") x 3]




=== TEST 11: a guard before it
--- config
    location /          { msgbus bus; }
    location = /channels { msgbus_channels bus; deny all; }
--- request
GET /channels
--- error_code: 403
--- no_error_log
[alert]
[emerg]




=== TEST 12: as a part of another answer
--- config
    location / { msgbus bus; }
    location = /channels { msgbus_channels bus; }
    location = /page { ssi on; default_type text/html; return 200 '<!--#include virtual="/channels?limit=1" -->'; }
--- init
::fill("/a")
--- request
GET /page
--- response_body_like eval
::page(undef, "/a")




=== TEST 13: a name of 255 bytes
--- init
::fill("/" . "n" x 254)
--- request
GET /channels
--- response_body_like eval
::page(undef, "/" . "n" x 254)




=== TEST 14: a zone that there is none of is refused
--- config
    location = /channels { msgbus_channels nosuch; }
--- must_die
--- error_log eval: qr/\[emerg\].*"nosuch"/
--- no_error_log




=== TEST 15: in a server it is refused
--- config
    msgbus_channels bus;
--- must_die
--- error_log eval: qr/\[emerg\].*"msgbus_channels" directive is not allowed here/
--- no_error_log




=== TEST 16: beside another that answers all requests it is refused
--- config
    location = /channels { msgbus_channels bus; msgbus_health bus; }
--- must_die
--- error_log eval: qr/\[emerg\].*"msgbus_health" directive stands beside another directive/
--- no_error_log




=== TEST 17: twice it is refused
--- config
    location = /channels { msgbus_channels bus; msgbus_channels bus; }
--- must_die
--- error_log eval: qr/\[emerg\].*"msgbus_channels" directive is duplicate/
--- no_error_log
