# Whatever of a journal is damaged, the last frame of a file, a header, or the
# end of all: once it is repaired no id that was given out is given out again,
# and readers who cross what is lost are told of a gap.

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

Msgbus::Nginx->limit(120);

sub start {
    my ($nginx) = @_;

    $nginx->start;
    $nginx->until(10, 'the journal to be read', sub {
        return $nginx->client->get('/x?echo=true')->status == 204;
    });

    return $nginx->client;
}

sub have {
    my ($client) = @_;

    my ($last, @all) = (0);

    for ( ;; ) {
        my $r = $client->get("/a?echo=true&last-known-id=$last");

        push @all, map { $_->{id} } @{ $r->events };
        return @all if !@{ $r->events };
        $last = $r->last_id;
    }
}

sub flip {
    my ($file, $at) = @_;

    open my $f, '+<', $file or die "$file: $!";
    seek $f, $at, 0;
    read $f, my $byte, 1;
    seek $f, $at, 0;
    print $f chr(ord($byte) ^ 0x10);
    close $f;
}

sub number {
    my ($file, $at) = @_;

    open my $f, '<', $file or die "$file: $!";
    seek $f, $at, 0;
    read $f, my $bytes, 8;
    close $f;

    return unpack 'Q<', $bytes;
}

# where the last frame of a file begins that is not a note or a stop

sub last_frame {
    my ($file) = @_;

    open my $f, '<:raw', $file or die "$file: $!";
    local $/;
    my $bytes = <$f>;
    my ($at, $last) = (4096, 0);

    while ($at + 64 <= length $bytes) {
        my ($length, $type) = unpack 'x4 V x20 v', substr $bytes, $at, 64;

        last if $length < 64 || $type < 1 || $type > 5;
        $last = $at if $type == 1;
        $at += $length;
    }

    return $last;
}

# how it is damaged, and what it is called

my @ways = (
    [ 'the last frame of a file', 0, sub {
        my (@files) = @_;
        flip($files[0], number($files[1], 48) - 16);
    } ],
    [ 'a header in the middle', 0, sub { flip($_[1], 20) } ],
    [ 'the newest header', 1, sub { flip($_[-1], 20) } ],
    [ 'the last event of all', 1, sub {
        flip($_[-1], last_frame($_[-1]) + 80);
    } ],
);

for my $way (@ways) {
    my ($name, $killed, $damage) = @$way;

    my $nginx = Msgbus::Nginx->new(
        http     => 'msgbus_journal disk { path journal; segment 64k; }'
                    . ' msgbus_zone zone=bus:8m store=disk ttl=1h;',
        location => 'location / { msgbus bus; msgbus_require_uuid off; }',
    );

    my $client = start($nginx);
    my $folder = "$nginx->{dir}/journal";
    my @ids = map { $client->post('/a', qq({"s":"@{[ 'x' x 800 ]}"}))->id }
              1 .. 150;

    if ($killed) {
        $nginx->crash;
    } else {
        $nginx->quit;
    }

    $damage->(sort glob "$folder/*.journal");

    my $said = `$tool repair $folder 2>&1`;

    is($? >> 8, 1, "$name: repair says that something is lost");

    $client = start($nginx);

    my %have = map { $_ => 1 } have($client);
    my @lost = grep { !$have{$_} } @ids;

    cmp_ok(scalar @lost, '>', 0, 'and something is');

    my $new = $client->post('/a', '{}')->id;

    cmp_ok($new, '>', $ids[-1], 'no id is given out again');

    my $told = $client->get('/a?echo=true&last-known-id=' . ($lost[0] - 1));

    ok($told->gap, 'who crosses the place is told of a gap')
        or diag($said, "lost $lost[0] to $lost[-1], new $new");

    $nginx->quit;
}

# a repair is not done as long as nginx takes the folder for one in the middle

my $nginx = Msgbus::Nginx->new(
    http     => 'msgbus_journal disk { path journal; }'
                . ' msgbus_zone zone=bus:8m store=disk;',
    location => 'location / { msgbus bus; msgbus_require_uuid off; }',
);

start($nginx);
$nginx->quit;

my $folder = "$nginx->{dir}/journal";

mkdir "$folder/$_" or die "mkdir: $!\n" for 'repair-enter', 'repair-enter/mine';

my $said = `$tool repair $folder 2>&1`;

is($? >> 8, 2, 'repair does not end with a folder of its own left');
like($said, qr/can not remove mine: /, '    and names what is in its way');

rmdir "$folder/repair-enter/mine" or die "rmdir: $!\n";
$said = `$tool repair $folder 2>&1`;

is($? >> 8, 0, '    and goes on without it');
ok(!-e "$folder/repair-enter", '    to its end');

done_testing;
