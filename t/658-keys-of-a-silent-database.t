# While a post with a key waits for the database, another one with this key is
# told to come again: 409.  After a 503 that may have stored it, and after a
# poster that left, the same key finds out.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Fake;


Msgbus::Nginx->limit(90);

my $fake = Msgbus::Fake->new->start;
my $nginx = $fake->node(workers => 2, more => 'retry tries=3 delay=500ms;')
                 ->start;

$fake->wait_until_up($nginx);

my @batch = ('Content-Type' => 'application/x-ndjson');

sub told {
    my ($r) = @_;

    return join ' ', $r->status, $r->header('Msgbus-Stored') // 'not told',
           $r->header('Idempotency-Replayed') // 'first',
           $r->header('Retry-After') // 'no retry';
}

sub post {
    my ($body, $key, @headers) = @_;

    return $nginx->client->post('/a', $body,
                                defined $key ? ('Idempotency-Key' => $key) : (),
                                @headers);
}

# sent, and not waited for
sub sent {
    my ($body, $key, @headers) = @_;

    my $client = $nginx->client;
    my $until = Msgbus::Client::now() + 5;

    $client->connect($until);
    $client->send($client->format('POST', '/a', $body,
                                  'Idempotency-Key' => $key, @headers), $until);
    return $client;
}

# once it is there, however slow this machine is
sub under_way {
    my ($body, $key, @headers) = @_;

    my $r;

    for (1 .. 50) {
        $r = post($body, $key, @headers);
        last if $r->status == 409;
        sleep 0.02;
    }

    return $r;
}

is(told(post('[0]', 'k0')), '201 all first no retry', 'a post with a key');

# the database does what it is told, and does not say so, whoever asks

$fake->set(unreadable => 1);
$fake->set(mute => 1);

my $first = sent('[1]', 'k1');

$nginx->until(10, 'the first to be stored', sub {
    return grep({ ($_->{channel} // '') eq '/a' } $fake->documents) == 2;
});

my $left = sent('[2]', 'k2');
my $lines = sent("[3]\n[4]\n", 'k3', @batch);

my $r = under_way('[1]', 'k1');

is(told($r), '409 unknown first 1', 'the same, while it waits');
is($r->body, '{ "message": "A POST with this Idempotency-Key is under way" }',
   'is told so');
is(told(under_way("[3]\n[4]\n", 'k3', @batch)), '409 unknown first 1',
   'a batch');
is(told(post('[0]', 'k0')), '201 all true no retry',
   'what is stored is answered without the database');
is(told(post('[9]', 'k0')), '422 none first no retry', 'so is another body');

$left->close;

$r = $first->response('POST', Msgbus::Client::now() + 10);
is(told($r), '503 unknown first 1', 'the first may have been stored');
like(told($lines->response('POST', Msgbus::Client::now() + 10)),
     qr/^503 (?:none|unknown) first 1$/, 'and what came behind it comes again');

$fake->set(mute => 0);
$fake->set(unreadable => undef);

for my $post (['[1]', 'k1'], ['[2]', 'k2'], ["[3]\n[4]\n", 'k3', @batch]) {

    for (1 .. 100) {
        $r = post(@$post);
        last if $r->status == 201;
        sleep 0.1;
    }

    like(told($r), $post->[1] eq 'k1' ? qr/^201 all true/ : qr/^201 all/,
         "$post->[1]: it is stored");
}

my @data = map { $_->{data}[0] }
           @{ $nginx->client->get('/a?echo=true')->json->{events} };

is(join(' ', sort @data), '0 1 2 3 4', 'each is there once');

$nginx->quit;
$nginx->no_alerts;

done_testing;
