# An event to thousands of streams holds nobody else up, and leaves no memory
# behind.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Socket::IP;
use Test::More;
use Time::HiRes qw( sleep );

use Msgbus::Nginx;


Msgbus::Nginx->limit(60);

my $many = 3000;

plan skip_all => "needs a limit of $many open files"
    if `sh -c 'ulimit -n'` < $many + 200;

my $nginx = Msgbus::Nginx->new(
    main        => 'worker_rlimit_nofile 8192;',
    connections => 8000,
    http        => 'msgbus_zone zone=bus:16m;',
    location    => '
        msgbus_require_uuid off;
        msgbus_ping 1h;
        location / { msgbus bus; }
    ',
)->start;

my ($worker) = $nginx->worker_pids;

# a process has them, and says how many have the end of what was posted

pipe my $from, my $out or die "pipe: $!\n";

my $test = $$;
my $pid = fork // die "fork: $!\n";

if (!$pid) {
    close $from;
    $out->autoflush;

    my %in;
    my $bits = '';
    my %by_fd;
    my %tail;

    for (1 .. $many) {
        my $sock = IO::Socket::IP->new(PeerHost => '127.0.0.1',
                                       PeerPort => $nginx->{port})
            or POSIX::_exit(1);

        $sock->blocking(0);
        syswrite $sock, "GET /c?last-known-id=latest HTTP/1.1\r\nHost: bus\r\n"
                        . "Accept: application/x-ndjson\r\n\r\n";
        $by_fd{fileno $sock} = $sock;
        vec($bits, fileno $sock, 1) = 1;
    }

    my ($ready, $ends) = (0, 0);

    while (getppid() == $test) {
        select my $can = $bits, undef, undef, 1;

        for my $fd (grep { vec $can, $_, 1 } keys %by_fd) {
            # a word may come in two parts
            my $in = $tail{$fd} // '';
            my $n = sysread $by_fd{$fd}, $in, 65536, length $in;

            next if !defined $n;
            POSIX::_exit(1) if $n == 0;

            $tail{$fd} = $in =~ /("[^":]{0,4})\z/ ? $1 : '';
            $ready++ if $in =~ /"ping"/;

            while ($in =~ /"end"/g) {
                $ends++;
            }
        }

        syswrite $out, "$ready $ends\n";
    }

    POSIX::_exit(0);
}

close $out;

my ($ready, $ends) = (0, 0);

sub wait_for {
    my ($what) = @_;

    while (defined(my $line = readline $from)) {
        ($ready, $ends) = $line =~ /(\d+) (\d+)/;
        return 1 if $what->();
    }

    return 0;
}

ok(wait_for(sub { $ready == $many }), "$many streams are there");

my $poster = $nginx->client(agent => 'poster');
my $reader = $nginx->client(agent => 'reader');

$reader->get('/other');
$poster->post('/c', '["end"]');
wait_for(sub { $ends == $many });

# their poster, and somebody else, while it goes on

my @times;

for my $n (1 .. 20) {
    my $begun = Msgbus::Client::now();
    my $status = $poster->post('/c', '["end"]')->status;
    my $posted = Msgbus::Client::now();

    $status .= $reader->get('/other')->status;

    push @times, { status => $status, post => $posted - $begun,
                   get => Msgbus::Client::now() - $posted };

    wait_for(sub { $ends == (1 + $n) * $many });
    $times[-1]{all} = Msgbus::Client::now() - $begun;
}

sub median { return (sort { $a <=> $b } map { $_->{$_[0]} } @times)[10] }

is(scalar(grep { $_->{status} eq '201204' } @times), 20,
   'a POST and a GET in the middle of it are answered');
cmp_ok(median('post'), '<', median('all') / 3,
       'the poster is not answered after the others have it');
cmp_ok(median('get'), '<', median('all') / 3,
       'nor is a reader of something else');
is($ends, 21 * $many, 'each stream has each event once');

diag(sprintf 'POST %.1f ms, GET meanwhile %.1f ms, all after %.1f ms',
     map { median($_) * 1000 } qw( post get all ));

# memory: some of what was shared may stay with malloc

my $memory = $nginx->memory($worker, 'RssAnon');

for my $n (1 .. 10) {
    $poster->pipeline(map { [ POST => '/c', '["' . 'x' x 300 . '"]' ] }
                      1 .. 20);

    # else it would depend on the machine how much waits for them
    $poster->post('/c', '["end"]');
    wait_for(sub { $ends == (21 + $n) * $many });
}

SKIP: {
    skip 'ASan keeps what was freed', 1 if $ENV{CHECKED_REPORTS};

    cmp_ok($nginx->memory($worker, 'RssAnon') - $memory, '<', 6144,
           'after 600,000 more deliveries the worker is not larger');
}

kill KILL => $pid;
waitpid $pid, 0;

$nginx->quit;
$nginx->no_alerts;

done_testing;
