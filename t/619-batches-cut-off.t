# Batches of 500 events, posted to two nodes at the same time, while the
# connection of one to the database fails in the midst of them: each event is
# stored once, in the order of its batch, with the id that is told.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Client;
use Msgbus::Mongodb;
use Msgbus::Proxy;


Msgbus::Nginx->limit(90);

my $mongodb = Msgbus::Mongodb->new(own => 1)->start;
my $proxy = Msgbus::Proxy->new(to => $mongodb->{port})->start;
my $more = 'poll 50ms; retry tries=100 delay=100ms;';
my @nginx = ($mongodb->node(port => $proxy->{port}, more => $more)->start,
             $mongodb->node(more => $more)->start);

$mongodb->wait_until_up(@nginx);

my @clients = map { $_->client(timeout => 30) } @nginx;

my @faults = (
    ['cut request', insert => 0],
    ['cut request', insert => 60_000],
    ['cut reply', insert => 30],
    ['late request', insert => 300],
    ['spoil reply', insert => 'noise'],
    ['answer concern', insert => 64],
);

for my $round (0 .. $#faults) {
    my $done = $proxy->done;

    $proxy->tell(@{ $faults[$round] });

    for my $i (0, 1) {
        $clients[$i]->send($clients[$i]->format(
            'POST', "/$round/$i", join('', map { "[$_]\n" } 1 .. 500),
            'Content-Type' => 'application/x-ndjson'));
    }

    my @answers = map { $_->response('POST', Msgbus::Client::now() + 30) }
                  @clients;

    is($proxy->done, $done + 1, "@{ $faults[$round] }: happened");

    for my $i (0, 1) {
        my $r = $answers[$i];
        my @events = @{ $mongodb->ask(find => {
            query => { channel => "/$round/$i" } }) };

        is($r->status, 201, "the batch of node $i is stored")
            || diag $r->body . $r->error;
        is(join(' ', map { $_->{data} } @events),
           join(' ', map { "[$_]" } 1 .. 500), 'each event once, in order');
        is(join(' ', map { $_->{_id} } @events),
           join(' ', @{ $r->status == 201 ? $r->json->{ids} : [] }),
           'with the ids that were told');
    }
}

# and as the readers of either node see it

my $last = $clients[0]->post('/end', '{}')->id;

$mongodb->wait_for_id($last, @nginx);

my @ids = map { $_->{_id} }
          grep { $_->{channel} =~ /^.\d/ } @{ $mongodb->ask(find => {}) };

for my $client (@clients) {
    my ($cursor, @seen) = (0);

    while ($cursor < $last) {
        my $r = $client->get('/?events=all&echo=true&max-events=500'
                             . "&last-known-id=$cursor");

        last if $r->status != 200;
        push @seen, map { $_->{id} } @{ $r->events };
        $cursor = $r->last_id;
    }

    is(join(' ', @seen), join(' ', @ids, $last), 'a reader sees each once');
}

$_->quit, $_->no_alerts for @nginx;

done_testing;
