# What the path, the sizes, sync, poll and retry of msgbus_journal do not
# understand they quote, and nginx does not start; nor where two zones would
# have one folder, or the folder is another zone's.

use lib "t/lib";
use Test::Nginx::Socket;
use Msgbus::Blocks;

repeat_each(1);    # nginx has no state when it does not start

plan tests => repeat_each() * (blocks() * 2);

# a block of msgbus_journal with this in it
sub main {
    return "msgbus_journal main { $_[0] }"
           . " msgbus_zone zone=bus:1m store=main;";
}

defaults(
    config => "location / { msgbus bus; }",
);

no_root_location();
no_long_string();
run_tests();

__DATA__

=== TEST 1: no path
--- http_config eval: ::main(q{segment 1m;})
--- must_die
--- error_log eval: qr/\[emerg\].*msgbus_journal "main" must have "path"/




=== TEST 2: an empty one
--- http_config eval: ::main(q{path "";})
--- must_die
--- error_log eval: qr/\[emerg\].*"path" of msgbus_journal is empty/




=== TEST 3: two of them
--- http_config eval: ::main(q{path j1; path j2;})
--- must_die
--- error_log eval: qr/\[emerg\].*"path" of msgbus_journal is duplicate/




=== TEST 4: a segment that is too small
--- http_config eval: ::main(q{path j; segment 4k;})
--- must_die
--- error_log eval: qr/\[emerg\].*"segment" of msgbus_journal "main" must be between 64k and 4g/




=== TEST 5: one that is no size
--- http_config eval: ::main(q{path j; segment large;})
--- must_die
--- error_log eval: qr/\[emerg\].*invalid size "large" in msgbus_journal, it is a number of bytes such as 64m/




=== TEST 6: no room for two segments
--- http_config eval: ::main(q{path j; segment 1m; size 1m;})
--- must_die
--- error_log eval: qr/\[emerg\].*"size" of msgbus_journal "main" must be at least two segments/




=== TEST 7: a sync that is no time
--- http_config eval: ::main(q{path j; sync sometimes;})
--- must_die
--- error_log eval: qr/\[emerg\].*invalid time "sometimes" in msgbus_journal/




=== TEST 8: two of them
--- http_config eval: ::main(q{path j; sync off; sync always;})
--- must_die
--- error_log eval: qr/\[emerg\].*"sync" of msgbus_journal is duplicate/




=== TEST 9: a poll that is no time
--- http_config eval: ::main(q{path j; poll often;})
--- must_die
--- error_log eval: qr/\[emerg\].*invalid time "often" in msgbus_journal/




=== TEST 10: an unknown line
--- http_config eval: ::main(q{path j; uri mongodb://127.0.0.1/;})
--- must_die
--- error_log eval: qr/\[emerg\].*unknown directive "uri" in msgbus_journal/




=== TEST 11: one block for two zones
--- http_config
    msgbus_journal main { path j; }
    msgbus_zone zone=bus:1m store=main;
    msgbus_zone zone=two:1m store=main;
--- must_die
--- error_log eval: qr/\[emerg\].*the path "\S+\/j" of zone "two" is that of zone "bus", too/




=== TEST 12: two blocks with one folder
--- http_config
    msgbus_journal main { path j; }
    msgbus_journal other { path j/; }
    msgbus_zone zone=bus:1m store=main;
    msgbus_zone zone=two:1m store=other;
--- must_die
--- error_log eval: qr/\[emerg\].*the path "\S+\/j" of zone "two" is that of zone "bus", too/




=== TEST 13: full=reject
--- http_config
    msgbus_journal main { path j; }
    msgbus_zone zone=bus:1m store=main full=reject;
--- must_die
--- error_log eval: qr/\[emerg\].*"full=reject" of zone "bus" is for store=memory only/




=== TEST 14: a file in the folder's place
--- http_config eval: ::main(q{path /etc/passwd;})
--- must_die
--- error_log eval: qr/\[emerg\].*msgbus zone "bus" can not use its path "\/etc\/passwd": it is no folder/




=== TEST 15: a folder in no folder
--- http_config eval: ::main(q{path /nowhere/at/all;})
--- must_die
--- error_log eval: qr/\[emerg\].*can not use its path "\/nowhere\/at\/all": the folder that it is to be in can not be opened/
