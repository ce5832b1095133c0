# msgbus_history says whether what has left memory is read from the store: in http,
# in a server, in a location; 150 and those behind it tell what that means.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Nginx;


Msgbus::Nginx->limit(60);

# memory has the last event alone

my $bus = 'msgbus_journal disk { path journal; segment 1m; }
           msgbus_zone zone=bus:1m store=disk ttl=1d max_events=1;
           msgbus_require_uuid off;';
my $locations = 'location / { msgbus bus; }
                 location /on/ { msgbus bus; msgbus_history on; }
                 location /off/ { msgbus bus; msgbus_history off;
                                  location /off/below/ { msgbus bus; } }';

sub reads {
    my ($title, $http, $server, @wanted) = @_;

    my $nginx = Msgbus::Nginx->new(http => "$bus $http",
                                   location => "$server $locations")->start;
    my $client = $nginx->client(agent => 'reader/1.0');

    my $n = 0;

    for my $uri ('/', '/on/', '/off/', '/off/below/') {
        my $channel = $uri . $n++;

        die 'not stored' if grep { $client->post($channel, "[$_]")->status
                                   != 201 } 1, 2;

        my $r = $client->get("$channel?last-known-id=0");

        is(join(' ', map { $_->{data}[0] } @{ $r->json->{events} }),
           shift @wanted, "$title$uri");
    }

    $nginx->quit;
    $nginx->no_alerts;
}

reads('on by default: ', '', '', '1 2', '1 2', '2', '2');
reads('off in http: ', 'msgbus_history off;', '', '2', '1 2', '2', '2');
reads('a server is heard before http: ', 'msgbus_history off;',
      'msgbus_history on;', '1 2', '1 2', '2', '2');

for (['1', 'invalid value "1" in "msgbus_history" directive, it must be '
           . '"on" or "off"'],
     ['', 'invalid number of arguments in "msgbus_history" directive'],
     ['on; msgbus_history off', '"msgbus_history" directive is duplicate'])
{
    my ($value, $message) = @$_;
    my $nginx = Msgbus::Nginx->new(
        http     => $bus,
        location => "location / { msgbus bus; msgbus_history $value; }");

    ok(!eval { $nginx->start }, "msgbus_history $value; is refused");
    like($@, qr/\[emerg\].*\Q$message\E/, '    and nginx says why');
}

done_testing;
