# The subscribers of docs/examples, with curl, Python, Node and Go, have each
# event once, in order, whatever becomes of their connections, silent ones, too;
# they keep their cursor in a file, and are told of a gap.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Documented;


# what Go's own library costs to compile, once
Msgbus::Nginx->limit(300);

# silence shall last for seconds only
my $nginx = Msgbus::Documented->recipe('Programs that subscribe', workers => 2,
                                       more => 'msgbus_ping 500ms;')->start;
my $examples = "$FindBin::Bin/../docs/examples";
my $url = "http://127.0.0.1:$nginx->{port}";
my $posted = 0;

my %silence = (
    sh  => [qr/silence=60\b/, 'silence=2'],
    py  => [qr/SILENCE = 60\b/, 'SILENCE = 3'],
    mjs => [qr/SILENCE = 60_000\b/, 'SILENCE = 3_000'],
    go  => [qr/silence = 60 \*/, 'silence = 3 *'],
);

for my $kind (keys %silence) {
    my ($is, $shall) = @{ $silence{$kind} };
    my $text = Msgbus::Nginx::slurp("$examples/subscribe.$kind");

    $text =~ s/$is/$shall/ or die "subscribe.$kind has no 60 seconds\n";

    open my $out, '>', "$nginx->{dir}/subscribe.$kind" or die "$kind: $!\n";
    print $out $text;
    close $out or die "$kind: $!\n";
}

my %subscriber = (
    curl   => ['bash', "$nginx->{dir}/subscribe.sh"],
    Python => ['python3', "$nginx->{dir}/subscribe.py"],
    Node   => ['node', "$nginx->{dir}/subscribe.mjs"],
);

SKIP: {
    skip 'no Go here', 1 if system('go version > /dev/null 2>&1');

    my $said = `cd '$nginx->{dir}' && CGO_ENABLED=0 go build subscribe.go 2>&1`;

    is($said, '', 'the one in Go compiles')
        and $subscriber{Go} = ["$nginx->{dir}/subscribe"];
}

my @names = sort keys %subscriber;
my %pid;


sub publish {
    for (1 .. 2) {
        # not by a connection of a worker that stands still
        my $r = $nginx->client(agent => 'test/1.0')->post('/news', "{\"text\":\"a: \\\"$posted\\\"\"}");

        next if $r->failure && $r->failure ne 'timeout';

        is($r->status, 201, "event $posted is posted") or diag($r->error);
        $posted++;
        return;
    }

    die "the event is not taken\n";
}


sub start {
    my ($name, @arguments) = @_;

    my $pid = fork // die "cannot fork: $!\n";

    if (!$pid) {
        POSIX::setpgid(0, 0);

        # no proxy, and no .curlrc of the user's
        local @ENV{qw( no_proxy HOME CURL_HOME )} = ('*', ($nginx->{dir}) x 2);

        open STDIN, '<', '/dev/null';
        open STDOUT, '>', "$nginx->{dir}/$name.out";
        open STDERR, '>', "$nginx->{dir}/$name.err";

        $SIG{$_} = 'DEFAULT' for qw(ALRM PIPE INT TERM HUP);

        exec @{ $subscriber{$name} }, @arguments or POSIX::_exit(127);
    }

    $pid{$name} = $pid;

    return;
}


sub printed {
    my ($name) = @_;

    return split /\n/, Msgbus::Nginx::slurp("$nginx->{dir}/$name.out");
}


sub has {
    my ($name, $count) = @_;

    my $took = eval {
        $nginx->until(40, "$count events",
                      sub { return printed($name) >= $count });
    };

    return ok(defined $took, "$name: $count events have come")
        || diag(join "\n", printed($name),
                Msgbus::Nginx::slurp("$nginx->{dir}/$name.err"));
}


sub ended {
    my ($name, $status, $title) = @_;

    my $took = eval {
        $nginx->until(40, "$name to end", sub {
            return waitpid($pid{$name}, POSIX::WNOHANG) == $pid{$name};
        });
    };

    return fail($title) if !defined $took;

    delete $pid{$name};

    return is($? >> 8, $status, $title)
        || diag(Msgbus::Nginx::slurp("$nginx->{dir}/$name.err"));
}


