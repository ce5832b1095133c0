# What limit_except keeps from posting does not post by GET either.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Nginx;


Msgbus::Nginx->limit(60);

my $nginx = Msgbus::Nginx->new(
    http     => 'msgbus_zone zone=bus:1m first_id=1;
                 msgbus_scope exact parent all;
                 msgbus_jsonp on;
                 msgbus_require_uuid off;',
    location => <<'END',
location /read/ {
    msgbus bus;
    limit_except GET { deny all; }
}

location /password/ {
    msgbus bus;
    limit_except GET OPTIONS {
        auth_basic "writers";
        auth_basic_user_file /nothing;
    }
}

location /write/ {
    msgbus bus;
    limit_except GET POST { deny all; }
}

location /if/ {
    msgbus bus;
    limit_except GET { deny all; }

    if ($request_method) {
        set $seen yes;
    }

    if ($arg_text) {
        return 403 "text\n";
    }

    location /if/free/ {
        msgbus bus;

        if ($request_method) {
            set $seen yes;
        }
    }
}

location /blocks/ {
    msgbus bus;
    limit_except OPTIONS { allow all; }
}

location /free/ {
    msgbus bus;
}
END
)->start;

my $client = $nginx->client(agent => 'test/1.0');
my $post = 'a?method=POST&post-data={}&callback=f';

for my $location (qw(read password if)) {
    is($client->get("/$location/$post")->status, 405,
       "a post by JSONP at /$location/");
    is($client->get("/$location/a?callback=f")->body,
       'f({"channel":"/a","events":[]});', 'JSONP reads');
}

is($client->get('/free/?events=all')->status, 204, 'nothing is stored');
is($client->get("/write/$post")->body, 'f({});', 'where POST is let in');
is($client->get("/free/$post")->body, 'f({});', 'or nothing is said');
is($client->get("/if/free/$post")->body, 'f({});',
   'a location inside has its own');
is($client->get("/blocks/$post")->body, 'f({});',
   'what the block lets in posts');
is($client->get('/free/?events=all')->last_id, 4, 'it is stored');

$nginx->quit;
$nginx->no_alerts;

done_testing;
