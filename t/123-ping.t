# msgbus_ping says how often a stream tells its reader where it stands.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Nginx;
use Msgbus::Stream;


Msgbus::Nginx->limit(60);

my $port = Msgbus::Nginx::free_port();

my $nginx = Msgbus::Nginx->new(
    http     => "
        msgbus_zone zone=bus:1m first_id=1;
        msgbus_require_uuid off;
        msgbus_ping 400ms;
        server {
            listen 127.0.0.1:$port;
            location / { msgbus bus; }
        }
    ",
    location => '
        msgbus_ping 800ms;
        location / { msgbus bus; }
        location /often/ { msgbus bus; msgbus_ping 100ms; }
        location /default/ { msgbus bus; msgbus_ping 15s; }
    ',
)->start;

# in 2.2 seconds, but for the one that a stream begins with

my %stream = map {
    my ($to, $uri) = @$_;

    ($uri => Msgbus::Stream->new(to => "127.0.0.1:$to", uri => $uri));
} [ $port, '/http' ], [ $nginx->{port}, '/server' ],
  [ $nginx->{port}, '/often/location' ], [ $nginx->{port}, '/default/none' ];

$_->open for values %stream;

# an event is no reason for one more, or one less

$nginx->client->post('/often/location', '[1]');

Msgbus::Stream->read_until(2.2, sub { 0 }, values %stream);

my %pings = map {
    ($_ => (grep { !$_->{data} && defined $_->{id} }
            @{ $stream{$_}{events} }) - 1)
} keys %stream;

is($pings{'/http'}, 5, "http's is for all");
is($pings{'/server'}, 2, "a server's own wins");
cmp_ok($pings{'/often/location'}, '>=', 15, "a location's own wins over both");
cmp_ok($pings{'/often/location'}, '<=', 22, 'it is neither more often');
is($pings{'/default/none'}, 0, 'nor less');

# without one

$nginx->reload(location => 'location / { msgbus bus; }',
               http => 'msgbus_zone zone=bus:1m; msgbus_require_uuid off;');

my $default = Msgbus::Stream->new(to => "127.0.0.1:$nginx->{port}",
                                  uri => '/c');
my $begun = Msgbus::Client::now();

$default->open;
Msgbus::Stream->read_until(20, sub { @{ $default->{events} } > 2 }, $default);

my $took = Msgbus::Client::now() - $begun;

cmp_ok($took, '>', 14.9, 'the default is 15 seconds');
cmp_ok($took, '<', 15 + 1 * $Msgbus::Nginx::PATIENCE, 'and not more');

# what is refused

my $binary = $ENV{TEST_NGINX_BINARY} || 'nginx';

sub said {
    $nginx->configure(location => $_[0]);

    return scalar `$binary -t -c $nginx->{dir}/nginx.conf 2>&1`;
}

like(said('msgbus_ping soon;'),
     qr/\[emerg\].*"msgbus_ping" directive invalid value/,
     'what is no time is refused');
like(said('msgbus_ping 0;'), qr/\[emerg\].*"msgbus_ping" .*must not be 0/,
     'so is none at all');
like(said('msgbus_ping 1s 2s;'), qr/\[emerg\].*"msgbus_ping"/, 'so are two');
like(said('msgbus_ping 1s; msgbus_ping 2s;'), qr/"msgbus_ping".* duplicate/,
     'so is one twice');

$nginx->quit;
$nginx->no_alerts;

done_testing;
