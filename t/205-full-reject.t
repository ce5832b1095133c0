# A zone is full, and full=reject: nobody's event is dropped before its time,
# posters are told to come back.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Nginx;


Msgbus::Nginx->limit(120);

my $begun = Msgbus::Nginx::now();

# nothing expires before it is told to

my $nginx = Msgbus::Nginx->new(
    workers  => 4,
    http     => 'msgbus_zone zone=bus:1m ttl=600s full=reject first_id=1;',
    location => 'location / { msgbus bus; msgbus_require_uuid off; }',
)->start;

my $event = '{"s":"' . 'x' x 1000 . '"}';

my @clients = map { $nginx->client } 1 .. 8;
my $client = $clients[0];

my (@stored, $full, %status);

for my $n (1 .. 3000) {
    $full = $clients[$n % 8]->post('/a', $event);

    last if $full->status != 201;

    push @stored, $full->id;
}

is($full->status, 507, 'a full zone answers 507');
cmp_ok(scalar @stored, '>', 200,
       'after ' . @stored . ' events of 1 KiB in 1 MiB');
like($full->body, qr/^\{ "message": "[^"]+" \}$/, 'and says why')
    || diag($full->body);
is($full->header('Content-Type'), 'application/json; charset=utf-8',
   'in JSON');

for my $c (@clients) {
    $status{ $_->status }++ for $c->pipeline(([POST => '/a', $event]) x 100,
                                             ([POST => '/b', $event]) x 100);
}

is_deeply(\%status, { 507 => 1600 }, 'all who post are told, in any channel');


# readers

my (@ids, $r, $gaps);

my $read_all = sub {
    @ids = ();
    $gaps = 0;

    for (my $cursor = $_[0]; ; $cursor = $r->last_id) {
        $r = $client->get("/a?echo=true&last-known-id=$cursor");

        last if $r->status != 200;

        $gaps += $r->gap;
        push @ids, map { $_->{id} } @{ $r->events };
    }
};

$read_all->($stored[0]);

is("$stored[0] @ids", "@stored",
   'all that was acknowledged is there, and nothing that was refused');
is($gaps + $r->gap, 0, 'nobody is told of a gap');
is($client->get('/b?echo=true')->status, 204,
   'a channel whose events were all refused is empty');


# time makes room

my $next;

$nginx->reload(http => 'msgbus_zone zone=bus:1m ttl=1s full=reject '
                       . 'first_id=1;');

$nginx->until(15, 'room for an event', sub {
    $next = $client->post('/a', $event);

    return $next->status != 507;
});

is($next->status, 201, 'when events have expired, posting works again');
cmp_ok($next->id, '>', $stored[-1], 'and ids go on');

$r = $client->get("/a?echo=true&last-known-id=$stored[0]");

ok($r->gap, 'a reader who missed what expired is told of a gap');


# the log

# the warning of a zone that fills is a line of its own, when its second comes

my @lines = $nginx->log(0, 'warn|error|crit|alert|emerg');
my @warnings = grep { /zone "bus" is \d+% full/ } @lines;

@lines = grep { !/zone "bus" is \d+% full/ } @lines;

my $minutes = 1 + int((Msgbus::Nginx::now() - $begun) / 60);

ok(@lines >= 1 && @lines <= $minutes,
   'a zone that is full is a line a minute in the error log, for all workers '
   . 'and requests')
    || diag(join "\n", grep { defined } @lines[0 .. 4]);
cmp_ok(scalar @warnings, '<=', $minutes, '    and the warning before it is, too')
    || diag(join "\n", @warnings);
like($lines[0], qr/"bus"/, 'which names the zone');

$nginx->quit;
$nginx->no_alerts;

done_testing;
