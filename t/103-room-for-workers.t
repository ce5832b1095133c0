# What a zone takes of a worker's connections, descriptors and address space is
# asked for when the configuration is read: a worker that finds it missing
# would end, and nginx starts none in its place.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Nginx;


Msgbus::Nginx->limit(60);

my $binary = $ENV{TEST_NGINX_BINARY} || 'nginx';


# what "nginx -t" says, with limits of the shell

sub verdict {
    my ($limits, %o) = @_;

    my $nginx = Msgbus::Nginx->new(location => 'location / { msgbus bus; }',
                                   %o);
    my $dir = $nginx->{dir};

    $nginx->configure;

    my $said = `$limits; exec '$binary' -t -p '$dir/' -c '$dir/nginx.conf' 2>&1`;

    return ($? == 0, $said . join "\n", $nginx->log);
}


# --- connections

my @zones = map { "msgbus_zone zone=$_:1m;" } qw( bus second third );

sub connections {
    my ($n, $http, %o) = @_;

    return verdict('true', connections => $n, http => $http, %o);
}

my ($ok, $said) = connections(3, $zones[0]);

ok(!$ok, 'a worker needs more than a listening socket, a zone and its master');
like($said, qr/\[emerg\].* 3 worker_connections are not enough: with 1 \S+ (?x:
               )sockets and 1 msgbus zones a worker needs 4 to take a client/,
     '    which is said');

($ok, $said) = connections(4, $zones[0]);
ok($ok, 'one more, and a client has its place') or diag($said);

($ok, $said) = connections(5, "@zones");
ok(!$ok, 'each zone takes one');
like($said, qr/with 1 listening sockets and 3 msgbus zones a worker needs 6 /,
     '    which is said');

($ok, $said) = connections(6, "@zones");
ok($ok, 'three zones, and a client') or diag($said);

my $other = Msgbus::Nginx::free_port();

($ok, $said) = connections(4, $zones[0], listen => ["127.0.0.1:$other"]);
ok(!$ok, 'so does each listening socket');

($ok, $said) = connections(5, $zones[0], workers => 3,
                           listen => ["127.0.0.1:$other reuseport"]);
ok($ok, 'one that each worker has of its own counts once') or diag($said);

my $nginx = Msgbus::Nginx->new(connections => 4, http => $zones[0],
                               location => 'location / { msgbus bus;
                                            msgbus_require_uuid off; }');
$nginx->start;

is($nginx->client->post('/a', '{}')->status, 201,
   'with the least that is taken, a client is served');

$nginx->quit;
$nginx->no_alerts;


# --- descriptors

($ok, $said) = verdict('ulimit -n 150', connections => 64, http => "@zones");

ok(!$ok, 'too few descriptors for a zone');
like($said, qr/\[emerg\].* eventfd\(\) failed for msgbus zone "second", which (?x:
               )needs 129 descriptors \(24: /, '    which is named');


# --- address space

SKIP: {
    skip 'a checker takes address space of its own', 6 if $ENV{CHECKED_REPORTS};

    my $large = 'msgbus_zone zone=bus:512m;';
    my $database = 'msgbus_mongodb main { uri mongodb://127.0.0.1:1/; }'
                   . ' msgbus_zone zone=bus:512m store=main;';

    # that of nginx with the zone alone, without what it is rendered into

    ($ok, $said) = verdict('ulimit -v ' . (512 + 80) * 1024, http => $large);

    ok(!$ok, 'no address space for what events are rendered into');
    like($said, qr/\[emerg\].* no address space for msgbus zone "bus", which (?x:
                   )needs \d{9} bytes of it in each process, beside its own/,
         '    which is said');

    ($ok, $said) = verdict('ulimit -v ' . (512 + 300) * 1024, http => $large);
    ok($ok, 'there is enough') or diag($said);

    skip 'this build of the module is without MongoDB', 3
        if $ENV{MSGBUS_WITHOUT_MONGODB};

    my $stack = 400;

    ($ok, $said) = verdict('ulimit -s ' . $stack * 1024 . '; ulimit -v '
                           . (512 + 300) * 1024, http => $database);

    ok(!$ok, "no address space for a database's thread");
    like($said, qr/\[emerg\].* no address space for the thread of msgbus (?x:
                   )zone "bus" in each worker, those of all zones take (?x:
                   )419430400 bytes \(12: /, '    which is said');

    ($ok, $said) = verdict('ulimit -s ' . $stack * 1024 . '; ulimit -v '
                           . (512 + 300 + $stack) * 1024, http => $database);
    ok($ok, 'there is enough') or diag($said);
}

done_testing;
