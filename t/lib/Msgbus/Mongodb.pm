package Msgbus::Mongodb;

# A MongoDB for a test, by tools/mongodb, that ends with the test whatever the
# test dies of; and a plain driver, pymongo, to look into it.
#
#     my $mongodb = Msgbus::Mongodb->new->start;
#
#     $mongodb->uri                     for msgbus_mongodb
#     $mongodb->database                its database, empty at the start
#
# A test that needs more than a URI says so, for with MSGBUS_TEST_MONGODB_URI
# the server is somebody else's:
#
#     my $mongodb = Msgbus::Mongodb->new(own => 1)->start;
#
#     $mongodb->stall; $mongodb->resume;        SIGSTOP, SIGCONT of all of it
#     $mongodb->kill; $mongodb->start_server;   kill -9 of what is connected to
#     $mongodb->restart_postgres                under a FerretDB
#     $mongodb->another_server                  a second FerretDB on the same
#                                               data; the URI of it
#
# A node of the bus on it, an nginx, is
#
#     my $nginx = $mongodb->node(workers => 2)->start;
#     $mongodb->wait_until_up($nginx);
#
# What the driver can be asked for, with a connection of its own that goes past
# any proxy, is in mongodb.py beside this file:
#
#     $mongodb->ask(count => {})
#
# Where there is none to test on, new() skips the whole file.

use strict;
use warnings;

use Cwd ();
use File::Basename qw(dirname);
use File::Path qw(make_path remove_tree);
use File::Temp ();
use IO::Socket::IP;
use IPC::Open2 qw(open2);
use JSON::PP ();
use POSIX qw(WNOHANG);
use Test::More ();
use Time::HiRes qw(sleep);

use Msgbus::Law;
use Msgbus::Nginx;


my $lib = Cwd::abs_path(dirname(__FILE__));
my $project = Cwd::abs_path("$lib/../../..");
my $tool = "$project/tools/mongodb";

my $json = JSON::PP->new->utf8->canonical;
my $owner = $$;
my @running;
my $count = 0;


# own: it must be a server that we may stop and kill; ferretdb: it must be
# FerretDB, over PostgreSQL; options: more of them for FerretDB, an array, in
# place of --no-auth

sub new {
    my ($class, %o) = @_;

    with_mongodb();

    my $kind = `$tool kind`;

    chomp $kind;

    none('there is no MongoDB to test on: tools/mongodb setup says why')
        if $kind eq '';
    none('the server of MSGBUS_TEST_MONGODB_URI is not ours to stop or kill')
        if $kind eq 'uri' && ($o{own} || $o{ferretdb});
    none("this is about FerretDB, not $kind")
        if $kind ne 'ferretdb' && $o{ferretdb};

    my $self = bless { %o, kind => $kind, servers => [],
                       database => "msgbus_test_$$" . '_' . ++$count
                                   . '_' . time }, $class;

    push @running, $self;

    return $self;
}


