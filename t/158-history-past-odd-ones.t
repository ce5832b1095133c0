# Documents of others whose _id is no whole number are passed over, in history
# however few events are asked for at once; nor do they hide where events begin
# or end.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Fake;


Msgbus::Nginx->limit(60);

my $fake = Msgbus::Fake->new->start;
my $nginx = $fake->node(
    workers => 1, size => '1m', zone => 'ttl=1h max_events=10',
    uri => $fake->uri,
    location => 'location / { msgbus bus; } msgbus_require_uuid off;',
)->start;

$fake->wait_until_up($nginx);

my $client = $nginx->client(agent => 'reader/1.0');
my @ids = map { $client->post('/a', "[$_]")->id } 1 .. 5;

$fake->put({
    _id        => Msgbus::Fake::double($ids[2] + $_ / 32),
    channel    => '/a',
    data       => '[0]',
    created_at => Msgbus::Fake::date(time * 1000),
}) for 1 .. 20;

push @ids, map { $client->post('/a', "[$_]")->id } 6 .. 30;

sub pages {
    my ($max) = @_;

    my ($cursor, @got) = (0);

    for ( ;; ) {
        my $r = $client->get("/a?last-known-id=$cursor&max-events=$max");

        return $r->status if $r->status !~ /^20[04]$/;
        return "@got" if $r->status == 204;

        push @got, map { $_->{data}[0] } @{ $r->json->{events} };
        $cursor = $r->last_id;
    }
}

is(pages($_), join(' ', 1 .. 30), "pages of $_") for 1, 2, 7, 500;

for my $max (1, 28, 29, 30) {
    my $r = $client->get("/a?sort=-1&last-known-id=0&max-events=$max");

    is($r->status == 200 && scalar @{ $r->json->{events} }, $max,
       "the newest $max");
}

# those before the first event do not hide which one that is

$fake->put({
    _id        => Msgbus::Fake::double($_ / 128),
    channel    => '/a',
    data       => '[0]',
    created_at => Msgbus::Fake::date(time * 1000),
}) for 1 .. 100;

is($client->get("/a?last-known-id=$ids[2]")->gap, 0,
   'who has seen what is there is told of no gap');

# nor do they hide who is the first that is young

my ($old, $young) = map { Msgbus::Fake::date((time - $_) * 1000) } 7200, 1800;

$fake->change({ _id => Msgbus::Fake::long($_) }, { created_at => $old })
    for @ids[0 .. 9];
$fake->change({ data => '[0]' }, { created_at => $old });
$fake->put({
    _id        => Msgbus::Fake::double($ids[2] + 0.5),
    channel    => '/a',
    data       => '[0]',
    created_at => $young,
});

my $r = $client->get("/a?last-known-id=$ids[14]");

is($r->json->{events}[0]{data}[0], 16, 'what is young follows');
is($r->gap, 0, '    without a gap, for what is old is below it');
is($client->get("/a?last-known-id=$ids[4]")->gap, 1,
   'who comes from below that is told, although the oldest of all is young');

$fake->change({ channel => '' }, { created_at => $old });

is($client->get("/a?last-known-id=$ids[14]")->gap, 0,
   'where that is old as well, the first that is young is found');
is($client->get("/a?last-known-id=$ids[4]")->gap, 1,
   '    and who comes from below it is told');

# nor which one is the last, for who starts

$nginx->quit;

$fake->put({
    _id        => Msgbus::Fake::double($ids[-1] + 1000000 + $_ / 128),
    channel    => '/a',
    data       => '[0]',
    created_at => $young,
}) for 1 .. 100;

$nginx->start;
$fake->wait_until_up($nginx);

my $next = $client->post('/a', '[31]');

is($next->status, 201, 'what is behind the last event stops no post');
is($next->id, $ids[-1] + 1, '    and takes no ids');

$nginx->quit;
$nginx->no_alerts;

done_testing;
