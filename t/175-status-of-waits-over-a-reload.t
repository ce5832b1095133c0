# A wait that ends early because its worker has to exit counts as sent away by a
# reload, parked or not; one that has an answer does not.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Nginx;
use Msgbus::Status;


Msgbus::Nginx->limit(30);

for my $park ('', 'msgbus_park off;') {
    my $nginx = Msgbus::Nginx->new(
        workers  => 1,
        http     => 'msgbus_zone zone=bus:1m; msgbus_require_uuid off;',
        location => "location / { msgbus bus; $park }
                     location = /status { msgbus_status; }",
    )->start;

    my $status = Msgbus::Status->new(nginx => $nginx, zone => 'bus');
    my $client = $nginx->client(agent => 'test/1.0');

    my $waits = sub {
        my $waits = $nginx->client(agent => 'test/1.0');

        $waits->connect;
        $waits->send($waits->format(GET => '/w?wait=20', undef));
        $nginx->wait_for_readers(1);

        return $waits;
    };

    $status->counts('a wait over a reload', sub {
        my $waits = $waits->();

        $nginx->reload;
        is($waits->response('GET')->status, 204, 'a wait ends with its worker');
    }, 'reads.empty' => 1, 'readers_total.accepted' => 1,
       'readers_total.reload' => 1);

    my $before = $status->now->{readers_total}{reload};

    my $first = $waits->();

    is($client->post('/w', '[]')->status, 201, 'an event');
    is($first->response('GET')->status, 200, 'ends a wait');
    $nginx->reload;
    is($status->now->{readers_total}{reload}, $before,
       'which no reload has ended');

    $nginx->quit;
    $nginx->no_alerts;
}

done_testing;
