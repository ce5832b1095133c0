# A client of RSE (Really Simple Events) v1 works unchanged: it knows nothing of
# Msgbus-Last-Id, waits, gaps or batches; it posts, and polls by the id of the
# last event that it has got.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Nginx;


Msgbus::Nginx->limit(60);

my $nginx = Msgbus::Nginx->new(
    workers  => 2,
    http     => 'msgbus_zone zone=bus:1m;
                 msgbus_zone zone=trial:1m;
                 msgbus_rse on;
                 client_max_body_size 2k;',
    location => 'location /       { msgbus bus; }
                 location /trial/ { msgbus trial; msgbus_test_mode on; }
                 location /closed/ { msgbus bus; deny all; }
                 location /token/ { msgbus bus; if ($http_x_auth_token = "") { return 401; } }',
)->start;


# --- the client, as one of RSE is written

package Client;

use JSON::PP ();

# all that it sends beside the request itself
my @headers = ('X-RSE-Version' => '1.0', 'X-Auth-Token' => '1b9d6bcd',
               'Accept' => 'application/json', 'Connection' => 'keep-alive');


sub new {
    my ($class, $name, $channel, %query) = @_;

    return bless {
        http    => $nginx->client(agent => "$name/1.0 uuid/$name-6ba7b810-9dad"),
        channel => $channel,
        query   => join('', map { "&$_=$query{$_}" } sort keys %query),
        last    => 0,
    }, $class;
}


sub post {
    my ($self, $data) = @_;

    my $r = $self->{http}->post($self->{channel}, JSON::PP::encode_json($data),
                                @headers, 'Content-Type' => 'application/json');

    die "not posted: $r->{head}$r->{error}\n" if $r->status != 201;

    return $r;
}


# the data of what has come since the last poll

sub poll {
    my ($self) = @_;

    my $r = $self->{http}->get("$self->{channel}?last-known-id=$self->{last}"
                               . $self->{query}, @headers);

    return [] if $r->status == 204;
    die "no answer: $r->{head}$r->{error}\n" if $r->status != 200;

    my $answer = JSON::PP->new->utf8->decode($r->body);

    die "the answer is of another channel: $answer->{channel}\n"
        if $answer->{channel} ne $self->{channel};

    for my $event (@{ $answer->{events} }) {
        die "an old id: $event->{id}\n" if $event->{id} <= $self->{last};
        die "fields: " . join(' ', sort keys %$event) . "\n"
            if join(' ', sort grep { $_ ne 'channel' } keys %$event)
               ne 'age created_at data id user_agent';

        $self->{last} = $event->{id};
    }

    return [map { $_->{data} } @{ $answer->{events} }];
}


package main;


# --- posting and polling

my $alice = Client->new(alice => '/house/kitchen');
my $bob = Client->new(bob => '/house/kitchen');

is_deeply($bob->poll, [], 'a channel that nobody has posted to is empty');

my $r = $alice->post({ light => 'on' });

is($r->body, '', 'a post is answered 201, with no body');
is_deeply($bob->poll, [{ light => 'on' }], 'the other one gets the event');
is_deeply($bob->poll, [], 'once');
is_deeply($alice->poll, [], 'the poster does not see its own');

$bob->post(["\x{20ac}", 1.5, undef]);
$alice->post({ light => 'off' });
$bob->post({ heard => 1 });

is_deeply($alice->poll, [["\x{20ac}", 1.5, undef], { heard => 1 }],
          'each sees what the other has posted, in order, and Unicode is kept');
is_deeply($bob->poll, [{ light => 'off' }], 'and not what it has itself');

# many, a page at a time

$alice->post({ n => $_ }) for 1 .. 450;

my @pages = map { $bob->poll } 1 .. 4;

is_deeply([map { scalar @$_ } @pages], [200, 200, 50, 0],
          'a page has 200 events where the client does not say');
is_deeply([map { $_->{n} } map { @$_ } @pages], [1 .. 450],
          'pages reach every event once');

# several clients, and one that comes late

my $carol = Client->new(carol => '/house/kitchen', 'max-events' => 500);
my $seen = $carol->poll;

is(scalar @$seen, 454, 'one who comes later gets all that is there');

$bob->{last} = -1;
is(scalar @{ $bob->poll }, 200, 'a last-known-id of -1 is that of one who knows nothing');


# --- parameters

my $newest = Client->new(dave => '/house/kitchen', sort => -1,
                         'max-events' => 3);
$r = $newest->{http}->get('/house/kitchen?sort=-1&max-events=3');

is_deeply([map { $_->{data} } @{ $r->events }],
          ['{"n":450}', '{"n":449}', '{"n":448}'], 'sort=-1: the newest first');

$r = $alice->{http}->get('/house/kitchen?echo=true&max-events=1');

is($r->events->[0]{data}, '{"light":"on"}', 'echo=true: also the own');

$r = $alice->{http}->get('/house/kitchen?echo=yes&events=some&sort=2&colour=red'
                         . "&last-known-id=$alice->{last}");
is($r->status, 204, 'what RSE does not know means the default');


