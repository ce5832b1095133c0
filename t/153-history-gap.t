# A gap is told for what the store has forgotten too, and for nothing else: it
# says where events begin again, and from there nothing is missing.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Nginx;
use Msgbus::Stream;


Msgbus::Nginx->limit(60);

# a journal that keeps some files of 64k, and a zone that keeps ten events

my $nginx = Msgbus::Nginx->new(
    http     => 'msgbus_journal disk { path journal; segment 64k; size 300k; }
                 msgbus_zone zone=bus:1m store=disk ttl=1d max_events=10;',
    location => 'location / { msgbus bus; } msgbus_require_uuid off;
                 msgbus_scope exact parent all;',
)->start;

my $client = $nginx->client(agent => 'poster/1.0');

$nginx->until(10, 'the journal to be read', sub {
    return $client->get('/x?echo=true')->status == 204;
});

my @ids = map { $client->post('/a', '{"s":"' . 'x' x 1000 . '"}')->id }
          1 .. 600;

# until what is too much has left it

my $kept = sub {
    my $r = $client->get("/a?last-known-id=0&max-events=1");

    return $r->status == 200 ? $r->json->{events}[0]{id} : 0;
};

# one file after the other goes, until all of them are as large as is said

$nginx->until(20, 'the journal to forget', sub {
    my $bytes = 0;

    $bytes += -s // 0 for glob "$nginx->{dir}/journal/*.journal";

    return $bytes <= 300 * 1024 && $kept->() > $ids[0];
});

my $oldest = $kept->();

cmp_ok($oldest, '>', $ids[0], 'the journal has forgotten some');
cmp_ok($oldest, '<', $ids[-20], '    and has more than memory');

sub pages {
    my ($cursor) = @_;

    my (@got, @gaps);

    for (1 .. 100) {
        my $r = $client->get("/a?last-known-id=$cursor&max-events=37");

        push @gaps, $cursor if $r->gap;
        push @got, map { $_->{id} } @{ $r->json->{events} }
            if $r->status == 200;
        last if $r->status == 204;
        $cursor = $r->last_id;
    }

    return (\@got, \@gaps);
}

my @left = grep { $_ >= $oldest } @ids;
my ($got, $gaps) = pages($ids[0]);

is_deeply($got, \@left, 'a reader who is older gets all that is left');
is_deeply($gaps, [$ids[0]], '    and is told once');

($got, $gaps) = pages(0);
is_deeply($got, \@left, 'one from the beginning, too');
is_deeply($gaps, [], '    and is not told: he has asked for what there is');

my @rest = @left[10 .. $#left];

($got, $gaps) = pages($left[9]);
is_deeply($got, \@rest, 'one who has what was forgotten gets the rest');
is_deeply($gaps, [], '    without a gap');

my $r = $client->get("/a?sort=-1&max-events=500&last-known-id=$ids[0]");

is($r->gap, 1, 'the newest first, down to below what is there: a gap');
is($client->get("/a?sort=-1&max-events=20&last-known-id=$left[0]")->gap, 0,
   '    and none down to what is there');

# memory has ten: a page of five takes nothing from the journal

is($client->get("/a?sort=-1&max-events=5&last-known-id=$ids[0]")->gap, 1,
   '    nor does it matter to that how many were asked for');
is($client->get("/a?sort=-1&max-events=5&last-known-id=$left[0]")->gap, 0,
   '    though the rest is cut off');
is($client->get("/a?sort=-1&max-events=5&last-known-id=0")->gap, 0,
   '    and who has seen nothing misses nothing');

for my $sse (1, 0) {
    my $form = $sse ? 'SSE' : 'NDJSON';
    my $stream = Msgbus::Stream->new(to => "127.0.0.1:$nginx->{port}",
                                     uri => '/a', sse => $sse,
                                     headers => ['Last-Event-ID', $ids[0]]);
    $stream->open;
    Msgbus::Stream->read_until(10, sub { $stream->{n} >= @left }, $stream);

    my ($gap) = my @told = $stream->gaps;
    my ($after, $begin) = $gap->{block} =~ /"after":(\d+),"oldest":(\d+)/;

    is(scalar @told, 1, "$form: a stream is told once");
    is($after, $ids[0], '    of what it came with');
    ok($begin > $ids[0] && $begin <= $left[0],
       '    and where events begin again');
    is(join(' ', map { $_->{id} } grep { defined $_->{data} && !$_->{event} }
                                  @{ $stream->{events} }),
       "@left", '    and gets all of them');

    if ($sse) {

        # who is cut off behind the gap comes back, and is not told again

        my $back = Msgbus::Stream->new(to => "127.0.0.1:$nginx->{port}",
                                       uri => '/a',
                                       headers => ['Last-Event-ID',
                                                   $gap->{id}]);
        $back->open;
        Msgbus::Stream->read_until(10, sub { $back->{n} >= @left }, $back);
        is($back->{n}, scalar @left, '    who is cut off there misses none');
        is(scalar $back->gaps, 0, '    and is not told again');
    }
}

# a cursor that nobody has given out

$r = $client->get('/a?last-known-id=' . ($ids[-1] + 1000));

is($r->gap, 1, 'a cursor that nobody has given out: a gap');
is($r->last_id, $ids[-1], '    and the newest id to go on with');

$nginx->quit;
$nginx->no_alerts;

done_testing;
