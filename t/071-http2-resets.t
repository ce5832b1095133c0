# An HTTP/2 client may give up a request at any byte, or all of them at once:
# nothing of a body that did not end is stored, and its connection, the worker
# and other clients go on.
#
# t/h2/client.py is the client; it prints where it left, and what came then.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Nginx;


# Debian's packages are for Debian's Python, whatever comes first in the path

my ($python) = grep { !system("$_ -c 'import h2' 2>/dev/null") }
               qw( python3 /usr/bin/python3 );

plan skip_all => 'needs python3-h2' if !$python;

Msgbus::Nginx->limit(240);

my $port = Msgbus::Nginx::free_port();

my $nginx = Msgbus::Nginx->new(
    listen   => ["127.0.0.1:$port http2"],
    http     => 'msgbus_zone zone=bus:8m;',
    location => 'msgbus_max_response 4m;
                 location /      { msgbus bus; }
                 location /file/ { msgbus bus; client_body_buffer_size 1k; }
                 location /few/  { msgbus bus; msgbus_max_waiters 1; }',
)->start;

my @workers = $nginx->worker_pids;
my $plain = $nginx->client(agent => 'reader/1.0 uuid/r');
my $sockets = do { $plain->get('/quiet'); $nginx->open_sockets };


# what a scenario has said, each line that came once, with its number

sub scenario {
    my ($name) = @_;

    my $seconds = 60 * $Msgbus::Nginx::PATIENCE;
    my $said = `timeout $seconds $python -B $FindBin::Bin/h2/client.py $port $name 2>&1`;
    my %times;

    return "failed: $said" if $?;

    $times{$_}++ for map { /(\d\d\d(?: whole)?)$/ } split /\n/, $said;

    return join ', ', map { "$times{$_} x $_" }
           sort { length $a <=> length $b || $a cmp $b } keys %times;
}


# events of a channel

sub stored {
    my ($channel) = @_;

    return scalar @{ $plain->get("$channel?max-events=500")->events };
}


my $event = length '{"n":1,"text":"nothing of this is stored"}';

is(scenario('small'), '1 x 201, ' . 2 * ($event + 1) . ' x 204',
   'a reset after each byte of a body, with and without a length');
is(scenario('large'), '1 x 201, 8 x 204',
   'a reset within a body that goes through a file');
is(scenario('many'), '20 x 201', 'a reset of each second of 40 bodies');
is(scenario('late'), '1 x 204', 'a reset behind the end of a body');
is(scenario('bytewise'), '2 x 204', 'the end of a connection after each byte');
is(scenario('leave'), '12 x 204',
   'the end of a connection with bodies, an answer and a wait');
is(scenario('page'), '5 x 201, 7 x 200 whole', 'a reset within an answer');
is(scenario('waits'), '1 x 201, 20 x 204, 20 x 503', 'a reset of a wait');

# what is there then

is(stored($_), 0, "nothing of $_ is stored") for qw( /cut /bytes );
is(stored($_), 1, "and of $_ what was whole") for qw( /kept /large );
is(stored('/many'), 400, 'those beside the ones that were reset are');
cmp_ok(stored('/late'), '<=', 100, 'a whole body is stored once at most');

$nginx->until(10, 'all other connections to be closed',
              sub { $nginx->open_sockets == $sockets });
pass('no connection is left open');

is(join(' ', $nginx->worker_pids), "@workers", 'the worker is the same');

$nginx->quit;
$nginx->no_alerts;
is(join("\n", $nginx->log(0, 'error|crit')), '', 'and no [error]');

done_testing;
