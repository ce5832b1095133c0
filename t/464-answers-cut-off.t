# The publishers of docs/examples, publish.sh, publish.py and publish.mjs, take an
# answer when all of it is there: cut off at any byte it is none, the post is sent
# again with its key, and stored once.  They wait when they are told to, and give up
# what the bus refuses.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Socket::IP;
use Test::More;

use Msgbus::Documented;


Msgbus::Nginx->limit(120);

my $nginx = Msgbus::Documented->recipe('A publisher that may retry',
                                       workers => 1)->start;
my $examples = "$FindBin::Bin/../docs/examples";

my %publisher = (
    sh  => ['bash', qr/pause=1$/m, 'pause=0.02'],
    py  => ['python3', qr/pause = 1$/m, 'pause = 0.02'],
    mjs => ['node', qr/pause = 1;/, 'pause = 0.02;'],
);

my @names = sort keys %publisher;
my %pid;


# a second is long where each answer is cut

for my $name (@names) {
    my (undef, $is, $shall) = @{ $publisher{$name} };
    my $text = Msgbus::Nginx::slurp("$examples/publish.$name");

    $text =~ s/$is/$shall/g or die "publish.$name has no pause\n";

    open my $out, '>', "$nginx->{dir}/publish.$name" or die "$name: $!\n";
    print $out $text;
    close $out or die "$name: $!\n";
}


# --- a way to the bus on which the first answer to each key is spoiled: it ends
# after some of its bytes, more with each key; or it tells to wait; or it refuses

my @told = ("503 x\r\nRetry-After: 0\r\n", "429 x\r\n", "409 x\r\nRetry-After: 0\r\n",
            "503 x\r\nRetry-After: Sun, 06 Nov 2094 08:49:37 GMT\r\n",
            "502 x\r\nContent-Type: text/html\r\n");
my $step = 7;

my $listen = IO::Socket::IP->new(LocalHost => '127.0.0.1', Listen => 64)
    or die "cannot listen: $@\n";
my $url = 'http://127.0.0.1:' . $listen->sockport;

$pid{way} = fork // die "cannot fork: $!\n";

if (!$pid{way}) {
    local $SIG{PIPE} = 'IGNORE';
    my %seen;

    alarm 120;

    my $post = sub {
        my ($request) = @_;

        my $bus = IO::Socket::IP->new(PeerHost => '127.0.0.1',
                                      PeerPort => $nginx->{port});

        print $bus $request;

        return do { local $/; <$bus> };
    };

    while (my $peer = $listen->accept) {
        my $in = '';

        $in .= <$peer> // last until $in =~ /\r\n\r\n/;

        my ($uri) = $in =~ /^POST (\S+)/;
        my ($length) = $in =~ /^content-length: (\d+)/mi;
        my ($key) = $in =~ /^(idempotency-key: .*?)\r$/mi;
        my ($number) = $key =~ /(\d+)"/;

        read($peer, my $body, $length);

        if ($uri =~ m{^/refused/(\d+)}) {
            print $peer "HTTP/1.1 $1 x\r\nConnection: close\r\n"
                        . "Content-Length: 17\r\n\r\n{\"message\":\"no\"}\n";

        } elsif ($uri !~ m{^/again/} && $number <= @told && !$seen{"$uri $key"}++) {
            print $peer "HTTP/1.1 $told[$number - 1]Connection: close\r\n"
                        . "Content-Length: 3\r\n\r\nno\n";

        } else {
            my ($prefer) = $in =~ /^(prefer: .*?\r\n)/mi;
            my $request = "POST $uri HTTP/1.1\r\nHost: bus\r\nConnection: close\r\n"
                          . "User-Agent: way\r\nContent-Length: $length\r\n"
                          . "$key\r\n";

            if ($uri =~ m{^/again/}) {

                # as one whose event has left memory: its answer has no body

                my $first = !$seen{"$uri $key"}++;

                $post->("$request\r\n$body") if $first;

                my $answer = $post->("$request\r\n$body");

                $answer = substr $answer, 0, -$number if $first;
                print $peer $answer;
                next;
            }

            my $answer = $post->($request . ($prefer // '') . "\r\n$body");

            # all of it behind its end: that one is whole

            $answer = substr $answer, 0, $step * ($number - @told)
                if $number > @told && !$seen{"$uri $key"}++;

            print $peer $answer;
        }

    } continue {
        close $peer if $peer;
    }

    POSIX::_exit(0);
}

close $listen;


# Runs all with as many events, at once; the statuses.

sub run {
    my ($channel, $events) = @_;

    my %status;

    for my $name (@names) {
        open my $in, '>', "$nginx->{dir}/in" or die "in: $!\n";
        print $in map { "{\"n\":$_}\n" } 1 .. $events;
        close $in or die "in: $!\n";

        $pid{$name} = fork // die "cannot fork: $!\n";
        next if $pid{$name};

        local @ENV{qw( no_proxy HOME CURL_HOME )} = ('*', ($nginx->{dir}) x 2);

        open STDIN, '<', "$nginx->{dir}/in";
        open STDOUT, '>', "$nginx->{dir}/$name.out";
        open STDERR, '>', "$nginx->{dir}/$name.err";

        $SIG{$_} = 'DEFAULT' for qw(ALRM PIPE INT TERM HUP);

        exec $publisher{$name}[0], "$nginx->{dir}/publish.$name",
             $url . $channel . $name, 'k' or POSIX::_exit(127);
    }

    for my $name (@names) {
        $nginx->until(60, "publish.$name to end", sub {
            return waitpid($pid{$name}, POSIX::WNOHANG) == $pid{$name};
        });

        delete $pid{$name};
        $status{$name} = $? >> 8;
    }

    return %status;
}


my $events = @told + 55;
my %status = run('/', $events);

for my $name (@names) {
    my @stored = map { @{ $nginx->client->get("/$name?max-events=500")->json->{events} } } 1;
    my $err = Msgbus::Nginx::slurp("$nginx->{dir}/$name.err");

    is($status{$name}, 0, "publish.$name: all is stored") or diag($err);
    is(join(' ', map { $_->{data}{n} } @stored), join(' ', 1 .. $events),
       '    each event once, in order');
    is(Msgbus::Nginx::slurp("$nginx->{dir}/$name.out") =~ s/ (?:new|again)$//mgr,
       join('', map { "$_->{id}\n" } @stored), '    and told with its whole id');
    cmp_ok(() = $err =~ /^/mg, '>=', 30, '    after many answers that were cut');
}

# --- an answer without a body: cut in the last of its header, at any byte

$events = 48;
%status = run('/again/', $events);

for my $name (@names) {
    my @stored = map { $_->{id} }
                 @{ $nginx->client->get("/again/$name?max-events=500")->json->{events} };

    is($status{$name}, 0, "publish.$name: no part of an id is taken for one");
    is(Msgbus::Nginx::slurp("$nginx->{dir}/$name.out"),
       join('', map { "$_ again\n" } @stored), '    and each is told');
}

for my $code (413, 422) {
    %status = run("/refused/$code/", 1);

    for my $name (@names) {
        is($status{$name}, 1, "publish.$name gives up after $code");
        like(Msgbus::Nginx::slurp("$nginx->{dir}/$name.err"), qr/"message":"no"/,
             '    and says why');
    }
}

$nginx->quit;
$nginx->no_alerts;


END {
    local $?;
    kill KILL => values %pid;
}

done_testing;
