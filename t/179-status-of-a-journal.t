# A journal that nears its size, drops events before their ttl, or nears the end
# of its disk, says so in the error log and in the numbers of its zone.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Nginx;


# mounted where only this process sees it, and gone with it

if (!$ENV{IN_NAMESPACE}) {
    plan skip_all => 'nothing can be mounted here'
        if system('unshare -m mount -t tmpfs none /mnt 2> /dev/null');

    local $ENV{IN_NAMESPACE} = 1;
    exec 'unshare', '-m', '--propagation', 'private', $^X, $0
        or plan skip_all => 'no unshare here';
}

Msgbus::Nginx->limit(60);

my $nginx = Msgbus::Nginx->new(
    workers  => 1,
    http     => 'msgbus_journal disk { path journal; segment 64k; size 1m; }
                 msgbus_zone zone=bus:1m store=disk ttl=1h;
                 msgbus_require_uuid off;',
    location => 'location / { msgbus bus; }
                 location = /status { msgbus_status; }',
);

my $folder = "$nginx->{dir}/journal";

mkdir $folder;
system("mount -t tmpfs -o size=3m,mode=0700 none $folder") == 0
    or plan skip_all => 'nothing can be mounted here';

# the workers' user, as nginx itself would have it

my ($uid, $gid) = $> == 0 ? (getpwnam('nobody'))[2, 3] : ($>, $));

chown $uid, $gid, $folder;

$nginx->{main} = 'user nobody ' . getgrgid($gid) . ';' if $> == 0;
$nginx->start;

my $client = $nginx->client(agent => 'test/1.0');

sub disk {
    return $client->get('/status?format=json')->json->{zones}{bus}{store}{disk};
}

sub hears {
    my ($text) = @_;

    $nginx->until(15, "a line: $text", sub { $nginx->log(0, 'warn', $text) });

    return pass("a line: $text");
}

my $large = '["' . 'x' x 10_000 . '"]';

$nginx->until(15, 'the journal', sub {
    return $client->post('/a', $large)->status == 201 && disk()->{bytes};
});

is(disk()->{max}, 1024 * 1024, 'its size is told');
is(disk()->{dropped}, 0, 'nothing was dropped so far');
cmp_ok(disk()->{free}, '>', 1024 * 1024, 'the disk has room');
cmp_ok(disk()->{oldest_age}, '<', 600, 'the oldest event is young');
ok(!$nginx->log(0, 'warn', 'journal'), 'there is nothing to warn of');


# --- its size

my $n = 0;

while (disk()->{bytes} < 960 * 1024 && !disk()->{dropped}) {
    $client->post('/a', $large) if $n++ < 200;
}

hears('msgbus journal "\S+/journal" takes (?:9\d|100)% of its size, at this pace '
      . 'events leave it after \d+s and not after their ttl: set size \d+m or a '
      . 'shorter ttl');

$nginx->until(15, 'events to be dropped', sub {
    $client->post('/a', $large) for 1 .. 5;
    return disk()->{dropped} > 0;
});

hears('msgbus journal "\S+/journal" is full: \d+ bytes of events left it before '
      . 'their ttl, raise its size or lower the ttl');

cmp_ok(disk()->{dropped}, '>', 32768, 'events leave by whole files');

my $text = $client->get('/status?format=prometheus')->body;

like($text, qr/^msgbus_store_\Q$_\E\{zone="bus"\} [1-9]\d*$/m, "msgbus_store_$_")
    for qw( bytes max_bytes disk_free_bytes dropped_bytes_total );
like($text, qr/^msgbus_store_oldest_age_seconds\{zone="bus"\} [\d.]+$/m,
     'and the age of the oldest file');


# --- its disk, which somebody else fills

my $free = disk()->{free};

open my $filler, '>', "$folder/filler" or die "filler: $!\n";
print $filler 'x' x ($free - 100_000);
close $filler;

$nginx->until(15, 'the disk to be nearly full', sub {
    return disk()->{free} < 131_072;
});

hears('the disk of msgbus journal "\S+/journal" has \d+ bytes left, and posts are '
      . 'refused when it is full: make room there, or lower the size of the '
      . 'journal');

open $filler, '>>', "$folder/filler" or die "filler: $!\n";

$nginx->until(15, 'the disk to be full, which is told', sub {
    1 while syswrite $filler, 'x' x 4096;
    return disk()->{free} == 0;
});

close $filler;
pass('a disk that has nothing left');

unlink "$folder/filler";

$nginx->until(15, 'room', sub { return disk()->{free} > 1024 * 1024 });
is($client->post('/a', '{}')->status, 201, 'with room all is well again');

$nginx->quit;
$nginx->no_alerts;

system('umount', $folder);

done_testing;