# --- parents and children

my $house = Client->new(house => '/house');
my $room = Client->new(room => '/house/cellar/shelf', events => 'parent');
my $all = Client->new(all => '/house/cellar', events => 'all');

$house->post({ door => 'open' });
Client->new(mouse => '/house/cellar')->post({ mouse => 1 });
Client->new(mouse => '/house/cellar/shelf')->post({ mouse => 2 });
Client->new(mouse => '/house/cellars')->post({ mouse => 3 });

is_deeply($room->poll, [{ door => 'open' }, { mouse => 1 }, { mouse => 2 }],
          'events=parent: the channel and those above, in order of ids');
is_deeply($all->poll, [{ mouse => 1 }, { mouse => 2 }],
          'events=all: the channel and those below');
is_deeply([@{ $room->poll }, @{ $all->poll }], [], 'both once');

my $pages = Client->new(pages => '/house/cellar/shelf', events => 'parent',
                        'max-events' => 1);

is_deeply([map { $pages->poll } 1 .. 4],
          [[{ door => 'open' }], [{ mouse => 1 }], [{ mouse => 2 }], []],
          'a client that takes one at a time gets each one of the parents');


# --- a page in a browser, by JSONP

my $page = $nginx->client(agent => 'browser/1.0 uuid/page');

$r = $page->get('/jsonp?callback=got');

is($r->status, 200, 'JSONP: 200, although there is nothing');
is($r->body, 'got({"channel":"/jsonp","events":[]});', 'the callback is called');
is($r->header('Content-Type'), 'text/javascript; charset=utf-8',
   'as JavaScript');

$r = $page->get('/jsonp?method=POST&post-data=%7B%22a%22%3A+1%7D&callback=done');

is($r->status, 200, 'JSONP: a GET posts');
is($r->body, 'done({});', 'and the callback is called, with nothing');

is_deeply(Client->new(other => '/jsonp')->poll, [{ a => 1 }],
          'others get the event');
is($page->get('/jsonp?callback=got')->body,
   'got({"channel":"/jsonp","events":[]});', 'the page does not');

$page->{agent} = 'browser/1.0 uuid/other';

like($page->get('/jsonp?callback=got')->body,
     qr/\Agot\(\{"channel":"\/jsonp","events":\[\{"id":\d+,"user_agent":"browser\/1\.0 uuid\/page","created_at":"[-\d]{10} [:\d]{8}Z","age":\d+,"data":\{"a": 1\}\}\]\}\);\z/,
     'an event to another page, to the byte');


# --- errors, to the byte: request, status, message

my $long = '/' . 'x' x 300;

for (['GET',  '/a?last-known-id=x', undef,   400, 'Invalid last-known-id'],
     ['GET',  '/a?max-events=x',    undef,   400, 'Invalid max-events'],
     ['GET',  '/a.b',               undef,   400, 'Invalid channel name'],
     ['GET',  $long,                undef,   400, 'Invalid channel name'],
     ['GET',  '/a?callback=a.b',    undef,   400, 'Invalid callback name'],
     ['POST', '/a',                 '{',     400, 'Invalid JSON'],
     ['POST', '/a',                 '"a"',   400, 'Invalid JSON'],
     ['POST', '/a',                 '',      400, 'Invalid JSON'],
     ['POST', '/a',           '[' . ' ' x 2048 . ']', 413, 'Request Entity Too Large'],
     ['PUT',  '/a',                 '{}',    405, 'Method Not Allowed'],
     ['GET',  '/closed/a',          undef,   403, ''],
     ['GET',  '/token/a',           undef,   401, ''])
{
    my ($method, $uri, $body, $status, $message) = @$_;

    my $client = $nginx->client(agent => 'eve/1.0 uuid/eve');
    my $answer = $client->request($method, $uri, $body);
    my $title = "$method " . substr($uri, 0, 20);

    is($answer->status . ' ' . $answer->body,
       $status . qq( { "message": "$message" }), "$title: $status $message");
    is($answer->header('Content-Type'), 'application/json; charset=utf-8',
       "$title: as JSON");
}

for ([undef, 'Missing header: User-Agent'],
     ['eve/1.0', 'Missing UUID in User-Agent header'])
{
    my ($agent, $message) = @$_;

    my $client = $nginx->client(agent => $agent);

    is($client->post('/a', '{}')->body, qq({ "message": "$message" }),
       "POST: $message");
    is($client->get('/a')->body, qq({ "message": "$message" }),
       "GET: $message");
}


# --- health, OPTIONS, test mode

my $anybody = $nginx->client(agent => undef);

is($anybody->get('/health')->body, "OK\n", 'health is OK');
is($anybody->options('/a')->status, 204, 'OPTIONS is answered');
is($anybody->get('/trial/all')->body, '[]', 'test mode: /all is a bare array');
is($anybody->post('/trial/a', '{}')->status, 201, 'and nobody needs a uuid');
is(scalar @{ $anybody->get('/trial/all')->json }, 1, 'to post what it then has');

$nginx->no_alerts;

done_testing;
