# Two nodes that start at the same moment on a folder that is not there yet
# both serve it; where their zones differ, only one has it.

use strict;
use warnings;

use Fcntl qw( :flock O_RDONLY O_DIRECTORY );
use File::Temp qw( tempdir );
use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Nginx;


Msgbus::Nginx->limit(90);

my $home = tempdir(CLEANUP => 1);
chmod 0755, $home;


sub node {
    my ($zone, $path) = @_;

    return Msgbus::Nginx->new(
        http     => "msgbus_journal disk { path $path; }"
                    . " msgbus_zone zone=$zone:8m store=disk;",
        location => "location / { msgbus $zone; }",
    );
}


# all that a start does is done, or it has ended

sub begin {
    my (@nodes) = @_;

    $_->configure for @nodes;
    $_->{pid} = $_->spawn for @nodes;
}


for my $round (1 .. 5) {
    my @nodes = map { node('bus', "$home/$round") } 1 .. 4;

    begin(@nodes);

    my @up = grep {
        my $node = $_;
        eval { $node->wait_for_start; 1 } or diag($node->said(0));
    } @nodes;

    is(scalar @up, 4, "four nodes start at once, time $round");
    is(join(' ', map { $_->client->post('/a', '{}')->status } @up),
       '201 201 201 201', '    and post to one journal');

    $_->kill_all for @nodes;
}

# whatever order they come in: the folder is in somebody's hand

my $mine = "$home/mine";
my $theirs = node('theirs', $mine);

mkdir $mine or die "mkdir: $!\n";

sysopen my $folder, $mine, O_RDONLY | O_DIRECTORY or die "$mine: $!\n";
flock $folder, LOCK_EX or die "flock: $!\n";

begin($theirs);
sleep 1;

ok(!-e "$mine/manifest", 'nginx takes no folder that another one is taking');

open my $out, '>', "$mine/manifest" or die "$mine/manifest: $!\n";
print $out "msgbus journal 1\nzone mine\nttl 1\nsegment 1\nsize 1\n";
close $out;

chown +(getpwnam('nobody'))[2, 3], $mine if $> == 0;
flock $folder, LOCK_UN;

waitpid $theirs->{pid}, 0;

like($theirs->said(0), qr/it is the journal of zone "mine"/,
     '    and sees then whose it is');

flock $folder, LOCK_EX or die "flock: $!\n";

my $late = node('bus', $mine);

begin($late);
waitpid $late->{pid}, 0;

like($late->said(0), qr/another nginx that starts has it locked/,
     'nor does it wait for ever');

done_testing;
