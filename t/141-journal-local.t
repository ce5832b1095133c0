# A journal is on a local file system: a folder on one of the network is refused
# at the start, by "nginx -t" too, whether it is there or is to be made; for
# there a lock, a write and a sync do not hold what they promise.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Faulty;
use Msgbus::Nginx;


Msgbus::Nginx->limit(60);

my $binary = $ENV{TEST_NGINX_BINARY} || 'nginx';
my $faulty = Msgbus::Faulty->new(in => 'msgbus-');

my $nginx = Msgbus::Nginx->new(
    http     => 'msgbus_journal disk { path journal; }'
                . ' msgbus_zone zone=bus:8m store=disk;',
    location => 'location / { msgbus bus; }',
);

$nginx->configure;

# -t, or without it a start that is ended at once

sub said {
    my ($how) = @_;

    my %env = $faulty->env;
    local @ENV{keys %env} = values %env;

    return `$binary $how -p $nginx->{dir}/ -c $nginx->{dir}/nginx.conf 2>&1`;
}

$faulty->fail(statfs => '0x6969');

plan skip_all => 'another library is preloaded' if $ENV{CHECKED_REPORTS};

for (['0x6969', 'NFS'], ['0xfe534d42', 'SMB2'], ['0x01021997', '9P'],
     ['0x00c36400', 'Ceph'], ['0x65735546', 'FUSE'])
{
    my ($type, $name) = @$_;

    $faulty->fail(statfs => $type);
    like(said('-t'), qr/can not use its path "\S+?\/journal": it is on a(?#
                        ) network file system, \Q$name\E/,
         "$name is refused, before there is a folder");
}

like(said(''), qr/\[emerg\].*network file system/, 'and at a start');
ok(!-e "$nginx->{dir}/journal", 'which leaves no folder there');

$faulty->well;
$faulty->start($nginx);
$nginx->until(10, 'the journal to be read', sub {
    return $nginx->client->get('/x?echo=true')->status == 204;
});
ok(-d "$nginx->{dir}/journal", 'a local one is fine');

# it is mounted over: a reload keeps what is there

$faulty->fail(statfs => '0x6969');
like(said('-t'), qr/network file system, NFS/,
     'and so is one that is there');

my @before = sort $nginx->worker_pids;

kill HUP => $nginx->{pid};
$nginx->until(10, 'the reload to be refused', sub {
    return $nginx->said(0) =~ /network file system/;
});
is(join(' ', sort $nginx->worker_pids), "@before",
   'a reload is refused, and the workers go on');
is($nginx->client->get('/x?echo=true')->status, 204, 'with all they have');

$faulty->well;
$nginx->quit;

done_testing;