sub end_all {
    kill KILL => map { -$_ } values %pid;
    waitpid $_, 0 for values %pid;
    %pid = ();

    return;
}


sub ids {
    my ($name) = @_;

    return join ' ', map { /^(?:\{"id":)?(\d+)/ } printed($name);
}


# --- what is there, what comes, and across reloads and killed workers

my $all = 18;

publish() for 1 .. 3;

start($_, "$url/news", 0, $all) for @names;
has($_, 3) for @names;

publish() for 1 .. 2;
has($_, 5) for @names;

$nginx->reload;
publish() for 1 .. 3;
has($_, 8) for @names;

$nginx->reload(wait => 0);
publish() for 1 .. 3;
has($_, 11) for @names;

$nginx->until(15, 'the end of old workers',
              sub { my @pids = $nginx->child_pids; @pids == 2 });

for my $pid ($nginx->worker_pids) {
    $nginx->kill_worker($pid);
    publish();
}

has($_, 13) for @names;

# --- a connection on which nothing comes is given up

for my $pid ($nginx->worker_pids) {
    $nginx->stop_worker($pid);
    publish();
    has($_, $posted) for @names;
    kill CONT => $pid;
}

publish() for 1 .. $all - 15;

for my $name (@names) {
    ended($name, 0, "$name: ends by itself, when told to");
    is(ids($name), join(' ', 1 .. $all), '    with each event once, in order');
}

is((printed('Python'))[1], '2 {"text": "a: \"1\""}', 'Python has the data');
is((printed('Go'))[1], '2 {"text":"a: \"1\""}', 'Go has the data')
    if $subscriber{Go};
is((printed('Node'))[1], '2 {"text":"a: \"1\""}', 'Node has the data');
like((printed('curl'))[1], qr/,"data":\{"text":"a: \\"1\\""\}\}$/,
     'curl has the event');


# --- from a cursor

start($_, "$url/news", $all - 3, 3) for @names;

for my $name (@names) {
    ended($name, 0, "$name: from a cursor on");
    is(ids($name), join(' ', $all - 2 .. $all), '    has what came after it');
}


# --- from what a file keeps

my $cursors = "$nginx->{dir}/cursor";

for my $count (4, 3) {
    start($_, "$url/news", "$cursors.$_", $count) for @names;
    ended($_, 0, "$_: $count events, and the cursor in a file") for @names;

    for my $name (@names) {
        my $first = $count == 4 ? 1 : 5;

        is(ids($name), join(' ', $first .. $first + $count - 1),
           "$name: goes on where it was");
    }
}

is(join(' ', map { Msgbus::Nginx::slurp("$cursors.$_") } @names),
   join(' ', ("7\n") x @names), 'the files have the last id');

# a heartbeat moves it on, too: of a channel that is quiet

start($_, "$url/quiet", "$cursors.$_") for @names;

for my $name (@names) {
    my $took = eval {
        $nginx->until(20, 'a heartbeat', sub {
            return Msgbus::Nginx::slurp("$cursors.$name") eq "$posted\n";
        });
    };

    ok(defined $took, "$name: a heartbeat moves the cursor on");
}

end_all();


# --- a gap

start($_, "$url/news", 1000, $all) for @names;

for my $name (@names) {
    ended($name, 0, "$name: after a cursor of another bus");
    like(Msgbus::Nginx::slurp("$nginx->{dir}/$name.err"),
         qr/^gap \{.*after.*1000.*\}$/m, '    is told of the gap');
    is(ids($name), join(' ', 1 .. $all), '    and has what there is');
}


# --- what is no good is not asked for again and again

for my $name (grep { $_ ne 'curl' } @names) {
    start($name, "$url/no.channel");
    ended($name, 1, "$name: ends when the channel's name is refused");
    like(Msgbus::Nginx::slurp("$nginx->{dir}/$name.err"), qr/"message": "/,
         '    and says why');
}


# --- nothing is left behind

$nginx->until(10, 'all connections of subscribers to end', sub {
    my $left = `ps -eo args`;
    return $left !~ m{\Q$url\E/news};
});
pass('no program is left behind');

$nginx->quit;
$nginx->no_alerts(@Msgbus::Nginx::KILLED);


END {
    local $?;
    kill KILL => map { -$_ } values %pid;
}

done_testing;
