# What is wrong in the configuration is told with its file and its line, also
# where it can be found when all of it has been read only.

use lib "t/lib";
use Test::Nginx::Socket;
use Msgbus::Blocks;

plan tests => blocks() * 2;

defaults(
    config      => "location /t { return 200; }",
    http_config => 'include $TEST_NGINX_SERVER_ROOT/html/bus.conf;',
);

no_long_string();
run_tests();

__DATA__

=== TEST 1: a zone that there is none of
--- user_files
>>> bus.conf
msgbus_zone zone=bus:1m;
server {
    listen unix:bus.sock;
    location /a/ { msgbus bus; }
    location /b/ {
        msgbus buss;
        msgbus_max_wait 1s;
    }
}
--- must_die
--- error_log eval: qr/\[emerg\].*unknown msgbus zone "buss", declare it with "msgbus_zone zone=buss:64m;" in http in \S+\/bus\.conf:6$/m




=== TEST 2: in an "if" of a location of another bus
--- user_files
>>> bus.conf
msgbus_zone zone=bus:1m;
server {
    listen unix:bus.sock;
    location / {
        msgbus bus;
        if ($arg_a) {
            msgbus buss;
        }
    }
}
--- must_die
--- error_log eval: qr/\[emerg\].*unknown msgbus zone "buss".* in \S+\/bus\.conf:7$/m




=== TEST 3: one whose health is asked for
--- user_files
>>> bus.conf
msgbus_zone zone=bus:1m;
server {
    listen unix:bus.sock;
    location /health {
        msgbus_health buss;
    }
}
--- must_die
--- error_log eval: qr/\[emerg\].*unknown msgbus zone "buss".* in \S+\/bus\.conf:5$/m




=== TEST 4: one whose channels are asked for
--- user_files
>>> bus.conf
msgbus_zone zone=bus:1m;
server {
    listen unix:bus.sock;
    location /channels {
        msgbus_channels buss;
    }
}
--- must_die
--- error_log eval: qr/\[emerg\].*unknown msgbus zone "buss".* in \S+\/bus\.conf:5$/m




=== TEST 5: a location that must name its channel
--- user_files
>>> bus.conf
msgbus_zone zone=bus:1m;
server {
    listen unix:bus.sock;
    location = /in {
        msgbus bus;
    }
}
--- must_die
--- error_log eval: qr/\[emerg\].*needs "msgbus_channel".* in \S+\/bus\.conf:5$/m




=== TEST 6: what is no channel, by the line that says so
--- user_files
>>> bus.conf
msgbus_zone zone=bus:1m;
server {
    listen unix:bus.sock;
    msgbus_channel news;
    location / {
        msgbus bus;
    }
}
--- must_die
--- error_log eval: qr/\[emerg\].*"msgbus_channel" of location "\/" is "news", .* in \S+\/bus\.conf:4$/m




=== TEST 7: another directive that answers, behind it
--- user_files
>>> bus.conf
msgbus_zone zone=bus:1m;
server {
    listen unix:bus.sock;
    location / {
        msgbus bus;
        stub_status;
    }
}
--- must_die
--- error_log eval: qr/\[emerg\].*"msgbus" of location "\/" stands beside another .* in \S+\/bus\.conf:5$/m




=== TEST 8: the same of one that tells
--- user_files
>>> bus.conf
msgbus_zone zone=bus:1m;
server {
    listen unix:bus.sock;
    location / {
        msgbus_status;
        stub_status;
    }
}
--- must_die
--- error_log eval: qr/\[emerg\].*"msgbus_status" of location "\/" stands beside another .* in \S+\/bus\.conf:5$/m




=== TEST 9: the test mode is on
--- user_files
>>> bus.conf
msgbus_zone zone=bus:1m;
server {
    listen unix:bus.sock;
    msgbus_test_mode on;
    location / {
        msgbus bus;
    }
}
--- request
GET /t
--- error_log eval: qr/\[warn\].*msgbus_test_mode is on in location "\/".* in \S+\/bus\.conf:6$/m




=== TEST 10: what is guarded can be read elsewhere
--- user_files
>>> bus.conf
msgbus_zone zone=bus:1m;
server {
    listen unix:bus.sock;
    location / {
        msgbus bus;
        msgbus_scope all;
    }
    location /private/ {
        msgbus bus;
        deny all;
    }
}
--- request
GET /t
--- error_log eval: qr/\[warn\].*location "\/private\/" is guarded by .* in \S+\/bus\.conf:5$/m




=== TEST 11: a store that there is none of
--- user_files
>>> bus.conf
msgbus_zone zone=other:1m;
msgbus_zone zone=bus:1m store=tape;
server {
    listen unix:bus.sock;
}
--- must_die
--- error_log eval: qr/\[emerg\].*unknown store "tape" of zone "bus".* in \S+\/bus\.conf:2$/m




=== TEST 12: what does not go with a store
--- user_files
>>> bus.conf
msgbus_journal disk { path journal; }
msgbus_zone zone=bus:1m store=disk full=reject;

--- must_die
--- error_log eval: qr/\[emerg\].*"full=reject" of zone "bus".* in \S+\/bus\.conf:2$/m




=== TEST 13: two zones with one folder
--- user_files
>>> bus.conf
msgbus_journal disk { path journal; }
msgbus_zone zone=bus:1m store=disk;
msgbus_zone zone=two:1m store=disk;

--- must_die
--- error_log eval: qr/\[emerg\].*of zone "two" is that of zone "bus", too in \S+\/bus\.conf:3$/m




=== TEST 14: what is found when a zone is made: its events are too large
--- user_files
>>> bus.conf
msgbus_zone zone=other:1m;
msgbus_zone zone=bus:1m max_event_size=1m;
msgbus_zone zone=third:1m;
--- must_die
--- error_log eval: qr/\[emerg\].*max_event_size 1048576 is too large .* in \S+\/bus\.conf:2$/m




=== TEST 15: or a folder can not be made
--- user_files
>>> bus.conf
msgbus_journal disk { path no/such/folder; }

msgbus_zone zone=bus:1m
            store=disk;
--- must_die
--- error_log eval: qr/\[emerg\].*msgbus zone "bus" can not use its path .* in \S+\/bus\.conf:4$/m
