# Workers that are to leave do so, whatever their clients are about, and what
# they still answer is stored in the bus that the new workers have.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Nginx;


Msgbus::Nginx->limit(90);

my $nginx = Msgbus::Nginx->new(
    workers  => 2,
    http     => 'msgbus_zone zone=bus:1m first_id=1;',
    location => 'location / { msgbus bus; msgbus_require_uuid off; }
                 location /short/ {
                     msgbus bus;
                     msgbus_require_uuid off;
                     client_body_timeout 3s;
                 }',
)->start;

my $event = '{"a":1}';

# what nothing ends takes 60 s and more

my $soon = 10 * $Msgbus::Nginx::PATIENCE;

# clients in all the states in which a worker can find them when it is told
# to go

my $clients_in_all_states = sub {
    my ($uri) = @_;

    my $had = $nginx->open_sockets;
    my %c = map { $_ => $nginx->client } qw(idle read silent head half);

    $c{idle}->post('/a', $event);
    $c{read}->get('/a?echo=true');
    $c{silent}->connect;
    $c{head}->send("POST /a HTTP/1.1\r\nHost: bus\r\n");

    my $half = $c{half}->format(POST => $uri, $event,
                                Expect => '100-continue');

    # a 100 says that a worker has the request, and waits for its body

    $c{half}->send(substr $half, 0, -length $event);
    $c{half}->wait_for('read', $c{half}->now + $c{half}{timeout})
        or die "no 100 came\n";
    $c{half}->send(substr $half, -length $event, -3);

    $nginx->until(5, 'five connections to be taken',
                  sub { $nginx->open_sockets >= $had + 5 });

    return (\%c, substr $half, -3);
};


# reload

my ($c, $rest) = $clients_in_all_states->('/half');
my $old = $nginx->reload(wait => 0);

ok($c->{idle}->is_closed($soon), 'a reload closes idle connections of posters');
ok($c->{read}->is_closed($soon), 'and of readers');

my $new = $nginx->client;

is($new->get('/half?echo=true')->status, 204,
   'a POST that is half sent is not stored');

$c->{half}->send($rest);

my $r = $c->{half}->response('POST');

is($r->status, 201, 'an old worker still takes the other half')
    || diag($r->error);
is($r->header('Connection'), 'close', 'and then closes the connection');

my $events = $new->get('/half?echo=true')->events;

is(join(' ', map { "$_->{id} $_->{data}" } @$events), $r->id . " $event",
   'the event is there for readers of the new workers');

my $next = $new->post('/half', $event)->id;

cmp_ok($next, '>', $r->id, 'and the next id comes after it');

$c->{head}->close;
$c->{silent}->close;

cmp_ok($nginx->wait_for_end_of($old, 20), '<', $soon,
       'then the old workers leave');


# a client that never sends the other half

($c, $rest) = $clients_in_all_states->('/short/late');
$old = $nginx->reload(wait => 0);

$c->{head}->close;
$c->{silent}->close;

cmp_ok($nginx->wait_for_end_of($old, 40), '<', 3 + $soon,
       'an old worker waits for the other half as long as '
       . 'client_body_timeout says');

is($new->get('/late?echo=true')->status, 204,
   'and stores nothing of it');


# quit

($c, $rest) = $clients_in_all_states->('/half');

kill QUIT => $nginx->{pid};

ok($c->{idle}->is_closed($soon), 'quit closes idle connections');

$c->{half}->send($rest);
$r = $c->{half}->response('POST');

is($r->status, 201, 'a worker that quits still takes the other half')
    || diag($r->error);

$c->{head}->close;
$c->{silent}->close;

cmp_ok($nginx->quit(20), '<', $soon, 'and ends');

is(scalar $nginx->log(0, undef, 'open socket'), 0, 'no socket is left open');

$nginx->no_alerts;

done_testing;
