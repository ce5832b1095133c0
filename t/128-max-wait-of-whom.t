# msgbus_max_wait: its default, and whose value counts.  Who waits is told, with
# what comes, how long it would have been.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Nginx;


Msgbus::Nginx->limit(60);

my $zone = 'msgbus_zone zone=bus:1m;';
my $port = Msgbus::Nginx::free_port();

my $plain = Msgbus::Nginx->new(
    http     => $zone,
    location => 'location /bus/ { msgbus bus; }
                 location /long/ { msgbus bus; msgbus_max_wait 5m; }',
)->start;

my $levels = Msgbus::Nginx->new(
    http     => "$zone
                 msgbus_max_wait 10s;
                 server {
                     listen 127.0.0.1:$port;
                     location /bus/ { msgbus bus; }
                 }",
    location => 'msgbus_max_wait 20s;
                 location /bus/ { msgbus bus; }
                 location /own/ { msgbus bus; msgbus_max_wait 40s; }',
)->start;


# What a reader who asks for so many seconds is granted, in whole seconds.

sub granted {
    my ($nginx, $path, $seconds, $to) = @_;

    my @agent = (agent => 'reader/1.0 uuid/r');
    my $reader = $to ? Msgbus::Client->new(to => $to, @agent)
                     : $nginx->client(@agent);

    $reader->connect;
    $reader->send($reader->format(GET => "$path/c?last-known-id=latest", undef,
                                  Prefer => "wait=$seconds"));
    $nginx->wait_for_readers(1);
    $nginx->client->post("$path/c", '{}');

    my $r = $reader->response('GET', Msgbus::Client::now() + 10);

    die $r->error if $r->failure;

    return $r->header('Preference-Applied');
}

is(granted($plain, '/bus', 600), 'wait=30', 'the default is 30 seconds');
is(granted($plain, '/long', 600), 'wait=300', 'it may be more');
is(granted($plain, '/long', 299), 'wait=299', 'who asks for less waits less');

is(granted($levels, '/bus', 600, "127.0.0.1:$port"), 'wait=10',
   'in http it is for all locations');
is(granted($levels, '/bus', 600), 'wait=20',
   "a server's own wins over that of http");
is(granted($levels, '/own', 600), 'wait=40',
   "a location's own wins over that of the server");

done_testing();
