# What has left memory is read from the store: a reader with a cursor gets it,
# from a page as from any other, and is told of no gap.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Nginx;


Msgbus::Nginx->limit(60);

my $nginx = Msgbus::Nginx->new(
    http     => 'msgbus_journal disk { path journal; segment 256k; }
                 msgbus_zone zone=bus:1m store=disk ttl=1d max_events=10;
                 msgbus_zone zone=memory:1m max_events=10 first_id=1;
                 msgbus_require_uuid off; msgbus_scope exact parent all;',
    location => 'location / { msgbus bus; }
                 location /off/ { msgbus bus; msgbus_history off;
                                  location /off/on/ { msgbus bus;
                                                      msgbus_history on; } }
                 location /rse/ { msgbus bus; msgbus_rse on; }
                 location /memory/ { msgbus memory; msgbus_history on; }',
)->start;

my $client = $nginx->client(agent => 'reader/1.0 uuid/me');

$nginx->until(10, 'the journal to be read', sub {
    return $client->get('/x')->status == 204;
});

# 60 events over /a, /a/b, /ab: a third each; every fifth is the reader's own

my %posted;
my $n = 0;

for my $i (0 .. 59) {
    my $channel = ('/a', '/a/b', '/ab')[$i % 3];
    my $r = $nginx->client(agent => $i % 5 ? 'poster/1.0 uuid/other'
                                           : 'reader/1.0 uuid/me')
                  ->post($channel, qq([$i, "caf\xc3\xa9"]));

    $posted{$i} = { id => $r->id, channel => $channel };
}

my $first = $posted{0}{id};
my $newest = $posted{59}{id};


sub got {
    my ($r) = @_;

    return '' if $r->status == 204;
    return "$r->{status} $r->{error}" if $r->status != 200;

    return join ' ', map { $_->{data}[0] } @{ $r->json->{events} };
}


# all pages from a cursor on, and whether one told of a gap

sub all {
    my ($uri, $cursor, $r) = @_;

    my (@got, $gap);

    for (1 .. 100) {
        $r = $client->get("$uri&last-known-id=$cursor");
        $gap ||= $r->gap;

        push @got, got($r) if $r->status != 204;
        return join(' ', @got) . ($gap ? ' with a gap' : '')
            if $r->last_id == $newest && $cursor == $newest;
        $cursor = $r->last_id;
    }

    return "no end: @got";
}


sub those { my ($sub) = @_; return join ' ', grep { $sub->($_) } 0 .. 59 }

is(got($client->get('/a?echo=true')), '51 54 57',
   'without a cursor a reader gets what is in memory');
is(got($client->get('/a?echo=true&last-known-id=0')),
   those(sub { $_ % 3 == 0 }), 'with one he gets the rest, too');
is($client->get('/a?echo=true&last-known-id=0')->gap, 0,
   '    and is told of no gap');
is($client->get('/a?echo=true&last-known-id=0')->last_id, $newest,
   '    and his next cursor is the newest id');

for my $max (1, 7, 500) {
    for my $from ([0, 'from the beginning'], [$posted{7}{id}, 'from any id']) {
        my ($cursor, $title) = @$from;
        my $old = sub { my ($i) = @_; $posted{$i}{id} > $cursor };

        is(all("/a/b?echo=true&max-events=$max", $cursor),
           those(sub { $_ % 3 == 1 && $old->($_) }),
           "pages of $max, $title: exact");
        is(all("/a/b?echo=true&events=parent&max-events=$max", $cursor),
           those(sub { $_ % 3 != 2 && $old->($_) }), '    parent');
        is(all("/a?echo=true&events=all&max-events=$max", $cursor),
           those(sub { $_ % 3 != 2 && $old->($_) }), '    all, without /ab');
        is(all("/?echo=true&events=all&max-events=$max", $cursor),
           those($old), '    the whole bus');
        is(all("/a?max-events=$max", $cursor),
           those(sub { $_ % 3 == 0 && $_ % 5 && $old->($_) }),
           "    one's own events hidden");
    }
}

is(got($client->get('/a?echo=true&sort=-1&last-known-id=0')),
   join(' ', reverse grep { $_ % 3 == 0 } 0 .. 59),
   'the newest first, from memory and then from the store');
is(got($client->get('/a?echo=true&sort=-1&last-known-id=0&max-events=5')),
   '57 54 51 48 45', '    as many as asked for');
is(got($client->get("/?events=all&echo=true&sort=-1&last-known-id=$first")),
   join(' ', reverse 1 .. 59), '    down to the cursor');
is($client->get('/a?echo=true&sort=-1&last-known-id=0')->gap, 0,
   '    without a gap');

# the bytes are those that memory has shown

my $near = $posted{49}{id};
my $shown = $client->get("/?events=all&echo=true&last-known-id=$near")->body;

for (1 .. 10) {
    $newest = $nginx->client(agent => 'poster/1.0 uuid/other')
                    ->post('/z', '{}')->id;
}

my $past = $client->get("/?events=all&echo=true&max-events=10"
                        . "&last-known-id=$near")->body;

s/"age":\d+/"age":N/g for $shown, $past;

is($past, $shown, 'an event looks the same from the store');

my $r = $client->get('/a?echo=true&last-known-id=0&max-events=2');

is($client->get('/a?echo=true&last-known-id=0&max-events=2', 'If-None-Match',
                $r->header('ETag'))->status, 304, 'its ETag holds');

$r = $client->head('/a?echo=true&last-known-id=0&max-events=2');
is(join(' ', $r->status, $r->last_id, $r->header('Content-Length')),
   join(' ', 200, $posted{3}{id},
        length $client->get('/a?echo=true&last-known-id=0&max-events=2')->body),
   'HEAD has the headers of GET');

is(got($client->get('/none?last-known-id=0')), '', 'where nothing was, is 204');

# where it is off, or the bus has no store

is($client->get("/off/a?last-known-id=$first")->gap, 1,
   'with msgbus_history off the same reader is told of a gap');
is($client->get("/off/on/a?last-known-id=$first")->gap, 0,
   '    and not in a location that has it on again');
is(got($client->get('/rse/a')), got($client->get('/rse/a?last-known-id=0')),
   'with msgbus_rse on a reader needs no cursor for it');

$client->post('/memory/a', "[$_]") for 1 .. 20;

is(got($client->get('/memory/a?echo=true&last-known-id=0')),
   join(' ', 11 .. 20), 'a bus in memory has what it has');
is($client->get('/memory/a?echo=true&last-known-id=5')->gap, 1,
   '    and tells of the gap');

# it outlives nginx, and the log begins anew

$nginx->quit;
$nginx->start;
$nginx->until(10, 'the journal to be read', sub {
    return $client->get('/x')->status == 204;
});

is(all('/a?echo=true&max-events=7', 0) =~ s/ with a gap//r,
   those(sub { $_ % 3 == 0 }), 'after a restart it is there');

$nginx->no_alerts;

done_testing;
