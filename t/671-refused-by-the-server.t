# An event that the server will never take, by a validator or by another unique
# index, is answered by an error of its own, and holds up nobody else.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(time);

use Msgbus::Fake;


Msgbus::Nginx->limit(60);

my $fake = Msgbus::Fake->new->start;
my $nginx = $fake->node->start;

$fake->wait_until_up($nginx);

my @refused = (
    ['poison', 121, {}],
    ['again', 11000, { keyPattern => { data => 1 } }],
    ['own', 11000, { keyPattern => { key => 1 } }],
    ['unnamed', 11000, {}],
    ['later', 11602, {}],
);

$fake->set(refused => [@refused, ['blocked', 371, {}]]);

my $client = $nginx->client;

for my $how (qw(poison again own unnamed)) {
    my $begin = time;
    my $r = $client->post('/a', qq({"n":"$how"}));

    is($r->status, 422, "$how: it is refused");
    is($r->body, '{ "message": "The store refuses the event, nothing was '
                 . 'stored" }', 'and the poster is told so');
    is($r->header('Retry-After'), undef, 'not to try again');
    is($client->post('/a', '{}')->status, 201, 'the next one is stored');
    cmp_ok(time - $begin, '<', 2, 'nobody waits for it');
}

# in a batch, with some before it and some behind it

my $r = $client->post('/a', join('', map { qq({"n":$_}\n) }
                                     1, 2, '"poison"', 4, '"again"', 6),
                      'Content-Type' => 'application/x-ndjson');

is($r->status, 422, 'a batch with two of them');
is($r->json->{message}, 'The store refuses 2 events, the others it has',
   'says what was stored');

my @stored = map { $_->{data} =~ /"n":(\w+)/ ? $1 : () } $fake->documents;

is("@stored", '1 2 4 6', 'the others are, in their order');

my @events = map { $_->{data} =~ /"n":(\w+)/ ? $1 : () }
             @{ $client->get('/a?echo=true&last-known-id=0')->events };

is("@events", '1 2 4 6', 'readers see these');
is($fake->documents + 0, (my @ids = $fake->ids)[-1], 'no id is left out');

# what the server can not do now is tried again

is($client->post('/a', '{"n":"later"}')->status, 503,
   'a server that shuts down refuses nothing for good');

# so while an administrator has writes blocked

$client->send($client->format('POST', '/a', '{"n":"blocked"}'));

$fake->until(10, 'the event to be refused', sub {
    return ($fake->health($nginx))[1]{mongodb}{error}
           =~ /refused for blocked/;
});

$fake->set(refused => \@refused);

is($client->response->status, 201, 'nor one that takes no writes for a while');

my ($status, $report) = $fake->health($nginx);

is($report->{mongodb}{refused}, 6, 'the report counts those refused for good');

my @lines = $nginx->log(0, 'warn', 'the store refuses');

is(@lines, 1, 'the log tells of them once a minute');
like($lines[0], qr/"\/a" in msgbus zone "bus", 1 so far, code 121:/,
     'and why');

$nginx->quit;
$nginx->no_alerts;

# a validator looks at an event before its id is: so the refusal does not say
# that nobody else has written since

$nginx = $fake->node(workers => 1, more => 'poll off;')->start;
$fake->wait_until_up($nginx);

$client = $nginx->client;

my $id = $client->post('/a', '{}')->id + 1;

$fake->put($fake->event($id));

ok(!$client->get("/a?last-known-id=$id")->gap,
   'a cursor that another node has given out is no gap');
is($client->post('/a', '{"n":"poison"}')->status, 422,
   'nor is it one after an event that is refused');
ok(!$client->get("/a?last-known-id=$id")->gap,
   'for nothing is known from that of what others have written');

$nginx->quit;
$nginx->no_alerts;

done_testing;
