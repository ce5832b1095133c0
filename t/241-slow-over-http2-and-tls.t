# Over HTTP/2 and TLS, too, a reader who stops reading is closed, and costs
# little; the other streams of its connection go on.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw( sleep );

use Msgbus::Nginx;


plan skip_all => 'needs curl, nghttp and openssl'
    if grep { `sh -c 'command -v $_'` eq '' } qw( curl nghttp openssl );

Msgbus::Nginx->limit(60);

my @ports = map { Msgbus::Nginx::free_port() } 1 .. 2;

my $nginx = Msgbus::Nginx->new(
    http     => 'msgbus_zone zone=bus:32m first_id=1;
                 msgbus_require_uuid off;',
    location => 'location / { msgbus bus; msgbus_ping 200ms; }',
);

my $dir = $nginx->{dir};

system("openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=bus"
       . " -keyout $dir/key -out $dir/crt 2> /dev/null") == 0
    or die "openssl failed\n";

$nginx->{http} .= "ssl_certificate $dir/crt; ssl_certificate_key $dir/key;";
$nginx->{listen} = [ "127.0.0.1:$ports[0] http2 sndbuf=32k",
                     "127.0.0.1:$ports[1] ssl sndbuf=32k" ];
$nginx->start;

my $poster = $nginx->client(agent => 'poster');
my ($worker) = $nginx->worker_pids;
my @pids;

END { kill KILL => @pids if @pids }

# reads a little, and stops

sub stopped {
    my ($command) = @_;

    my $pid = fork // die "fork: $!\n";

    if (!$pid) {
        open STDOUT, '>', "$dir/out.$$";
        open STDERR, '>', "$dir/err.$$";
        exec "exec $command" or die;
    }

    push @pids, $pid;

    $nginx->until(15, 'a stream to begin', sub {
        return Msgbus::Nginx::slurp("$dir/out.$pid") =~ /id: \d/;
    });

    $nginx->stop_worker($pid);

    return $pid;
}

my $data = '["' . 'x' x 10_000 . '"]';

my %way = (
    'HTTP/2' => "stdbuf -o0 nghttp -H 'accept: text/event-stream'"
                . " 'http://127.0.0.1:$ports[0]/c?last-known-id=latest'",
    'TLS'    => "curl -sNk -m 30 -H 'Accept: text/event-stream'"
                . " 'https://127.0.0.1:$ports[1]/c?last-known-id=latest'",
);

for my $name (sort keys %way) {
    my $from = $nginx->log_size;
    my $pid = stopped($way{$name});

    sleep 0.3;

    my $memory = $nginx->memory($worker, 'RssAnon');
    my $n = 0;

    while (!$nginx->log($from, 'info', 'msgbus closes a stream')
           && $n < 2000)
    {
        $poster->post('/c', $data);
        $n++;
    }

    my ($line) = $nginx->log($from, 'info', 'msgbus closes a stream');

    like($line // '', qr/not read 2[67]\d{4} bytes/, "$name: it is closed");

    SKIP: {
        skip 'ASan keeps what was freed', 1 if $ENV{CHECKED_REPORTS};

        cmp_ok($nginx->memory($worker, 'RssAnon') - $memory, '<', 1024,
               "$name: the worker has not grown");
    }

    kill CONT => $pid;
    waitpid $pid, 0;
    @pids = ();

    my $out = Msgbus::Nginx::slurp("$dir/out.$pid");
    my $seen = () = $out =~ /^data: \{"id":\d+,.*\}$/mg;

    cmp_ok($seen, '<', $n, "$name: its client sees that it does not have all");
}

$nginx->until(5, 'connections to be closed', sub {
    return $nginx->open_sockets($worker) <= 7;
});
pass('no connection stays behind');

$nginx->quit;
$nginx->no_alerts;

done_testing;
