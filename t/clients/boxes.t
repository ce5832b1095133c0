# Streams and waiting readers go through the boxes that others put in front of a
# bus, with the settings of docs/examples/boxes: events come at once, nobody
# packs them, and who leaves is gone.
#
# Part of "make check-clients", which installs them.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use IO::Socket::IP;
use List::Util qw(max);
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Nginx;
use Msgbus::Stream;


Msgbus::Nginx->limit(300);

my $examples = "$FindBin::Bin/../../docs/examples/boxes";
my $ping = 3;

my $nginx = Msgbus::Nginx->new(
    workers  => 1,
    http     => "msgbus_zone zone=bus:4m first_id=1;
                 msgbus_require_uuid off; msgbus_ping ${ping}s;",
    location => 'location / { msgbus bus; gzip on; gzip_types *;
                              gzip_proxied any; gzip_min_length 0; }',
)->start;

my $dir = "$nginx->{dir}/boxes";
my $poster = $nginx->client(agent => 'poster/1.0');
my %pid;

mkdir $dir or die "$dir: $!\n";
chmod 0777, $dir;


# how it is run with a file, in the foreground; and how long a client that has
# left may still be a waiting reader: until the next ping where the box does not
# look before it has something to write

my %box = (
    haproxy => { file => 'haproxy.cfg', leaves => 1,
                 run  => sub { 'haproxy', '-db', '-f', $_[0] } },
    varnish => { file => 'varnish.vcl', leaves => 1,
                 run  => sub { 'varnishd', '-F', '-n', "$dir/varnish",
                               '-f', $_[0], '-a', "127.0.0.1:$_[1]",
                               '-s', 'default,16m' } },
    apache  => { file => 'apache.conf', leaves => 2 * $ping + 1,
                 run  => sub { 'apache2', '-DFOREGROUND', '-f', $_[0], '-C',
                               'ServerRoot /usr/lib/apache2', '-c',
                               "PidFile $dir/apache.pid", '-c',
                               "ErrorLog $dir/apache.log", '-c',
                               "DefaultRuntimeDir $dir" } },
    caddy   => { file => 'Caddyfile', leaves => 1,
                 run  => sub { 'caddy', 'run', '--adapter', 'caddyfile',
                               '--config', $_[0] } },
    squid   => { file => 'squid.conf', leaves => 1,
                 run  => sub { 'squid', '-N', '-f', $_[0] } },
);


# a copy of its file, for our ports, and what only a test says

sub configured {
    my ($name, $port) = @_;

    my $text = Msgbus::Nginx::slurp("$examples/$box{$name}{file}");

    $text =~ s/\b8080\b/$port/g;
    $text =~ s/\b8081\b/$nginx->{port}/g;

    if ($name eq 'squid') {
        $text .= "pid_filename $dir/squid.pid\ncoredump_dir $dir\n"
                 . "access_log none\ncache_log $dir/squid.log\n"
                 . "shutdown_lifetime 1 second\n";
    }

    my $path = "$dir/$box{$name}{file}";

    open my $out, '>', $path or die "$path: $!\n";
    print $out $text;
    close $out or die "$path: $!\n";

    return $path;
}


sub start {
    my ($name) = @_;

    my $port = Msgbus::Nginx::free_port();
    my @command = $box{$name}{run}->(configured($name, $port), $port);
    my $pid = fork // die "cannot fork: $!\n";

    if (!$pid) {
        POSIX::setpgid(0, 0);

        local $ENV{HOME} = $dir;

        open STDIN, '<', '/dev/null';
        open STDOUT, '>', "$dir/$name.out";
        open STDERR, '>&', \*STDOUT;

        $SIG{$_} = 'DEFAULT' for qw(ALRM PIPE INT TERM HUP);

        exec @command or POSIX::_exit(127);
    }

    $pid{$name} = $pid;

    my $up = eval {
        $nginx->until(20, "$name to listen", sub {
            sleep 0.1;
            return IO::Socket::IP->new(PeerHost => '127.0.0.1',
                                       PeerPort => $port);
        });
    };

    return $up ? $port : 0;
}


sub waiting {
    return $nginx->report->json->{waiting_readers};
}


