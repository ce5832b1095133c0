# A time-out that the URI names holds in place of the directive's, and whoever
# waits for the database goes by it: a page of history, and health.  So a
# database that is slow, but within its time, is read, and is not told as away.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Fake;


Msgbus::Nginx->limit(60);

my $fake = Msgbus::Fake->new->start;

# by the directives a question to the database may take 0.4 s

my $http = $fake->http(
    size => '1m', zone => 'ttl=1d max_events=10', more => 'poll 50ms;',
    uri => $fake->uri . '?' . join('&', map { $_ . 'TimeoutMS=30000' }
                                       qw(socket connect serverSelection)),
);

$http =~ s/timeout \K[12]s;/200ms;/g;

my $nginx = Msgbus::Nginx->new(
    workers => 1, http => $http,
    location => 'location / { msgbus bus; } msgbus_require_uuid off;',
)->start;

$fake->wait_until_up($nginx);

my $client = $nginx->client(agent => 'reader/1.0');

$client->post('/a', "[$_]") for 1 .. 30;

# each answer to a query comes so late; a page takes two of them

$fake->set(late => 0.6);

my $r = $client->get('/a?last-known-id=0');

is($r->status, 200, 'a slow page of history is waited for');
is(join(' ', map { $_->{data}[0] } @{ $r->json->{events} }),
   join(' ', 1 .. 30), '    and is whole');

# a look is under way nearly all the time: some of these come near its end

my %health;

for (1 .. 20) {
    $health{ $client->get('/health')->status }++;
    sleep 0.1;
}

is(join(' ', keys %health), 200, 'and the database is not told as away');

$fake->set(late => 0);

$nginx->quit;
$nginx->no_alerts;

done_testing;
