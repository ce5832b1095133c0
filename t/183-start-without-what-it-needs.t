# nginx that cannot get what it needs at a start, memory or a file, ends with no
# crash; a worker serves or ends as nginx's own do, and the next reload is well.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Nginx;
use Msgbus::NthCall;


Msgbus::Nginx->limit(60);

my $calls = Msgbus::NthCall->new;

my $nginx = Msgbus::Nginx->new(
    workers  => 1,
    http     => 'msgbus_journal disk { path journal; segment 64k; }
                 msgbus_zone zone=bus:1m store=disk ttl=1d;
                 msgbus_require_uuid off; msgbus_scope exact many;',
    location => 'location / {
                     msgbus bus;
                     msgbus_many_below /a;
                     msgbus_origin https://a.example;
                 }
                 location = /health { msgbus_health bus; }',
);

$calls->start($nginx)
    or plan skip_all => 'no module is loaded whose calls could be made to fail';

sub is_up {
    $nginx->until(15, 'the bus to be up', sub {
        return $nginx->client->get('/health')->status == 200;
    });

    return;
}

is_up();

my $id = $nginx->client->post('/a', '[1]')->id;


# as the test of a configuration

my %ends;
my %env = $calls->env;

my $failing = $calls->each(0, sub {
    local @ENV{keys %env} = values %env;

    my $binary = $ENV{TEST_NGINX_BINARY} || 'nginx';
    my $conf = "$nginx->{dir}/nginx.conf";
    my $said = `'$binary' -t -p '$nginx->{dir}/' -c '$conf' 2>&1`;

    $ends{$?} .= ($calls->failed || 'no call') . ' ';
    diag($said) if !$calls->failed && $?;
});

cmp_ok($failing, '>', 50, 'a test of the configuration has many calls that fail');
is(join(' ', sort keys %ends), '0 256', '    it ends with 0 or 1')
    or diag(explain(\%ends));


# a worker

for my $thread (0, 1) {
    my $none;

    my $failing = $calls->each(-$nginx->{pid}, sub {
        my %old = map { $_ => 1 } $nginx->worker_pids;
        my $from = $nginx->log_size;

        kill HUP => $nginx->{pid};

        $nginx->until(15, 'a new worker, or the end of it', sub {
            return 1 if grep { !$old{$_} } $nginx->worker_pids;
            return $none = $nginx->log($from, 'alert',
                                       'exited with fatal code 2');
        });

        is_up() if !$none;
    }, $thread);

    ok($failing, ($thread ? 'its thread' : 'a worker') . " has $failing");
    $nginx->reload;
    is_up();

    my $r = $nginx->client->get('/a?echo=true&last-known-id=0');

    is($r->last_id, $id, '    and the bus has what it had');
}

$nginx->quit;
$nginx->no_alerts(qr/exited with (fatal )?code 2/, qr/failed \(\d+: |\(\d+: [A-Z]|no address space/);

done_testing;
