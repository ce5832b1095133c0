# Where two repairs have left two places that had events, close together, a page
# that ends between them tells of the first, and the next one of the second.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Nginx;


my $build = $ENV{BUILD} || 'build';
my $tool = ($build =~ m{^/} ? $build : "$FindBin::Bin/../$build")
           . '/msgbus-journal';

plan skip_all => "no $tool here: run \"make\"" if ! -x $tool;

Msgbus::Nginx->limit(60);

my $nginx = Msgbus::Nginx->new(
    http     => 'msgbus_journal disk { path journal; }'
                . ' msgbus_zone zone=bus:1m store=disk ttl=1h max_events=10;',
    location => 'location / { msgbus bus; msgbus_require_uuid off;
                              msgbus_max_response 400; }',
);
my $folder = "$nginx->{dir}/journal";

sub start {
    $nginx->start;
    $nginx->until(10, 'the journal to be read', sub {
        return $nginx->client->get('/x?echo=true')->status == 204;
    });

    return $nginx->client;
}

# a bit in the last event of all

sub spoil {
    my ($file) = reverse sort glob "$folder/*.journal";

    open my $f, '+<:raw', $file or die "$file: $!";

    my $bytes = do { local $/; <$f> };
    my ($at, $last) = (4096);

    while ($at + 64 <= length $bytes) {
        my ($length, $type) = unpack 'x4 V x20 v', substr $bytes, $at, 64;

        last if $length < 64 || $type < 1 || $type > 5;
        $last = $at if $type == 1;
        $at += $length;
    }

    seek $f, $last + 80, 0;
    print $f chr(ord(substr $bytes, $last + 80, 1) ^ 0x10);
    close $f;
}

my (@ids, @lost);

for (1, 2) {
    my $client = start();

    push @ids, map { $client->post('/a', "[$_]")->id } 1 .. 3;
    push @lost, pop @ids;

    $nginx->crash;
    spoil();
    system("$tool repair $folder >/dev/null 2>&1");
}

my $client = start();

push @ids, map { $client->post('/a', "[$_]")->id } 1 .. 20;

my ($cursor, @pages) = ($ids[0]);

for ( ;; ) {
    my $r = $client->get("/a?echo=true&last-known-id=$cursor");

    last if $r->status == 204;

    push @pages, [$cursor, $r->last_id, $r->gap];
    $cursor = $r->last_id;
}


for my $id (@lost) {
    my ($page) = grep { $_->[0] < $id && $_->[1] > $id } @pages;

    ok($page && $page->[2], "the page that passes $id tells of a gap")
        or diag(join ' ', map { "$_->[0]-$_->[1]:$_->[2]" } @pages);
}

$nginx->quit;

done_testing;
