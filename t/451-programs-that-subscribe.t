# The subscribers of docs/examples, with curl, Python and Node, have each event
# once, in order, whatever becomes of their connections; they can be told where
# to begin and when to stop.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Documented;


Msgbus::Nginx->limit(180);

my $nginx = Msgbus::Documented->recipe('Programs that subscribe',
                                       workers => 2)->start;
my $client = $nginx->client(agent => 'test/1.0');
my $examples = "$FindBin::Bin/../docs/examples";
my $url = "http://127.0.0.1:$nginx->{port}";
my $posted = 0;

my %subscriber = (
    curl   => ['bash', "$examples/subscribe.sh"],
    Python => ['python3', "$examples/subscribe.py"],
    Node   => ['node', "$examples/subscribe.mjs"],
);

my @names = sort keys %subscriber;
my %pid;


sub publish {
    for (1 .. 2) {
        my $r = $client->post('/news', "{\"text\":\"a: \\\"$posted\\\"\"}");

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


sub ids {
    my ($name) = @_;

    return join ' ', map { /^(?:\{"id":)?(\d+)/ } printed($name);
}


# --- what is there, what comes, and across reloads and killed workers

my $all = 16;

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

publish() for 1 .. $all - 13;

for my $name (@names) {
    ended($name, 0, "$name: ends by itself, when told to");
    is(ids($name), join(' ', 1 .. $all), '    with each event once, in order');
}

is((printed('Python'))[1], '2 {"text": "a: \"1\""}', 'Python has the data');
is((printed('Node'))[1], '2 {"text":"a: \"1\""}', 'Node has the data');
like((printed('curl'))[1], qr/,"data":\{"text":"a: \\"1\\""\}\}$/,
     'curl has the event');


# --- from a cursor

start($_, "$url/news", $all - 3, 3) for @names;

for my $name (@names) {
    ended($name, 0, "$name: from a cursor on");
    is(ids($name), join(' ', $all - 2 .. $all), '    has what came after it');
}


# --- what is no good is not asked for again and again

for my $name (qw( Node Python )) {
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
