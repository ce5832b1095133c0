# A large event takes memory of a worker while it is sent, and no longer, wherever
# it has stood in its batch.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Fake;


Msgbus::Nginx->limit(120);

my $fake = Msgbus::Fake->new->start;
my $nginx = $fake->node(
    workers  => 1, size => '128m',
    location => 'location / { msgbus bus; client_max_body_size 4m; }',
)->start;

$fake->wait_until_up($nginx);

my $client = $nginx->client;
my ($worker) = $nginx->worker_pids;

sub own { return 1024 * $nginx->memory($worker, 'RssAnon') }


sub post {
    my ($small, $large) = @_;

    my $body = qq({}\n) x $small . '{"x":"' . 'x' x $large . qq("}\n);
    my $r = $client->post('/a', $body,
                          'Content-Type' => 'application/x-ndjson');

    is($r->status, 201, "$small small events before a large one")
        if $r->status != 201;
}

post($_, 900_000) for 1 .. 2;

my $before = own();

post($_, 900_000) for 3 .. 102;

my $more = own() - $before;

note("$more bytes more");
cmp_ok($more, '<', 30e6, '100 events of 900 kB leave less than 30 MB behind');

$nginx->quit;
$nginx->no_alerts;

done_testing;
