# A post that has waited for the database in vain may be given to a backend by an
# error_page: the request is no longer held then, and its client may leave.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Select;
use IO::Socket::INET;
use Test::More;

use Msgbus::Fake;


Msgbus::Nginx->limit(60);

# a backend that takes connections, and says nothing
my $backend = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 64)
    or die "no backend: $@\n";
my $port = $backend->sockport;

my $fake = Msgbus::Fake->new->start;

my $nginx = $fake->node(
    workers  => 1,
    more     => 'retry tries=2 delay=100ms;',
    location => "location /bus/     { msgbus bus; error_page 503 = \@later; }
                 location \@later   { proxy_pass http://127.0.0.1:$port;
                                      proxy_ignore_client_abort on;
                                      proxy_read_timeout 1s; }
                 location = /health { msgbus_health bus; }",
)->start;

$fake->wait_until_up($nginx);

my ($worker) = $nginx->worker_pids;

is($nginx->client->post('/bus/a', '{}')->status, 201, 'the database is there');

$fake->set(away => 1);

for my $way (qw( close reset )) {
    my $leaver = $nginx->client;

    $leaver->send($leaver->format(POST => '/bus/a', '{"n":1}'));

    ok(IO::Select->new($backend)->can_read(10 * $Msgbus::Nginx::PATIENCE),
       'the backend is asked');
    my $asked = $backend->accept;

    $leaver->$way;
    select undef, undef, undef, 0.3;
    close $asked;

    is($nginx->client->get('/health')->status, 200, "$way: nginx serves");
}

is(join(' ', $nginx->worker_pids), $worker, 'the worker is the same');

$nginx->quit;
$nginx->no_alerts;

done_testing;
