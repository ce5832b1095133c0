# What takes long in a journal's folder is done beside the commits, and they do
# not wait for it: not when a reload makes another worker the committer while a
# file is made ahead.  What could not be begun is begun later, by itself, and
# health tells of it until then.

use strict;
use warnings;

use Errno qw( EMFILE );
use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep time);

use Msgbus::Faulty;
use Msgbus::Nginx;


Msgbus::Nginx->limit(60);

my $faulty = Msgbus::Faulty->new(in => '/journal');

my $nginx = Msgbus::Nginx->new(
    http     => 'msgbus_journal disk { path journal; segment 64k; }'
                . ' msgbus_zone zone=bus:8m store=disk ttl=1h;',
    location => 'location / { msgbus bus; msgbus_require_uuid off; }
                 location = /health { msgbus_health bus; }',
);

# the keeper's own file can not be opened

$faulty->fail(keep => EMFILE);

$faulty->start($nginx)
    or plan skip_all => 'another library is preloaded';

sub is_up {
    $nginx->until(10, 'the journal to be read', sub {
        return $nginx->client->get('/health')->status == 200;
    });

    return;
}

sub spares { return scalar(() = glob "$nginx->{dir}/journal/spare-*") }

is_up();
$nginx->until(5, 'health to warn', sub {
    return $nginx->client->get('/health?verbose=true')->body
           =~ /"warnings":\[[^\]]*can not open/;
});
is(spares(), 0, 'nothing is made ahead while the folder can not be kept');
is($nginx->client->post('/a', '{}')->status, 201, 'posts are stored');

$faulty->well;
$nginx->until(5, 'a file to be made ahead', sub { return spares() == 1 });
pass('it is kept in order as soon as that is possible');
$nginx->until(5, 'health to be well', sub {
    return $nginx->client->get('/health?verbose=true')->body !~ /can not open/;
});
pass('and health warns no more');

# the disk takes its time with the next one

$faulty->fail(slow => 4000);

my $files = () = glob "$nginx->{dir}/journal/0*";
my $client = $nginx->client;

for (1 .. 200) {
    $client->post('/a', sprintf '{"s":"%s"}', 'x' x 900);
    last if $files != (() = glob "$nginx->{dir}/journal/0*");
}

$nginx->until(5, 'the next file to be begun', sub {
    return scalar(() = glob "$nginx->{dir}/journal/make-*");
});

my $begin = time;
my ($took, $refused) = (0, 0);

$nginx->reload(wait => 0);

# the old worker is the committer for some more moments

while (time - $begin < 1.5) {
    my $at = time;

    $refused++ if $nginx->client->post('/a', '{}')->status != 201;
    $took = time - $at if time - $at > $took;
    sleep 0.02;
}

is($refused, 0, 'posts at another worker are stored');
cmp_ok($took, '<', 1, sprintf 'at once, and not after 4 s: %.2f s', $took);

$faulty->well;
$nginx->until(15, 'one file to be made ahead', sub {
    return spares() == 1 && !glob "$nginx->{dir}/journal/make-*";
});
pass('what the old worker has left half made is removed');
is_up();
$nginx->quit;

done_testing;
