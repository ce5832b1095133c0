# A POST with an Idempotency-Key is stored once: who sends it again gets the
# first answer, from whatever worker, after a reload, after a worker's death.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Nginx;


Msgbus::Nginx->limit(90);

my $few = 'max_events=2';

sub http {
    return "msgbus_zone zone=bus:4m first_id=1;
            msgbus_zone zone=few:1m first_id=1 $few full=reject;
            msgbus_jsonp on;";
}

my $nginx = Msgbus::Nginx->new(
    workers  => 4,
    http     => http(),
    location => <<'END_OF_LOCATION',
location /       { msgbus bus; }
location /few/   { msgbus few; }
location /small/ { msgbus bus; client_max_body_size 8; }
location /page/  { msgbus bus; error_page 422 = @sorry; }
location @sorry  { return 200 sorry; }
END_OF_LOCATION
)->start;

my $n = 0;

# each on a connection of its own, and so by any worker
sub post {
    my ($uri, $body, $key, @headers) = @_;

    my $client = $nginx->client(agent => 'one/1.0');

    if (@headers && $headers[0] eq 'agent') {
        (undef, $client->{agent}) = splice @headers, 0, 2;
    }

    return $client->post($uri, $body,
                         defined $key ? ('Idempotency-Key' => qq("$key")) : (),
                         @headers);
}

sub told {
    my ($r) = @_;

    return join ' ', $r->status, $r->header('Msgbus-Stored') // 'not told',
           $r->id // 'no id',
           $r->header('Idempotency-Replayed') // 'first';
}

sub count {
    my $r = $nginx->client->get("$_[0]?echo=true");

    return $r->status == 204 ? 0 : scalar @{ $r->json->{events} };
}


# --- one event

is(told(post('/a', '{"n":1}', 'k')), '201 all 1 first', 'the first time');
is(told(post('/a', '{"n":1}', 'k')), '201 all 1 true', 'the second time')
    for 1 .. 8;
is(count('/a'), 1, 'it is stored once');

is(told(post('/a', '{"n":1}')), '201 all 2 first', 'no key, no memory');
is(told(post('/a', '{"n":1}', 'K')), '201 all 3 first', 'another key');
is(told(post('/b', '{"n":1}', 'k')), '201 all 4 first', 'another channel');
is(told(post('/a/b', '{"n":1}', 'k')), '201 all 5 first', 'one below it');
is(told(post('/a', '{"n":1}', 'k', agent => 'two/1.0')), '201 all 1 true',
   'without a uuid all share the keys of a channel');
is(told(post('/a', '{"n":1}', 'k', agent => 'one/1.0 uuid/u')),
   '201 all 6 first', 'a uuid has keys of its own');
is(told(post('/a', '{"n":1}', 'k', agent => 'two/2.0 uuid/u')),
   '201 all 6 true', 'whatever else its User-Agent says');


# --- another body

my $r = post('/a', '{"n":2}', 'k');

is(told($r), '422 none no id first', 'another body');
is($r->body, '{ "message": "This Idempotency-Key has named another body" }',
   'is told so');
is($r->header('Retry-After'), undef, 'and will be told so again');
is(told(post('/a', '{"n": 1}', 'k')), '422 none no id first',
   'white space counts');
is(told(post('/a', '{"n":1}', 'k', 'Content-Type' => 'application/json')),
   '422 none no id first', 'and so does the Content-Type');
is(told(post('/page/a', '{}', 'p')), '201 all 7 first', 'with an error_page');
is(told(post('/page/a', '[]', 'p')), '200 none no id first', 'it says no more');
is(count('/a'), 5, 'nothing of that is stored');


# --- the same answer, in whatever form it is asked for

$r = post('/shown', '{"a":[ 1 ]}', 's', agent => 'one/1.0',
          Prefer => 'return=representation');
is(told($r), '201 all 8 first', 'an event that is shown');

my $first = $r->body =~ s/"age":\d+/"age":A/r;

# its time is that of then
select undef, undef, undef, 1.1;

$r = post('/shown', '{"a":[ 1 ]}', 's', agent => 'two/2.0',
          Prefer => 'return=representation');