sub none {
    my ($why) = @_;

    die "$why\n" if ($ENV{CI} // '') eq 'true';

    Test::More::plan(skip_all => $why);
}


# The module that is tested may be built without it.

sub with_mongodb {
    Test::More::plan(skip_all => 'this build of the module is without MongoDB')
        if $ENV{MSGBUS_WITHOUT_MONGODB};

    return;
}


# The URI without what msgbus_mongodb says in directives of its own; another
# port: that of a proxy before the server.

sub uri {
    my ($self, $port) = @_;

    return $ENV{MSGBUS_TEST_MONGODB_URI} if $self->{kind} eq 'uri';

    return 'mongodb://127.0.0.1:' . ($port // $self->{port}) . '/'
           . ($self->{uri_options} // '');
}


sub database { return $_[0]{database} }


# --- life

sub start {
    my ($self) = @_;

    return $self if $self->{kind} eq 'uri';

    my $parent = $ENV{TEST_NGINX_SERVROOT}
               ? dirname($ENV{TEST_NGINX_SERVROOT}) : "$project/build";

    make_path($parent);
    $self->{dir} = File::Temp::tempdir('mongodb-XXXXXXXX', DIR => $parent);
    chmod 0755, $self->{dir};

    $self->{port} = Msgbus::Nginx::free_port();

    $self->start_postgres if $self->{kind} eq 'ferretdb';
    $self->start_server;

    # a server that has begun to listen may still refuse to work
    $self->until(60, 'the first answer of the database', sub {
        eval { $self->ask(count => {}); 1 } and return 1;
        die $@ if $@ =~ /driver has ended/;
        return 0;
    });

    return $self;
}


sub start_postgres {
    my ($self) = @_;

    $self->{postgres_port} //= Msgbus::Nginx::free_port();
    $self->{postgres} = $self->spawn('postgres', "$self->{dir}/data",
                                     $self->{postgres_port});
    $self->wait_for_port($self->{postgres_port}, $self->{postgres});

    return;
}


sub start_server {
    my ($self) = @_;

    $self->{server} = $self->serve($self->{port});

    return;
}


sub serve {
    my ($self, $port) = @_;

    my $pid = $self->{kind} eq 'mongod'
            ? $self->spawn('mongod', "$self->{dir}/data", $port)
            : $self->spawn('ferretdb', "$self->{dir}/state-$port",
                           $self->{postgres_port}, $port,
                           @{ $self->{options} // ['--no-auth'] });

    $self->wait_for_port($port, $pid);

    return $pid;
}


sub another_server {
    my ($self) = @_;

    my $port = Msgbus::Nginx::free_port();

    push @{ $self->{servers} }, $self->serve($port);

    return $self->uri($port);
}


sub spawn {
    my ($self, @command) = @_;

    my $pid = fork // die "cannot fork: $!\n";

    return $pid if $pid;

    $SIG{$_} = 'DEFAULT' for qw(ALRM PIPE INT TERM HUP);

    open STDIN, '<', '/dev/null';
    open STDOUT, '>>', "$self->{dir}/log";
    open STDERR, '>&', \*STDOUT;

    exec $tool, @command or POSIX::_exit(127);
}


sub wait_for_port {
    my ($self, $port, $pid) = @_;

    $self->until(60, 'the database to start', sub {
        die "the database ended at once: $self->{dir}/log\n"
            if waitpid($pid, WNOHANG) == $pid;

        return IO::Socket::IP->new(PeerHost => '127.0.0.1', PeerPort => $port);
    });

    return;
}


sub until { return Msgbus::Nginx::until(@_) }


# --- what befalls it

# The processes below one of ours, itself included.

sub family {
    my (@pids) = @_;

    my %children;

    for my $file (glob '/proc/[0-9]*/stat') {
        my ($pid, $parent) =
            Msgbus::Nginx::slurp($file) =~ /^(\d+) \(.*\) \S (\d+) /s or next;

        push @{ $children{$parent} }, $pid;
    }

    my @family;

    while (defined(my $pid = shift @pids)) {
        push @family, $pid;
        push @pids, @{ $children{$pid} // [] };
    }

    return @family;
}


sub all {
    my ($self) = @_;

    return family(grep { defined } $self->{server}, @{ $self->{servers} },
                                   $self->{postgres});
}


# It neither answers nor closes anything.

sub stall {
    my ($self) = @_;

    my @pids;

    # more than once: one that was about to stop may have made another

    $self->until(15, 'the database to stand still', sub {
        @pids = $self->all;

        my @run = grep { Msgbus::Nginx::slurp("/proc/$_/stat")
                         =~ /^\d+ \(.*\) [^TtZX] /s } @pids;

        CORE::kill(STOP => @run);

        return !@run;
    });

    return scalar @pids;
}


sub resume {
    my ($self) = @_;

    CORE::kill(CONT => $self->all);

    return;
}


# Murder of what clients are connected to.

sub kill {
    my ($self) = @_;

    my $pid = delete $self->{server} // die "no server to kill\n";
    my $signal = $self->murder($pid);

    # the driver would find out with its next question, and fail
    $self->leave;

    return $signal;
}


# PostgreSQL ends as in a crash, all of its processes, and starts again.

sub restart_postgres {
    my ($self) = @_;

    $self->murder(delete $self->{postgres});
    $self->start_postgres;

    return;
}


# Of a child of ours and all below it; its signal.  Comes back when all are
# gone: what starts next may use the same data.

sub murder {
    my ($self, $pid) = @_;

    my @pids = family($pid);

    CORE::kill(KILL => @pids);
    waitpid $pid, 0;

    my $signal = $? & 127;

    $self->until(15, 'the end of what was killed', sub {
        return !grep { !Msgbus::Nginx::is_gone($_) } @pids;
    });

    return $signal;
}


# --- nodes

# What is said in the http block.  port: that of a proxy before the server;
# uri; zone: its parameters, name and store left out; more: of msgbus_mongodb's

sub http {
    my ($self, %o) = @_;

    my $uri = $o{uri} // $self->uri($o{port});
    my $zone = $o{zone} // 'ttl=120s';
    my $more = $o{more} // 'poll 50ms;';
    my $size = $o{size} // '32m';

    return <<"END";
msgbus_mongodb main {
    uri "$uri";
    database $self->{database};
    connect_timeout 1s;
    timeout 2s;
    $more
}

msgbus_zone zone=bus:$size store=main $zone;
END
}


# The law, on an nginx of node(), with posters and pollers that have begun.

sub law {
    my ($self, $nginx, %o) = @_;

    return Msgbus::Law->new(
        nginx => $nginx, posters => 6, pollers => 3,
        settle => sub { $self->wait_for_id($_[0], $nginx) }, %o,
    )->begin;
}


# As http() and Msgbus::Nginx take it.

sub node {
    my ($self, %o) = @_;

    my %http = map { $_ => delete $o{$_} }
               grep { exists $o{$_} } qw(port uri zone more size);

    return Msgbus::Nginx->new(workers => 2, http => $self->http(%http),
                              location => 'location / { msgbus bus; }
                                           msgbus_scope exact parent all;',
                              %o);
}


# The verbose report, and its status.

sub health {
    my ($self, $nginx) = @_;

    my $r = $nginx->report;

    die 'no report of health: ' . $r->error . "$r->{head}\n" if !$r->status;

    return ($r->status, eval { $r->json } // die "$r->{body}: $@");
}


sub wait_until_up {
    my ($self, @nginx) = @_;

    for my $nginx (@nginx) {
        $self->until(15, 'the bus to be up', sub {
            return $nginx->client->get('/health')->status == 200;
        });
    }

    return;
}


# What a law's "settle" wants: each node has got as far as this id.

sub wait_for_id {
    my ($self, $id, @nginx) = @_;

    for my $nginx (@nginx) {
        $self->until(10, "id $id to be on all nodes", sub {
            my $r = $nginx->client->get('/x?echo=true&last-known-id=0');

            return ($r->last_id // 0) >= $id;
        });
    }

    return;
}


# Every event that was acknowledged is in the database once, as it was posted.

sub has_all_of {
    my ($self, $law) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my (@faults, %found);

    for (grep { ($_->{channel} // '') =~ m{^\Q$law->{prefix}\E/} }
         @{ $self->ask(find => {}) })
    {
        my ($p, $n) = $_->{data} =~ /^\{"p":(\d+),"n":(\d+)/ or next;

        push @{ $found{"$p/$n"} }, $_;
    }

    my @acknowledged = $law->acknowledged;

    for (@acknowledged) {
        my ($p, $n, $id) = @$_;
        my @events = @{ delete $found{"$p/$n"} // [] };

        push @faults, "$p/$n is there " . @events . ' times' if @events != 1;

        for my $e (@events) {
            my $data = $e->{data};

            utf8::encode($data);
            push @faults, "$p/$n has id $e->{_id}, not $id" if $e->{_id} != $id;
            push @faults, "$p/$n is not what was posted"
                if $data ne Msgbus::Law::payload($p, $n)
                || $e->{channel} ne $law->channel_of($p, $n);
        }
    }

    push @faults, map { "$_ is there " . @{ $found{$_} } . ' times' }
                  grep { @{ $found{$_} } > 1 } keys %found;

    return Test::More::ok(!@faults, 'the database has each of the '
                                    . @acknowledged . ' acknowledged events '
                                    . 'once, as it was posted')
        || Test::More::diag(join "\n", scalar(@faults) . ' faults:',
                            @faults[0 .. ($#faults < 9 ? $#faults : 9)]);
}


# --- the driver

# Dies of what the driver raised.

sub ask {
    my ($self, $what, $with) = @_;

    my $driver = $self->{driver} //= $self->driver;

    print { $driver->{to} } $json->encode([$what, $with // {}]), "\n";

    my $line = readline $driver->{from};

    if (!defined $line) {
        $self->leave;
        die "the driver has ended\n";
    }

    my $answer = $json->decode($line);

    die "$answer->{error}\n" if defined $answer->{error};

    return $answer->{result};
}


# A process of its own for each one that asks.

sub driver {
    my ($self) = @_;

    # Debian's, which has Debian's pymongo, before another in $PATH
    my ($python) = grep { -x } '/usr/bin/python3', '/usr/bin/env';

    my $pid = open2(my $from, my $to,
                    $python, $python =~ /env$/ ? 'python3' : (),
                    "$lib/mongodb.py", $self->uri, $self->{database});

    $to->autoflush;

    return { pid => $pid, from => $from, to => $to, owner => $$ };
}


# For a child that wants to ask: the parent's driver is not to be shared.

sub for_child {
    my ($self) = @_;

    return bless { %$self, driver => undef }, ref $self;
}


sub leave {
    my ($self) = @_;

    my $driver = delete $self->{driver} or return;

    return if $driver->{owner} != $$;

    # it may be waiting for a database that stands still
    CORE::kill(KILL => $driver->{pid});

    close $driver->{to};
    close $driver->{from};
    waitpid $driver->{pid}, 0;

    return;
}


# --- the end

sub stop {
    my ($self) = @_;

    if ($self->{kind} eq 'uri') {
        eval { $self->ask(drop => {}) };
    }

    my @pids = $self->all;

    CORE::kill(KILL => @pids);

    $self->leave;

    for my $pid (grep { defined } delete @$self{qw(server postgres)},
                                  splice @{ $self->{servers} })
    {
        waitpid $pid, 0;
    }

    # those that are not our children
    $self->until(10, 'the end of the database',
                 sub { return !grep { !Msgbus::Nginx::is_gone($_) } @pids });

    return;
}


END {
    my $status = $?;

    if ($$ == $owner) {
        alarm 0;

        for my $mongodb (@running) {
            eval { $mongodb->stop; 1 } or Test::More::diag($@);

            my $dir = $mongodb->{dir} // next;

            if ($status == 0 && Test::More->builder->is_passing
                && !$ENV{TEST_NGINX_KEEP})
            {
                remove_tree($dir);

            } else {
                # what it said, not all of its data
                remove_tree(glob "$dir/{data,state-*}");
                Test::More::diag("look into $dir");
            }
        }
    }

    $? = $status;
}


1;
