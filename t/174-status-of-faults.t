# Numbers of what goes wrong are exact, too: posts that a full zone or a store
# refuses, streams of slow consumers, events and ids of another node, pages that
# are read from the store.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Socket qw( SOL_SOCKET SO_RCVBUF );
use Test::More;

use Msgbus::Fake;
use Msgbus::Status;
use Msgbus::Stream;


Msgbus::Nginx->limit(60);

# it does not look at the store by itself in the time of this test

my $fake = Msgbus::Fake->new->start;
my $nginx = $fake->node(
    workers => 1, size => '1m', zone => 'ttl=1d max_events=10',
    more => 'poll 1m; retry tries=1 delay=200ms;',
    location => 'msgbus_require_uuid off;
                 location / { msgbus bus; }
                 location /full/ { msgbus full; }
                 location /slow/ { msgbus slow; msgbus_stream_buffer 64k; }
                 location = /status { msgbus_status; }',
);

my $port = Msgbus::Nginx::free_port();

$nginx->{http} .= "\nmsgbus_zone zone=full:128k full=reject;"
                  . "\nmsgbus_zone zone=slow:8m;"
                  . "\nclient_max_body_size 1m;";
$nginx->{listen} = ["127.0.0.1:$port sndbuf=16k"];
$nginx->start;
$fake->wait_until_up($nginx);

my $client = $nginx->client(agent => 'test/1.0');
my %status = map { $_ => Msgbus::Status->new(nginx => $nginx, zone => $_) }
             qw( bus full slow );


# --- a zone that is full

my $kilo = '["' . 'x' x 1000 . '"]';
my ($stored, $full) = (0, 0);

$status{full}->counts('a zone that gets full', sub {
    for (1 .. 150) {
        my $code = $client->post('/full/a', $kilo)->status;

        $stored++ if $code == 201;
        $full++ if $code == 507;
    }

    is($stored + $full, 150, 'all are answered');
    cmp_ok($full, '>', 0, 'some with 507');
}, 'refused.full' => sub { $full }, 'published.events' => sub { $stored },
   'published.bytes' => sub { $stored * length $kilo });


# --- a client that does not read

my $deaf = Msgbus::Stream->new(to => "127.0.0.1:$port", uri => '/slow/a');

$deaf->open;
setsockopt $deaf->{client}{sock}, SOL_SOCKET, SO_RCVBUF, 4096;
$nginx->wait_for_readers(1, 'slow');

my $large = '["' . 'x' x 100_000 . '"]';

$client->post('/slow/a', $large) for 1 .. 20;
$nginx->until(10, 'the stream to be closed',
              sub { $status{slow}->now->{readers}{sse} == 0 });

is($status{slow}->now->{readers_total}{slow}, 1, 'one slow consumer counts');


# --- a store that another node writes to, and whose history is read

sub store {
    my $store = $status{bus}->now->{store};

    return join ' ', map { ref $store->{$_} ? $store->{$_}{count}
                                            : $store->{$_} }
                     qw( commits batch_events conflicts foreign
                         history_seconds pending );
}

my @before = split ' ', store();

sub store_is {
    my ($more, $title) = @_;

    my @n = split ' ', $more;

    is(store(), join(' ', map { $before[$_] + $n[$_] } 0 .. $#n), $title);
}

$client->post('/a', '[1]') for 1 .. 20;

store_is('20 20 0 0 0 0', 'twenty commits');

$client->get('/a?last-known-id=0') for 1, 2;

store_is('20 20 0 0 2 0', 'two pages from the store');

$fake->append;
is($client->post('/a', '[2]')->status, 201, 'its id is taken');

store_is('21 21 1 1 2 0', 'a conflict, and an event of another node');


# --- and which does not answer

$fake->set(mute => 1);

$status{bus}->counts('a store that says nothing', sub {
    is($client->post('/a', '[3]')->status, 503, 'it may be stored');
}, 'refused.timeout' => 1);

$fake->set(mute => 0);

$nginx->quit;
$nginx->no_alerts;

done_testing;
