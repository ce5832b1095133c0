# A post is answered 503, and may be stored or not.  Who sends it again under
# its key is told 409 as long as that is open, and then the truth: its event is
# there once.  What is stored already is told at once, also by a bus that takes
# no further post, and by one whose database is away.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Fake;


Msgbus::Nginx->limit(120);

my $fake = Msgbus::Fake->new->start;
my $nginx = $fake->node(more => 'poll 50ms; retry tries=4 delay=250ms;')->start;

$fake->wait_until_up($nginx);

my @ndjson = ('Content-Type' => 'application/x-ndjson');

sub post {
    my ($key, $body, @headers) = @_;

    my $r = $nginx->client->post('/a', $body, 'Idempotency-Key' => qq("$key"),
                                 @headers);

    return wantarray ? ($r, told($r)) : told($r);
}

sub told {
    my ($r) = @_;

    return join ' ', map { $_ // '-' }
           $r->status, $r->header('Msgbus-Stored'),
           $r->header('Retry-After'), $r->header('Idempotency-Replayed');
}

# how many documents have this in their data

sub stored {
    my ($what) = @_;

    return scalar grep { ($_->{data} // '') =~ /\Q$what\E/ } $fake->documents;
}

sub until_known {
    my ($key, $body) = @_;

    my ($r, $told);

    $nginx->until(15, "to know of $key", sub {
        ($r, $told) = post($key, $body);
        return $told =~ /^201/;
    });

    return $r;
}


# --- it is stored

my ($first) = post('first', '{"n":"first"}');
is(told($first), '201 all - -', 'the first post');
my ($batch) = post('batch', qq({"n":"b1"}\n{"n":"b2"}), @ndjson);
is($batch->status, 201, 'and a batch');


# --- an insert is done, and not answered, and nobody can look

$fake->set(mute => 1);

my $client = $nginx->client;
my @request = (POST => '/a', '{"n":"mute"}', 'Idempotency-Key' => '"mute"');

$client->send($client->format(@request));
$fake->until(5, 'the insert', sub { stored('mute') });
$fake->set(away => 1);

my $r = $client->response('POST', Msgbus::Client::now() + 10);
my $told = told($r);

is($told, '503 unknown 1 -', 'it may have been stored, and may be sent again');

($r, $told) = post('mute', '{"n":"mute"}');
is($told, '409 unknown 1 -', 'the first one is under way still');
is(post('mute', '{"n":"other"}'), '409 unknown 1 -', 'whatever the body is');

is(post('first', '{"n":"first"}'), '201 all - true',
   'what is stored is told at once');
is(post('first', '{"n":"other"}'), '422 none - -', 'and so is another body');

($r, $told) = post('batch', qq({"n":"b1"}\n{"n":"b2"}), @ndjson);
is($told, '201 all - true', 'and a batch');
is($r->body, $batch->body, 'with all of its ids');

$fake->set(mute => 0);
$fake->set(away => 0);
$r = until_known('mute', '{"n":"mute"}');

is(stored('mute'), 1, 'it is stored once');
is(told($r), '201 all - true', 'it was the first one');
is(post('mute', '{"n":"other"}'), '422 none - -', 'whose body it is');


# --- nothing arrives

$fake->set(away => 1);

for (1 .. 3) {
    $told = post('away', '{"n":"away"}');
    like($told, qr/^(?:503|409) (?:none|unknown) 1 -$/, 'the database is away');
}

is(post('first', '{"n":"first"}'), '201 all - true',
   'what is stored is told at once');

$fake->set(away => 0);
until_known('away', '{"n":"away"}');
is(stored('away'), 1, 'it is stored once');


# --- more than the path takes

$fake->set(rate => 100_000);

my $large = '["' . 'x' x 50_000 . '"]';
my @clients = map { $nginx->client } 1 .. 60;

for my $client (@clients) {
    $client->send($client->format(POST => '/b', $large));
    sleep 0.02;
}

my ($full, @answers) = ('');

for my $n (1 .. 200) {
    my $new = $nginx->client;

    $new->send($new->format(POST => '/b', $large));
    push @clients, $new;

    # one who is not answered at once is in the queue, and so leaves it

    $new = $nginx->client(timeout => 0.1);
    $r = $new->post('/a', '{}', 'Idempotency-Key' => qq("new $n"));
    next if $r->status != 503;

    $full = $r->json->{message};
    @answers = ((post('first', '{"n":"first"}'))[1],
                (post('batch', qq({"n":"b1"}\n{"n":"b2"}), @ndjson))[1]);
    last;
}

is($full, 'Too many events wait for the store', 'no further post is taken');
is_deeply(\@answers, [('201 all - true') x 2], 'what is stored is told at once');

$fake->set(rate => 0);
$_->close for @clients;

$nginx->quit;
$nginx->no_alerts;

done_testing;
