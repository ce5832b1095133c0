# In memory a key is forgotten with an event that has to leave before its time:
# it is told in the error log, and counted in the report of health.  A journal
# knows it all the same.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Nginx;


Msgbus::Nginx->limit(60);

my $nginx = Msgbus::Nginx->new(
    workers  => 1,
    http     => 'msgbus_journal disk { path journal; }
                 msgbus_zone zone=bus:128k ttl=1h;
                 msgbus_zone zone=few:1m ttl=1h max_events=3;
                 msgbus_zone zone=old:1m ttl=1s;
                 msgbus_zone zone=kept:1m store=disk ttl=1h max_events=3;',
    location => 'location /     { msgbus bus; }
                 location /few/ { msgbus few; }
                 location /old/ { msgbus old; }
                 location = /old/health { msgbus_health old; }
                 location = /few/health { msgbus_health few; }
                 location = /kept/health { msgbus_health kept; }
                 location = /bus/health { msgbus_health bus; }
                 location /kept/ { msgbus kept; }',
)->start;

$nginx->until(10, 'the journal to be read', sub {
    return $nginx->client->get('/kept/x?echo=true')->status == 204;
});

my $large = 'x' x 9_000;

sub post {
    my ($channel, $key) = @_;

    my $r = $nginx->client->post($channel, qq(["$key","$large"]),
                                 'Idempotency-Key' => $key);

    return join ' ', $r->status, $r->header('Idempotency-Replayed') // 'first';
}

sub forgotten {
    my ($zone) = @_;

    return $nginx->client->get("/$zone/health?verbose=true")
                 ->json->{keys_forgotten};
}

for my $channel ('/a', '/few/a', '/old/a', '/kept/a') {
    is(post($channel, $_), '201 first', "$channel: key $_") for 1 .. 15;
}

is(post('/a', 15), '201 true', 'the newest one is known');
is(post('/a', 1), '201 first', 'the oldest one is not');
cmp_ok(forgotten('bus'), '>', 4, 'which is counted');

is(scalar $nginx->log(0, 'warn', qr/ [1-9]\d* keys are forgotten in msgbus zone "bus", /),
   1, 'and told, once a minute');

is(post('/few/a', 1), '201 first', 'the same with max_events');
is(forgotten('few'), 13, 'is counted');

is(post('/kept/a', 1), '201 true', 'a journal knows what has left memory');
is(forgotten('kept'), 0, 'so nothing is forgotten');

select undef, undef, undef, 1.2;

is(post('/old/a', 1), '201 first', 'an event that is too old has no key');
is(forgotten('old'), 0, 'that is no loss');

$nginx->quit;
$nginx->no_alerts;

done_testing;
