# Where an "if" or limit_except block of a bus has a handler of its own, that
# one serves it.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Nginx;


Msgbus::Nginx->limit(60);

my $primary = Msgbus::Nginx::free_port();

my $nginx = Msgbus::Nginx->new(
    http     => "msgbus_zone zone=bus:1m first_id=1;
                 msgbus_zone zone=primary:1m first_id=100;
                 msgbus_require_uuid off;
                 server {
                     listen 127.0.0.1:$primary;
                     location / { msgbus primary; }
                 }",
    location => <<"END",

# reads are served here, posts by another

location /split/ {
    msgbus bus;

    limit_except GET {
        proxy_pass http://127.0.0.1:$primary;
    }
}

location /off/ {
    msgbus bus;

    limit_except GET {
        msgbus off;
        proxy_pass http://127.0.0.1:$primary;
    }
}

location /if/ {
    msgbus bus;

    if (\$arg_to = primary) {
        proxy_pass http://127.0.0.1:$primary;
    }

    if (\$arg_to = health) {
        return 200 here;
    }
}

# and the other way round

location /back/ {
    proxy_pass http://127.0.0.1:$primary;

    limit_except GET {
        msgbus bus;
    }

    if (\$arg_to = bus) {
        msgbus bus;
    }
}
END
)->start;

my $client = $nginx->client(agent => 'test/1.0');

is($client->post('/off/a', '{}')->id, 100, 'limit_except, with msgbus off');
is($client->post('/split/a', '{}')->id, 101, 'limit_except');
is($client->post('/if/a?to=primary', '{}')->id, 102, 'if');
is($client->post('/if/a', '{}')->id, 1, 'and if not');
is($client->get('/if/a?to=health')->body, 'here', 'or a text');
is($client->post('/back/a', '{}')->id, 2, 'a bus in limit_except');
is($client->post('/back/a?to=bus', '{}')->id, 3, 'a bus in both');
is($client->get('/back/a')->status, 204, 'beside a proxy');
is($client->get('/back/a?to=bus')->json->{channel}, '/a', 'a bus in if');
is($client->get('/split/a')->json->{channel}, '/a', 'what is not excepted');

$nginx->quit;
$nginx->no_alerts;

done_testing;