is(told($r), '201 all 8 true', 'is shown again');
is($r->header('Preference-Applied'), 'return=representation', 'as is wished');
is($r->body =~ s/"age":[1-9]\d*/"age":A/r, $first,
   'as it was stored: who posted it, and when; only older');
is(post('/shown', '{"a":[ 1 ]}', 's')->body, '', 'without a wish it is not');

is(told(post('/c?callback=f', '{}', 'c')), '200 all 9 first', 'a callback');
$r = post('/c?callback=f', '{}', 'c');
is(told($r), '200 all 9 true', 'is called again');
is($r->body, 'f({});', 'as it was');

for my $by (['201 all 10 first', 'a post by GET has a key, where one is sent'],
            ['201 all 10 true', 'and is answered again'])
{
    $r = $nginx->client->get('/g?method=POST&post-data=[1]',
                             'Idempotency-Key' => 'g');
    is(told($r), $by->[0], $by->[1]);
}


# --- a batch

my @batch = ('Content-Type' => 'application/x-ndjson');

is(told(post('/batch', "[1]\n\n[2]\n[3]\n", 'b', @batch)),
   '201 all 13 first', 'a batch');
$r = post('/batch', "[1]\n\n[2]\n[3]\n", 'b', @batch);
is(told($r), '201 all 13 true', 'the second time');
is($r->body, '{"ids":[11,12,13]}', 'has the ids of the first');
is(told(post('/batch', "[1]\n[2]\n[3]\n", 'b', @batch)),
   '422 none no id first', 'an empty line less is another body');
is(told(post('/batch', "[1]\n\n[2]\n[3]\n[4]\n", 'b', @batch)),
   '422 none no id first', 'a line more, too');
is(told(post('/batch', '[1]', 'b')), '422 none no id first',
   'and a single event');
is(told(post('/batch', '[1]', 'b1')), '201 all 14 first', 'whose key');
is(told(post('/batch', "[1]\n[2]\n", 'b1', @batch)),
   '422 none no id first', 'is none for a batch');
is(count('/batch'), 4, 'nothing of that is stored');


# --- what is refused has used no key

is(told(post('/f', '{', 'f')), '400 none no id first', 'no JSON');
is(told(post('/small/f', '{"n":1000}', 'f')), '413 none no id first',
   'too large');
is(told(post('/f', "{}\n{\n", 'f', @batch)), '400 none no id first',
   'a bad line');
is(told(post('/f', '{}', 'f')), '201 all 15 first', 'then it is free');


# --- a batch of which a part is stored: the missing lines are

$r = post('/few/a', "[1]\n[2]\n[3]\n", 'b', @batch);
is(told($r), '503 2 no id first', 'there is room for two of three');
is($r->header('Retry-After'), 1, 'it may be posted again');
is(told(post('/few/a', '[4]', 'x')), '507 none no id first', 'none for more');
is(told(post('/few/a', "[1]\n[2]\n", 'b', @batch)), '422 none no id first',
   'a batch of those that are stored is another one');

$few = 'max_events=20';
$nginx->configure(http => http());
$nginx->reload;

$r = post('/few/a', "[1]\n[2]\n[3]\n", 'b', @batch);
is(told($r), '201 all 3 first', 'posted again, when there is room');
is($r->body, '{"ids":[1,2,3]}', 'two are of then, and one is new');
is(told(post('/few/a', "[1]\n[2]\n[3]\n", 'b', @batch)), '201 all 3 true',
   'and again: nothing is new');
is(count('/few/a'), 3, 'each line is stored once');
is(told(post('/few/a', '[4]', 'x')), '201 all 4 first',
   'a key of what there was no room for is free');


# --- over reloads and deaths

is(told(post('/a', '{"n":1}', 'k')), '201 all 1 true', 'after a reload');

$nginx->kill_worker($_) for $nginx->worker_pids;

is(told(post('/a', '{"n":1}', 'k')), '201 all 1 true',
   'after the death of all workers');
is(told(post('/a', '{"n":3}', 'k3')), '201 all 16 first', 'and others go on');

$nginx->quit;
$nginx->no_alerts(@Msgbus::Nginx::KILLED);

done_testing;
