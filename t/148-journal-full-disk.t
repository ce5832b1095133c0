# A disk that is really full, a small one in memory: posts are refused with 503,
# nothing of them is stored, and all goes on when there is room, again and
# again, under load.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Law;
use Msgbus::Nginx;


# mounted where only this process sees it, and gone with it

if (!$ENV{IN_NAMESPACE}) {
    plan skip_all => 'nothing can be mounted here'
        if system('unshare -m mount -t tmpfs none /mnt 2> /dev/null');

    local $ENV{IN_NAMESPACE} = 1;
    exec 'unshare', '-m', '--propagation', 'private', $^X, $0
        or plan skip_all => 'no unshare here';
}

Msgbus::Nginx->limit(90);

my $nginx = Msgbus::Nginx->new(
    workers  => 2,
    http     => 'msgbus_journal disk { path journal; segment 64k; size 1m;'
                . ' retry tries=4 delay=50ms; }'
                . ' msgbus_zone zone=bus:32m store=disk ttl=1h;',
    location => 'location / { msgbus bus; }
                 location = /health { msgbus_health bus; }',
);

my $folder = "$nginx->{dir}/journal";

mkdir $folder;
system("mount -t tmpfs -o size=1500k,mode=0700 none $folder") == 0
    or plan skip_all => 'nothing can be mounted here';

# the workers' user, as nginx itself would have it

my ($uid, $gid) = $> == 0 ? (getpwnam('nobody'))[2, 3] : ($>, $));

chown $uid, $gid, $folder;

$nginx->{main} = 'user nobody ' . getgrgid($gid) . ';' if $> == 0;
$nginx->start;

sub is_up {
    $nginx->until(10, 'all to be well', sub {
        return $nginx->client->get('/health')->status == 200;
    });

    return;
}

is_up();

my $law = Msgbus::Law->new(nginx => $nginx, posters => 4, channels => 8,
                           pollers => 2, rate => 100)->begin;
my $full = 0;

for my $round (1 .. 4) {
    sleep 0.4;

    # all that is left

    open my $out, '>', "$folder/filler";

    while (syswrite $out, 'x' x 16_384) { }
    close $out;

    my $was = 0;

    for (1 .. 40) {
        $was = 1 if $nginx->client->get('/health?verbose=true')->body
                    =~ /No space left/;
        last if $was;
        sleep 0.05;
    }

    $full += $was;
    sleep 0.2;
    unlink "$folder/filler";
    is_up();
}

sleep 0.3;

$law->end->kept;
is($full, 4, 'it was full, each time');

$nginx->quit;
system("umount $folder");

done_testing;
