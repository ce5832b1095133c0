# A reader who has found nothing may wait for the first events.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Nginx;


Msgbus::Nginx->limit(90);

my $nginx = Msgbus::Nginx->new(
    workers  => 4,
    http     => 'msgbus_zone zone=bus:1m first_id=1;
                 msgbus_scope exact parent all;',
    location => '
        msgbus_require_uuid off;
        msgbus_max_wait 20s;

        location / { msgbus bus; }
        location /short/ { msgbus bus; msgbus_max_wait 1s; }
        location /few/ { msgbus bus; msgbus_max_waiters 2; }
    ',
)->start;

# a bus shows nobody their own events: posters and readers differ

my $me = 'reader/1.0 uuid/00000000-0000-4000-8000-000000000002';

my $poster = $nginx->client;

# sends a read and leaves it; answer() takes what comes

sub begin {
    my ($uri, @headers) = @_;

    my $client = $nginx->client(agent => $me);

    $client->connect;
    $client->send($client->format(GET => $uri, undef, @headers));

    return { client => $client, begun => Msgbus::Client::now() };
}

sub answer {
    my ($reader) = @_;

    my $r = $reader->{client}->response('GET', Msgbus::Client::now() + 30);

    $reader->{took} = Msgbus::Client::now() - $reader->{begun};

    return $r;
}

sub ids { return join ' ', $_[0]->status, map { $_->{id} } @{ $_[0]->events } }

# Soon is not late: what does not come at once comes after 19 s or not at all,
# so that a machine which stands still for a while fails nothing.

my $soon = 5 * $Msgbus::Nginx::PATIENCE;


# what is there is answered at once

$poster->post('/a', '[1]');                                     # id 1

my $reader = begin('/a?wait=19');

is(ids(answer($reader)), '200 1', 'a reader does not wait for what is there');
cmp_ok($reader->{took}, '<', $soon, 'it is answered at once');

# nothing comes

$reader = begin('/a?last-known-id=1&wait=1');
my $r = answer($reader);

is($r->status, 204, 'when nothing comes, a wait ends with 204');
is($r->last_id, 1, 'and the cursor to go on with');
cmp_ok($reader->{took}, '>=', 0.95, 'it lasts as long as was asked for');
cmp_ok($reader->{took}, '<', 1 + $soon, 'and not longer');

# something comes, whatever worker it is posted to

my @readers = map { begin('/a?last-known-id=1&wait=19') } 1 .. 24;

$nginx->wait_for_readers(24);

my $posted = Msgbus::Client::now();
$poster->post('/a', '[2]');                                     # id 2

my @got = map { ids(answer($_)) } @readers;
my $took = Msgbus::Client::now() - $posted;

is_deeply(\@got, [ ('200 2') x 24 ],
          'an event ends the wait of all its readers, on every worker');
cmp_ok($took, '<', $soon, 'at once');

# whom it concerns

my %waits = (
    exact    => begin('/a/b?last-known-id=2&wait=4'),
    other    => begin('/a/c?last-known-id=2&wait=4'),
    above    => begin('/a?last-known-id=2&wait=4'),
    all      => begin('/a?last-known-id=2&wait=4&events=all'),
    parent   => begin('/a/b/x?last-known-id=2&wait=4&events=parent'),
    whole    => begin('/?last-known-id=2&wait=4&events=all'),
    latest   => begin('/a/b?last-known-id=latest&wait=4'),
    lookalike => begin('/a/bb?last-known-id=2&wait=4&events=parent'),
);

$nginx->wait_for_readers(8);
$poster->post('/a/b', '[3]');                                   # id 3

my %end = map { $_ => ids(answer($waits{$_})) } sort keys %waits;

is_deeply(\%end, { exact => '200 3', other => '204', above => '204',
                   all => '200 3', parent => '200 3', whole => '200 3',
                   latest => '200 3', lookalike => '204' },
          'readers are woken by what they look at and by nothing else');

# their own events are not what they wait for

$reader = begin('/echo?wait=19');
my $other = begin('/echo?wait=19&echo=true');

$nginx->wait_for_readers(2);
$nginx->client(agent => $me)->post('/echo', '[4]');             # id 4
is(ids(answer($other)), '200 4', 'echo=true waits for one\'s own events too');

$nginx->wait_for_readers(1);
$poster->post('/echo', '[5]');                                  # id 5
is(ids(answer($reader)), '200 5', 'without, one waits for those of others');

# how it is asked for

$r = answer($reader = begin('/short/q?wait=60'));
is($r->status, 204, 'msgbus_max_wait ends what is longer');
cmp_ok($reader->{took}, '<', 1 + $soon, 'at its time');

