# A key is kept as long as its event is stored: when the event has left memory,
# over a restart, and whichever nginx on the folder has written it; and no
# longer than the event lives.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Nginx;


Msgbus::Nginx->limit(60);

my $store = 'segment 64k; poll 20ms;';

sub node {
    my ($path, $ttl) = @_;

    my $nginx = Msgbus::Nginx->new(
        http     => "msgbus_journal disk { path $path; $store }"
                    . " msgbus_zone zone=bus:256k store=disk ttl=$ttl;",
        location => 'location / { msgbus bus; msgbus_require_uuid off; }',
    );

    start($nginx);

    return $nginx;
}

sub start {
    my ($nginx) = @_;

    $nginx->start;
    $nginx->until(10, 'the journal to be read', sub {
        return $nginx->client->get('/x?echo=true')->status == 204;
    });
}

sub post {
    my ($nginx, $key, $data) = @_;

    return $nginx->client->post('/a', $data // '{"n":1}',
                                'Idempotency-Key' => qq("$key"));
}

sub is_again {
    my ($r, $id, $title) = @_;

    is($r->status, 201, $title);
    is($r->id, $id, '    with the id of then');
    is($r->header('Idempotency-Replayed'), 'true', '    and is told so');
}

my $nginx = node('journal', '1h');
my $id = post($nginx, 'one')->id;

ok($id, 'an event is stored');

# its zone holds some hundred events of a kilobyte

$nginx->client->post('/b', qq({"s":"@{[ 'x' x 1000 ]}"})) for 1 .. 600;

is_again(post($nginx, 'one'), $id, 'it comes again when it has left memory');
is(post($nginx, 'one', '{"n":2}')->status, 422, 'with another body it is refused');

# a batch is another body, of which only the first line has a name that is known

my $batch = $nginx->client->post('/a', qq({"n":1}\n) x 100,
                                 'Content-Type'    => 'application/x-ndjson',
                                 'Idempotency-Key' => '"one"');

is($batch->status, 422, 'and so is a batch');
is($batch->header('Msgbus-Stored'), 'none', '    of which nothing is stored');
is($nginx->client->get("/a?echo=true&last-known-id=$id")->status, 204,
   '    indeed');

$nginx->quit;
start($nginx);

is_again(post($nginx, 'one'), $id, 'it comes again after a restart');

my $other = node("$nginx->{dir}/journal", '1h');

is_again(post($other, 'one'), $id, 'it comes again to another nginx');

my $two = post($other, 'two')->id;

is_again(post($nginx, 'two'), $two, 'and what that one has stored to this one');

$_->quit for $nginx, $other;

my $short = node('journal', '2s');
my $first = post($short, 'one')->id;

is_again(post($short, 'one'), $first, 'an event of two seconds comes again');
sleep 2.2;

my $r = post($short, 'one');

is($r->status, 201, 'when it has expired');
cmp_ok($r->id, '>', $first, '    it is stored anew');
ok(!$r->header('Idempotency-Replayed'), '    as a new one');

$short->quit;
$_->no_alerts for $nginx, $other, $short;

done_testing;
