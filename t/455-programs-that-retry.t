# The publishers of docs/examples, with curl, Python and Node, store each event
# once, in order, through connections that break before a post arrives or before its
# answer does, through reloads, and through deaths of workers and of their own.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Socket::IP;
use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Documented;


Msgbus::Nginx->limit(120);

my $nginx = Msgbus::Documented->recipe('A publisher that may retry',
                                       workers => 2)->start;
my $examples = "$FindBin::Bin/../docs/examples";

my %publisher = (
    curl   => ['bash', "$examples/publish.sh"],
    Python => ['python3', "$examples/publish.py"],
    Node   => ['node', "$examples/publish.mjs"],
);

my @names = sort keys %publisher;
my $events = 6;
my %pid;


# --- a way to the bus on which each publisher's every sixth request is lost, and
# every sixth answer

my $listen = IO::Socket::IP->new(LocalHost => '127.0.0.1', Listen => 64)
    or die "cannot listen: $@\n";

$pid{way} = fork // die "cannot fork: $!\n";

if (!$pid{way}) {
    local $SIG{PIPE} = 'IGNORE';
    my %n;

    alarm 120;

    while (my $peer = $listen->accept) {
        my ($in, $uri, %header) = ('');

        $in .= <$peer> // last until $in =~ /\r\n\r\n/;

        ($uri) = $in =~ /^POST (\S+)/ or next;
        $header{lc $1} = $2 while $in =~ /^(\S+): (.*?)\r$/mg;

        read $peer, my $body, $header{'content-length'};

        next if $n{$uri}++ % 6 == 2;

        my $r = $nginx->client(agent => undef)->post($uri, $body,
                    map { $_ => $header{lc $_} }
                    qw(Content-Type Idempotency-Key));

        next if $n{$uri} % 6 == 0 || $r->failure;

        my $answer = $r->body;

        print $peer "HTTP/1.1 ", $r->status, " x\r\nConnection: close\r\n",
              (map { defined $r->header($_) ? "$_: " . $r->header($_) . "\r\n"
                                            : () }
               qw(Msgbus-Id Idempotency-Replayed Retry-After
                  Msgbus-Stored)),
              "Content-Length: ", length $answer, "\r\n\r\n$answer";

    } continue {
        close $peer if $peer;
    }

    POSIX::_exit(0);
}

my $url = 'http://127.0.0.1:' . $listen->sockport;
close $listen;


sub start {
    my ($name, $channel, $input, $at) = @_;

    open my $in, '>', "$nginx->{dir}/$name.in" or die "$name.in: $!\n";
    print $in @$input;
    close $in or die "$name.in: $!\n";

    $pid{$name} = fork // die "cannot fork: $!\n";

    if (!$pid{$name}) {
        local @ENV{qw( no_proxy HOME CURL_HOME )} = ('*', ($nginx->{dir}) x 2);

        open STDIN, '<', "$nginx->{dir}/$name.in";
        open STDOUT, '>', "$nginx->{dir}/$name.out";
        open STDERR, '>', "$nginx->{dir}/$name.err";

        $SIG{$_} = 'DEFAULT' for qw(ALRM PIPE INT TERM HUP);

        exec @{ $publisher{$name} }, ($at // $url) . $channel, "of \"$name\""
            or POSIX::_exit(127);
    }

    return;
}


sub printed {
    my ($name) = @_;

    return split /\n/, Msgbus::Nginx::slurp("$nginx->{dir}/$name.out");
}


sub ended {
    my ($name, $status, $title) = @_;

    $nginx->until(60, "$name to end", sub {
        return waitpid($pid{$name}, POSIX::WNOHANG) == $pid{$name};
    });

    delete $pid{$name};

    return is($? >> 8, $status, $title)
        || diag(Msgbus::Nginx::slurp("$nginx->{dir}/$name.err"));
}


sub stored {
    my ($channel) = @_;

    my $r = $nginx->client->get($channel);

    return $r->status == 204 ? [] : $r->json->{events};
}


my @input = map { "{\"n\":$_}\n" } 1 .. $events;

start($_, "/$_", \@input) for @names;

for my $name (@names) {
    $nginx->until(60, "events of $name", sub { @{ stored("/$name") } >= 2 });
}

$nginx->reload(wait => 0);
$nginx->kill_worker(($nginx->worker_pids)[0]);

# they die in the middle, and begin again

for my $name (@names) {
    kill KILL => $pid{$name};
    waitpid $pid{$name}, 0;
    start($name, "/$name", \@input);
}

for my $name (@names) {
    ended($name, 0, "$name: ends when all is stored");

    my $stored = stored("/$name");

    is(join(' ', map { $_->{data}{n} } @$stored), join(' ', 1 .. $events),
       '    each event once, in order');
    is(join(' ', map { /^(\d+)/ } printed($name)),
       join(' ', map { $_->{id} } @$stored), '    and is told their ids');
    is((printed($name))[0] =~ s/\d+ //r, 'again',
       '    those of its first life, too');
    like(Msgbus::Nginx::slurp("$nginx->{dir}/$name.err"), qr/./,
         '    although posts were lost');
}

# what is no good is not posted again and again

for my $name (@names) {
    start($name, '/bad', ["{\n"], "http://127.0.0.1:$nginx->{port}");
    ended($name, 1, "$name: ends when an event is refused");
    like(Msgbus::Nginx::slurp("$nginx->{dir}/$name.err"), qr/Invalid JSON/,
         '    and says why');
}

$nginx->quit;
$nginx->no_alerts(@Msgbus::Nginx::KILLED);


END {
    local $?;
    kill KILL => values %pid;
}

done_testing;
