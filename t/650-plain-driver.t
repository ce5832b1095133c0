# What is posted here a plain driver reads, byte for byte, and RSE's own queries
# find: the schema is RSE's.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Law;
use Msgbus::Mongodb;


Msgbus::Nginx->limit(60);

my $mongodb = Msgbus::Mongodb->new->start;
my $nginx = $mongodb->node->start;

$mongodb->wait_until_up($nginx);

my $agent = 'Poster/1.2 "q\\" uuid/6ba7b810-9dad-11d1-80b4-00c04fd430c8 (x)';
my $uuid = '6ba7b810-9dad-11d1-80b4-00c04fd430c8';

my @data = (
    '{}',
    "[1 ,\t-0.5e+1,\r\n null]",
    qq({"\xc3\xa9":"\\u00e9\\u0000\\ud83d\\ude00 \xf0\x9f\x98\x80"}),
    '{"a":"' . 'x' x 300_000 . '"}',
    '[' x 300 . ']' x 300,
);

my $client = $nginx->client(agent => $agent);
my @ids;

for my $data (@data) {
    my $r = $client->post('/a/b', $data);

    is($r->status, 201, 'stored: ' . length($data) . ' bytes')
        || diag "$r->{head}$r->{body}";
    push @ids, $r->id;
}


sub bytes {
    return map { my $d = $_->{data}; utf8::encode($d); $d } @_;
}


my @found = @{ $mongodb->ask(find => { query => { channel => '/a/b' } }) };

is_deeply([map { $_->{_id} } @found], \@ids, 'each has the id that was told');
ok(join("\0", bytes(@found)) eq join("\0", @data), 'and its data, byte for byte');

my $event = $found[0];

is($event->{user_agent}, $agent, 'the User-Agent as it was sent');
is($event->{uuid}, $uuid, 'and its uuid');
cmp_ok(abs($event->{created_at} / 1000 - time), '<', 60, 'the time of the post');

my %type = map { @$_ } @{ $mongodb->ask(types => {
    query => { channel => '/a/b' } }) };

is(join(' ', map { "$_=" . ($type{$_} // 'none') }
         qw(_id data channel user_agent uuid created_at)),
   '_id=int64 data=string channel=string user_agent=string uuid=string '
   . 'created_at=date', "the types are RSE's");

my $counter = $mongodb->ask('counter');

is($counter->{_id}, 'last_known_id', "the counter has RSE's name");
cmp_ok($counter->{c}, '>=', $ids[-1], 'and is not below the newest id');

# a User-Agent is any bytes, a string of BSON is UTF-8

my $odd = $nginx->client(agent => "\xff uuid/J\xfcrg\xc3\xa9");

is($odd->post('/odd', '{}')->status, 201, 'bytes that are no UTF-8');

my $r = $nginx->client(agent => 'uuid/x' . "\xc3\xa9" x 600)
              ->post('/odd', '{}');

is($r->status, 201, 'more than is kept');

my ($bytes, $cut) = eval { @{ $mongodb->ask(find => {
    query => { channel => '/odd' } }) } };

is($@, '', 'the events can be read');
is($bytes->{uuid}, "J\x{fffd}rg\xe9", 'with U+FFFD in their place');
is($bytes->{user_agent}, "\x{fffd} uuid/J\x{fffd}rg\xe9", 'and in the agent');
ok($cut->{uuid} eq 'x' . "\xe9" x 511, 'whole characters of 1,024 bytes');

is($odd->get('/odd')->json->{events}[0]{id}, $r->id,
   'who has posted it is known by it all the same');

# RSE's queries

sub rse {
    my (%with) = @_;

    return join ' ', map { $_->{_id} } @{ $mongodb->ask(rse_get => \%with) };
}


my $above = $client->post('/a', '{"in":"a"}')->id;
my $below = $client->post('/a/b/c', '{"in":"c"}')->id;

is(rse(channel => '/a/b'), "@ids", 'exact');
is(rse(channel => '/a/b', last_known_id => $ids[2]), "@ids[3, 4]",
   'after a cursor');
is(rse(channel => '/a/b', last_known_id => $ids[0], max_events => 2),
   "@ids[1, 2]", 'the oldest two');
is(rse(channel => '/a/b', sort => -1, max_events => 2), "@ids[4, 3]",
   'the newest two');
is(rse(channel => '/a/b', events => 'parent'), "@ids $above", 'parent');
is(rse(channel => '/a', events => 'all'), "@ids $above $below", 'all');
is(rse(channel => '/a/b', uuid => $uuid), '', 'without what one has posted');
is(rse(channel => '/a/b', uuid => 'another'), "@ids", 'and for another');

# what a client of the bus sees is the same

is_deeply([map { "$_->{id} $_->{data}" }
           @{ $client->get('/a/b?echo=true&last-known-id='
                           . ($ids[0] - 1))->events }],
          [map { "$ids[$_] $data[$_]" } 0 .. 4], 'a reader of the bus');

# an empty collection got an anchor first, which is RSE's to the letter, and
# which no reader can name

my @anchors = @{ $mongodb->ask(find => { query => { channel => '' } }) };

cmp_ok(scalar @anchors, '>=', 1, 'there is an anchor');

delete @{ $anchors[0] }{qw(_id created_at)};
is_deeply($anchors[0], { data => '{}', channel => '', user_agent => '',
                         uuid => '' }, 'it has all members');
is(scalar @{ $client->get('/?events=all&echo=true&last-known-id=0')->events },
   9, 'and is not seen on the bus');

is(scalar(grep { $_->{channel} ne '' && !defined $_->{token} }
          @{ $mongodb->ask(find => {}) }), 0, 'each has its token');

$nginx->quit;
$nginx->no_alerts;

done_testing;