# how long it takes until all that is left of readers is gone

sub gone {
    my ($title, $within) = @_;

    my $took = eval { $nginx->until(60, 'nobody to wait',
                                    sub { sleep 0.02; return !waiting() }) }
               // 60;

    cmp_ok($took, '<', $within * $Msgbus::Nginx::PATIENCE, $title);

    return sprintf '%.1f', $took;
}


my @table;

for my $name (sort keys %box) {
    my ($program) = $box{$name}{run}->('', 0);

    if (!grep { -x "$_/$program" } split(/:/, $ENV{PATH}), '/usr/sbin') {
        fail("$name is installed");
        next;
    }

    my $port = start($name);

    ok($port, "$name: listens")
        or diag(Msgbus::Nginx::slurp("$dir/$name.out")), next;

    my $to = "127.0.0.1:$port";


    # --- events come at once, as they are

    my @streams = map {
        Msgbus::Stream->new(to => $to, uri => '/a?last-known-id=latest',
                            sse => $_,
                            headers => [ 'Accept-Encoding', 'gzip' ])
    } 1, 0;

    $_->open for @streams;

    ok(Msgbus::Stream->read_until(5, sub { !grep { !$_->{cursor} && !@{ $_->{events} } } @streams }, @streams),
       '    the first bytes come at once');

    my $slowest = 0;

    for my $k (1 .. 5) {
        my $begun = Msgbus::Client::now();

        $poster->post('/a', "{\"n\":$k}");
        Msgbus::Stream->read_until(5, sub {
            return !grep { $_->{n} < $k } @streams;
        }, @streams);

        $slowest = max($slowest, Msgbus::Client::now() - $begun);
    }

    cmp_ok($slowest, '<', 0.15 * $Msgbus::Nginx::PATIENCE,
           '    and so do events');
    unlike("@{[ map { $_->{head} } @streams ]}", qr/^Content-Encoding/mi,
           '    nobody packs them');

    my $pings = @{ $streams[0]{events} };

    ok(Msgbus::Stream->read_until(2 * $ping,
           sub { @{ $streams[0]{events} } > $pings }, @streams),
       '    pings come');


    # --- who leaves

    $_->close for @streams;
    my $left = gone('    who leaves a stream is gone', $box{$name}{leaves});

    my $waits = $nginx->client(agent => 'a', to => $to);

    $waits->connect;
    $waits->send($waits->format(GET => '/q?last-known-id=latest&wait=10'));
    $nginx->wait_for_readers(1);
    $waits->close;

    # nothing is written to it before its time is over
    my $waited = gone('    so is who leaves a wait',
                      $name eq 'apache' ? 12 : $box{$name}{leaves});


    # --- how a stream ends

    my %end;

    for my $how ('a reload', 'a killed worker') {
        my $stream = Msgbus::Stream->new(to => $to, uri => '/a');

        $stream->open;
        Msgbus::Stream->read_until(5, sub { $stream->{n} }, $stream);

        $how eq 'a reload' ? $nginx->reload
                           : $nginx->kill_worker($nginx->worker_pids);

        Msgbus::Stream->read_until(10, sub { $stream->{ended} }, $stream);

        $end{$how} = $stream->{ended};
        $stream->close;
    }

    is($end{'a reload'}, 'whole', '    a reload ends a stream as it should end');
    isnt($end{'a killed worker'}, '', '    a killed worker ends it too');

    push @table, sprintf '| %s | %.1f ms | %s s | %s s | %s |', $name,
                         $slowest * 1000, $left, $waited,
                         $end{'a killed worker'};

    kill TERM => $pid{$name};
    eval { $nginx->until(10, "$name to end", sub {
        return waitpid($pid{$name}, POSIX::WNOHANG) == $pid{$name} }) };
    kill KILL => -$pid{$name};
    delete $pid{$name};
}

diag(join "\n", '| in front | an event | who left a stream | who left a wait |'
                . ' a killed worker |', '|---|---|---|---|---|', @table);

$nginx->quit;

END {
    my $status = $?;

    kill KILL => map { -$_ } values %pid;
    $? = $status;
}

done_testing;
