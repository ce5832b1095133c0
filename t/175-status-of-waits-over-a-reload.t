# A wait that ends early because its worker has to exit counts as sent away by a
# reload, parked or not; one that has an answer does not.  A request that comes to
# such a worker counts likewise, a wait as a stream.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Nginx;
use Msgbus::Status;


Msgbus::Nginx->limit(30);

# nginx's name for what a process does

sub title {
    my ($pid) = @_;

    open my $in, '<', "/proc/$pid/cmdline" or return '';
    local $/;

    return <$in> // '';
}


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

    # a request that is half there keeps its worker

    for my $of (['a wait', '/w?last-known-id=latest&wait=20', [], 'empty'],
                ['a stream', '/w?last-known-id=latest',
                 [Accept => 'text/event-stream'], 'sse'])
    {
        my ($what, $uri, $headers, $kind) = @$of;

        $status->counts("$what that comes while its worker ends", sub {
            my $late = $nginx->client(agent => 'test/1.0');
            my $request = $late->format(GET => $uri, undef, @$headers);

            $late->connect;
            $late->send(substr $request, 0, 10);

            # it has come to the worker, for one that came later has

            is($client->get('/status')->status, 200, 'the worker is there');

            my $old = $nginx->reload(wait => 0);

            $nginx->until(15, 'the worker to end', sub {
                return !grep { !/shutting down/ } map { title($_) } @$old;
            });

            $late->send(substr $request, 10);
            is($late->response('GET')->status, $kind eq 'sse' ? 200 : 204,
               "$what is answered at once");
            $late->close;
            $nginx->wait_for_end_of($old, 15);
        }, "reads.$kind" => 1, 'readers_total.accepted' => 1,
           'readers_total.reload' => 1);
    }

    $nginx->quit;
    $nginx->no_alerts;
}

done_testing;
