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

# When the pings came, but for the one that a stream begins with, since a moment
# before it was asked for.  A busy machine may make them late, never early: so
# n of them take n times as long as was said, at least, and less than by what
# holds elsewhere.

sub pings {
    my ($seconds, $until, @streams) = @_;

    my %times = map { $_->{uri} => [] } @streams;
    my $begun = Msgbus::Client::now();

    $_->open or die "no connection: $!\n" for @streams;

    # an event is no reason for one more, or one less

    $nginx->client->post('/often/location', '[1]');

    Msgbus::Stream->read_until($seconds, sub {
        for my $stream (@streams) {
            my $n = -1 + grep { !$_->{data} && defined $_->{id} }
                         @{ $stream->{events} };
            my $times = $times{ $stream->{uri} };

            push @$times, Msgbus::Client::now() - $begun while @$times < $n;
        }

        return $until->(\%times);
    }, @streams);

    return \%times;
}

my @streams = map { Msgbus::Stream->new(to => "127.0.0.1:$_->[0]",
                                        uri => $_->[1]) }
    [ $port, '/http' ], [ $nginx->{port}, '/server' ],
    [ $nginx->{port}, '/often/location' ], [ $nginx->{port}, '/default/none' ];

my %wanted = ('/http' => 6, '/server' => 3, '/often/location' => 20);

my $times = pings(14, sub {
    my ($times) = @_;

    return !grep { @{ $times->{$_} } < $wanted{$_} } keys %wanted;
}, @streams);

my %took = map { $_ => $times->{$_}[$wanted{$_} - 1] // 'more than 14' }
           keys %wanted;

cmp_ok($took{'/http'}, '>=', 6 * 0.39, "http's is for all");
cmp_ok($took{'/http'}, '<', 6 * 0.8, 'where a server has none of its own');
cmp_ok($took{'/server'}, '>=', 3 * 0.79, "a server's own wins");
cmp_ok($took{'/server'}, '<', 14, 'and is not as seldom as the default');
cmp_ok($took{'/often/location'}, '>=', 20 * 0.095,
       "a location's own wins over both");
cmp_ok($took{'/often/location'}, '<', 20 * 0.4, 'it is no less often');
is(scalar @{ $times->{'/default/none'} }, 0, 'nor more often');

# without one

$nginx->reload(location => 'location / { msgbus bus; }',
               http => 'msgbus_zone zone=bus:1m; msgbus_require_uuid off;');

my ($took) = @{ pings(30, sub { @{ $_[0]{'/c'} } },
                      Msgbus::Stream->new(to => "127.0.0.1:$nginx->{port}",
                                          uri => '/c'))->{'/c'} };

cmp_ok($took, '>', 14.9, 'the default is 15 seconds');
cmp_ok($took, '<', 15 + 4 * $Msgbus::Nginx::PATIENCE, 'and not more');

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