$r = answer(begin('/a?last-known-id=5', 'Prefer', 'respond-async, wait=1'));
is(join(' ', $r->status, $r->header('Preference-Applied')), '204 wait=1',
   'Prefer asks for it too, and is told so');

$r = answer(begin('/short/q', 'Prefer', 'wait=60'));
is($r->header('Preference-Applied'), 'wait=1',
   'with the time that it got');

$r = answer($reader = begin('/q?wait=0', 'Prefer', 'wait=19'));
is($r->status, 204, 'the parameter goes before the header');
cmp_ok($reader->{took}, '<', $soon, 'and 0 is not to wait');

$r = answer(begin('/short/q?wait=1', 'Prefer', 'wait=3'));
is($r->header('Preference-Applied'), undef, 'so the header is not applied');

for my $bad ('wait=x', 'wait=', 'wait=1.5', 'wait=5abc', 'wait=+5', 'wait=%2B5',
             'wait=99999999999999999999', 'wait=2&sort=-1')
{
    $r = answer(begin("/a?last-known-id=5&$bad"));
    is($r->status, 400, "$bad is refused");
    like($r->body, qr/^\{ "message": "[^"]+" \}$/, 'with a message');
}

$r = answer(begin('/a?last-known-id=5&sort=-1', 'Prefer', 'wait=19'));
is($r->status, 400, 'the newest first can not wait by the header, either');

# what a list of wishes may look like, RFC 7240

for my $nonsense ('wait=x, wait', 'wait=19abc', 'wait=19 5', 'wait=19.5',
                  'wait=-19', 'wait=+19', 'wait=', 'wait="19', 'wait=19"',
                  'wait="19"5', 'wait="+19"', 'x="a, wait=19"',
                  'x="a, wait=19', 'x="\\", wait=19"', 'x; y="a, wait=19"',
                  'wait=99999999999999999999')
{
    $r = answer($reader = begin('/q', 'Prefer', $nonsense));
    is(join(' ', $r->status, $r->header('Preference-Applied') // 'no'), '204 no',
       "$nonsense is passed over");
    cmp_ok($reader->{took}, '<', $soon, 'and nobody waits');
}

my @wishes = ('wait="1"', 'wait = 1', ' wait=1 ; x="a, b"', 'wait=1;', 'wait=1,,',
              'x="a, b", wait=1', 'x="\\"", wait=1', 'x="\\\\", wait=1',
              'wait=1x, wait=1', 'x="a; b" , WAIT=1');

@readers = map { begin('/q', 'Prefer', $_) } @wishes;

for my $wish (@wishes) {
    $r = answer($reader = shift @readers);
    is(join(' ', $r->status, $r->header('Preference-Applied') // 'no'),
       '204 wait=1', "$wish is understood");
}

my $begun = Msgbus::Client::now();

$r = $nginx->client(timeout => 30)->head('/q?wait=19');

is($r->status, 204, 'HEAD is answered as the GET would be');
cmp_ok(Msgbus::Client::now() - $begun, '<', $soon, 'and does not wait');

$r = $nginx->client->head('/q', Prefer => 'wait=19');
is($r->header('Preference-Applied'), undef, 'nor says so');

# too many

@readers = map { begin('/few/q?wait=19') } 1 .. 2;
$nginx->wait_for_readers(2);
$r = answer(begin('/few/q?wait=19'));
is($r->status, 503, 'more readers than msgbus_max_waiters are refused');
is($r->header('Retry-After'), 1, 'and told to come back');
is($nginx->client->get('/few/q')->status, 204, 'who does not wait is not');

$_->{client}->close for @readers;
$nginx->wait_for_readers(0);
is(answer(begin('/few/q?wait=1'))->status, 204, 'who leaves makes room');

# a reader who leaves at the very moment of the wake harms nobody

my @stayed;

for (1 .. 20) {
    $nginx->wait_for_readers(0);

    my $gone = begin('/gone?last-known-id=latest&wait=19');
    my $stays = begin('/gone?last-known-id=latest&wait=19');

    $nginx->wait_for_readers(2);
    $gone->{client}->reset;
    $poster->post('/gone', '[6]');
    push @stayed, answer($stays)->status;
}

is_deeply(\@stayed, [ (200) x 20 ],
          'readers who leave do not disturb those who stay');

# one connection, many waits

my $client = $nginx->client;

$client->get("/kept?wait=0") for 1 .. 3;
is($client->get('/kept?wait=1')->status, 204, 'a connection outlives a wait');
is($client->get('/kept')->status, 204, 'and serves on');

$nginx->quit;
$nginx->no_alerts;

done_testing;
