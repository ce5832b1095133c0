# What comes back for an insert is no answer: no message, no BSON, or BSON that
# says nothing.  The events have been stored all the same, so nobody is told
# that they were not, and nothing is stored again.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Mongodb;
use Msgbus::Proxy;


Msgbus::Nginx->limit(90);

my $mongodb = Msgbus::Mongodb->new(own => 1)->start;
my $proxy = Msgbus::Proxy->new(to => $mongodb->{port})->start;
my $nginx = $mongodb->node(port => $proxy->{port},
                           more => 'poll 50ms; retry tries=50 delay=100ms;')
                    ->start;

$mongodb->wait_until_up($nginx);

my $client = $nginx->client(timeout => 20);

my @ways = qw(short endless code empty member failed errors codeless noise);

# libmongoc 1.23 reads past these, or aborts: then the worker dies that commits,
# and who posted to it gets no answer

my @deadly = qw(packed section none long cut open);


# ids of what was posted to this channel: in the database, as a reader sees it

sub stored {
    my ($name) = @_;

    return map { $_->{_id} }
           @{ $mongodb->ask(find => { query => { channel => "/$name" } }) };
}


sub seen {
    my ($name) = @_;

    return map { $_->{id} }
           @{ $nginx->client->get("/$name?echo=true&last-known-id=0")->events };
}


for my $way (@ways) {
    my $done = $proxy->done;

    $proxy->tell('spoil reply', insert => $way);

    my $r = $client->post("/$way", '{}');

    is($proxy->done, $done + 1, "$way: the answer was spoiled");
    is($r->status, 201, 'it is found out that the event is stored')
        || diag $r->body . $r->error;
    is(join(' ', stored($way)), $r->id // 'none', 'it is stored once');
    is(join(' ', seen($way)), $r->id // 'none', 'and seen once');
}

# a batch, and a poster who does not wait

$proxy->tell('spoil reply', insert => 'noise');

my $r = $client->post('/batch', join('', map { "[$_]\n" } 1 .. 200),
                      'Content-Type' => 'application/x-ndjson');

is($r->status, 201, 'a batch is found, too');
is(join(' ', stored('batch')), join(' ', @{ $r->json->{ids} }),
   'each event of it is stored once');
is(join(' ', seen('batch')), join(' ', @{ $r->json->{ids} }),
   'and seen once');

my $done = $proxy->done;

$proxy->tell('spoil reply', insert => 'noise');

my $leaver = $nginx->client;

$leaver->send($leaver->format('POST', '/left', '{}'));
$mongodb->until(10, 'its insert', sub { $proxy->done > $done });
$leaver->close;

is($client->post('/after', '{}')->status, 201, 'others go on');
is(scalar(() = stored('left')), 1, 'what somebody left behind is stored once');
is(scalar(() = seen('left')), 1, 'and seen once');

for my $way (@deadly) {
    $proxy->tell('spoil reply', insert => $way);

    my $r = $nginx->client->post("/$way", '{}');
    my $after = $nginx->client;

    $mongodb->until(10, 'another one to commit', sub {
        return $after->post('/after', '{}')->status == 201;
    });

    ok($r->status == 201 || $r->failure eq 'lost',
       "$way: it is found out, or the worker died")
        || diag $r->status . $r->body . $r->error;

    my @stored = stored($way);

    is(scalar @stored, 1, 'the event is stored once');
    is($stored[0], $r->id // $stored[0], 'with the id that was told');
    is(join(' ', seen($way)), "@stored", 'and seen once');
}

my @died = grep { /exited on signal (?:6|11)\b/ } $nginx->alerts;

cmp_ok(scalar @died, '<=', scalar @deadly,
       'no worker died of anything else: ' . @died);

$nginx->quit;
$nginx->no_alerts(@Msgbus::Nginx::KILLED,
                  qr/worker process \d+ exited on signal (?:6|11)\b/);

done_testing;
