package Msgbus::Nginx;

# A real nginx for a test: its own folder, its own port, any number of
# workers, reloads and murders, and an end whatever happens to the test.
#
#     my $nginx = Msgbus::Nginx->new(
#         workers  => 4,
#         http     => 'msgbus_zone zone=bus:16m;',
#         location => 'location / { msgbus bus; }',
#     );
#     $nginx->start;
#
# Environment, as Test::Nginx has it:
#
#     TEST_NGINX_BINARY        default: nginx in $PATH
#     TEST_NGINX_LOAD_MODULES  paths of .so files; default: the one in build/,
#                              where there is one
#     TEST_NGINX_PATIENCE      factor for all time limits, for slow machines
#     TEST_NGINX_KEEP          keep the folder although the test passed
#     TEST_NGINX_PARK          "on" or "off": whether readers are parked, where
#                              the test does not say it
#
# Everything that waits has a limit, and dies with a sentence at its end.

use strict;
use warnings;

use Cwd ();
use File::Basename qw(dirname);
use File::Path qw(remove_tree);
use File::Temp ();
use IO::Socket::IP;
use POSIX qw(WNOHANG);
use Test::More ();
use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC sleep);

use Msgbus::Client;


our $PATIENCE = $ENV{TEST_NGINX_PATIENCE} || 1;

$Msgbus::Client::TIMEOUT *= $PATIENCE;

# by its whole path, which a binary upgrade runs again
my $name = $ENV{TEST_NGINX_BINARY} || 'nginx';
my ($binary) = grep { -x && !-d }
               $name =~ /\// ? Cwd::abs_path($name) // $name
                             : map { "$_/$name" } split(/:/, $ENV{PATH}),
                                   '/usr/sbin', '/usr/local/sbin';
$binary //= $name;

my $owner = $$;
my @running;
my %given;


sub now { return clock_gettime(CLOCK_MONOTONIC) }


# --- the whole test file has a limit too

sub limit {
    my ($class, $seconds) = @_;

    $seconds *= $PATIENCE;

    $SIG{ALRM} = sub {
        die "the test was not done after $seconds s\n" if $$ == $owner;
    };

    alarm $seconds;

    return;
}


# --- making one

# workers, connections (of a worker), and configuration: main, http, location
# (inside the server), listen (more of them, an array; a plain one is always
# there), daemon (a child of ours ignores USR2: a binary upgrade needs "on")

sub new {
    my ($class, %o) = @_;

    my $dir = File::Temp::tempdir('msgbus-XXXXXXXX', TMPDIR => 1);

    # the workers of a root's nginx are nobody
    chmod 0755, $dir;

    my $self = bless {
        workers  => 1,
        daemon   => 'off',
        main     => '',
        http     => '',
        location => '',
        listen   => [],
        connections => 2048,
        %o,
        dir      => $dir,
        port     => free_port(),
    }, $class;

    push @running, $self;

    return $self;
}


# Never the same one twice: nobody may have listened on the first one yet.

sub free_port {
    my ($host) = @_;

    my $port;

    do {
        my $sock = IO::Socket::IP->new(LocalHost => $host // '127.0.0.1',
                                       LocalPort => 0, Listen => 1)
            or die "no free port on " . ($host // '127.0.0.1') . ": $@\n";

        $port = $sock->sockport;
    } while ($given{$port}++);

    return $port;
}


sub modules {
    if (defined $ENV{TEST_NGINX_LOAD_MODULES}) {
        return map { Cwd::abs_path($_) // $_ }
               split ' ', $ENV{TEST_NGINX_LOAD_MODULES};
    }

    my $so = Cwd::abs_path(dirname(__FILE__) . '/../../..')
             . '/build/ngx_http_msgbus_module.so';

    return -e $so ? $so : ();
}


sub configure {
    my ($self, %o) = @_;

    $self->{$_} = $o{$_} for keys %o;

    my $dir = $self->{dir};
    my $load = join '', map { "load_module $_;\n" } modules();
    my $listen = join '', map { "listen $_;\n" }
                 "127.0.0.1:$self->{port}", @{ $self->{listen} };
    my $temp = join '', map { "${_}_temp_path $dir/$_;\n" }
               qw(client_body proxy fastcgi uwsgi scgi);
    my $reports = $self->reports($self->{http});
    my $park = $ENV{TEST_NGINX_PARK} && $self->{zones}[0]
             ? "msgbus_park $ENV{TEST_NGINX_PARK};" : '';

    $park = '' if $self->{http} =~ /\bmsgbus_park\b/;

    open my $conf, '>', "$dir/nginx.conf" or die "$dir/nginx.conf: $!\n";

    print $conf <<"END";
daemon $self->{daemon};
pid $dir/nginx.pid;
error_log $dir/error.log info;
worker_processes $self->{workers};
$load
$self->{main}

events {
    worker_connections $self->{connections};
}

http {
    access_log off;
    $temp
    $park
    $self->{http}

    server {
        $listen
        $reports
        $self->{location}
    }
}
END

    close $conf or die "$dir/nginx.conf: $!\n";

    return;
}


# A location for the report of each zone, which report() asks: what a test is
# about need not show it.

sub reports {
    my ($self, $conf) = @_;

    $self->{zones} = [$conf =~ /^[^#\n]*\bmsgbus_zone\s[^;]*\bzone=(\w+):/mg];

    return join '', map { "location = /.report/$_ { msgbus_health $_; }\n" }
                    @{ $self->{zones} };
}


# --- life

sub start {
    my ($self) = @_;

    for my $try (1 .. 5) {
        $self->configure;

        my $from = $self->log_size;

        $self->{pid} = $self->spawn;

        my $up = eval { $self->wait_for_start; 1 } and return $self;
        my $why = $@;

        $self->kill_all;

        # somebody else was faster with the port
        if ($self->said($from) =~ /Address already in use/) {
            $self->{port} = free_port();
            next;
        }

        die "nginx did not start: $why" . $self->said($from);
    }

    die "nginx found no free port\n";
}


# what it wrote, after byte $from of the log, and before it had one

sub said {
    my ($self, $from) = @_;

    return slurp("$self->{dir}/stderr") . join "\n", $self->log($from);
}


sub spawn {
    my ($self) = @_;

    my $dir = $self->{dir};
    my $pid = fork // die "cannot fork: $!\n";

    return $pid if $pid;

    open STDIN, '<', '/dev/null';
    open STDOUT, '>', "$dir/stdout";
    open STDERR, '>', "$dir/stderr";

    $SIG{$_} = 'DEFAULT' for qw(ALRM PIPE INT TERM HUP);

    exec { $binary } $binary, '-p', "$dir/", '-c', "$dir/nginx.conf"
        or print STDERR "cannot run $binary: $!\n";

    POSIX::_exit(127);
}


sub wait_for_start {
    my ($self) = @_;

    $self->until(15, 'all workers to run', sub {
        if ($self->{pid} && waitpid($self->{pid}, WNOHANG) == $self->{pid}) {
            delete $self->{pid};
            die "it exited at once\n" if $? || $self->{daemon} eq 'off';
        }

        $self->{pid} ||= $self->pid_in_file or return 0;

        return $self->worker_pids == $self->{workers};
    });

    return;
}


sub pid_in_file {
    my ($self) = @_;

    return slurp("$self->{dir}/nginx.pid") =~ /^(\d+)$/ ? $1 : 0;
}


# Calls what() until it is true; dies after $seconds.  Returns how long it took.

sub until {
    my ($self, $seconds, $what, $is_done) = @_;

    my $began = now();

    $seconds *= $PATIENCE;

    while (!$is_done->()) {
        if (now() - $began > $seconds) {
            die "waited $seconds s in vain for $what\n";
        }

        sleep 0.005;
    }

    return now() - $began;
}


# A new configuration, perhaps.  Comes back when all new workers run and all
# old ones are gone; "wait => 0" when the new ones run.

sub reload {
    my ($self, %o) = @_;

    my $within = delete $o{within} // 15;
    my $wait = delete $o{wait} // 1;

    $self->configure(%o);

    my %old = map { $_ => 1 } $self->child_pids;

    kill HUP => $self->{pid};

    $self->until($within, 'new workers after a reload', sub {
        return $self->{workers} == grep { !$old{$_} } $self->worker_pids;
    });

    if ($wait) {
        $self->wait_for_end_of([keys %old], $within);
    }

    return [keys %old];
}


sub wait_for_end_of {
    my ($self, $pids, $within) = @_;

    return $self->until($within, "the end of old workers: @$pids", sub {
        my %alive = map { $_ => 1 } $self->child_pids;
        return !grep { $alive{$_} } @$pids;
    });
}


# Murder.  Comes back when the master has put another worker in its place.

sub kill_worker {
    my ($self, $pid) = @_;

    kill KILL => $pid or die "cannot kill worker $pid: $!\n";

    $self->until(15, "another worker in the place of $pid", sub {
        my @pids = $self->worker_pids;

        return @pids == $self->{workers} && !grep { $_ == $pid } @pids;
    });

    return;
}


# Murder of all of it, the master and the workers.  Comes back when all are gone.

sub crash {
    my ($self) = @_;

    my $pid = $self->{pid};

    # the master first: it would begin others

    kill STOP => $pid;

    my @pids = $self->child_pids;

    kill KILL => @pids, $pid;
    waitpid $pid, 0;
    delete $self->{pid};

    $self->until(5, 'the end of all of it', sub {
        return !grep { !is_gone($_) } @pids, $pid;
    });

    # a daemon's next master is known by it
    unlink "$self->{dir}/nginx.pid";

    return;
}


# Comes back when it stands still: until then it could still take connections.

sub stop_worker {
    my ($self, $pid) = @_;

    kill STOP => $pid or die "cannot stop worker $pid: $!\n";

    $self->until(15, "worker $pid to stand still", sub {
        return slurp("/proc/$pid/stat") =~ /^\d+ \(.*\) [Tt] /s;
    });

    return;
}


# Graceful, and the seconds that it took; dies when it took too long.

sub quit {
    my ($self, $within) = @_;

    return $self->end('QUIT', $within // 15);
}


sub stop {
    my ($self, $within) = @_;

    return $self->end('TERM', $within // 15);
}


sub end {
    my ($self, $signal, $within) = @_;

    my $pid = $self->{pid} or return 0;

    kill $signal => $pid;

    my $took = $self->until($within, "nginx to end after $signal",
                            sub { return is_gone($pid) });

    delete $self->{pid};

    return $took;
}


# A child of ours, or a master that a binary upgrade has left to others.  Who
# was killed has its files and their locks for as long as one of its threads is
# busy in the kernel, though the process itself is a zombie already.

sub is_gone {
    my ($pid) = @_;

    return 1 if waitpid($pid, WNOHANG) == $pid;

    return slurp("/proc/$pid/stat") !~ /^\d+ \(.*\) [^ZX] /s
        && !grep { !/\/$pid$/ } glob "/proc/$pid/task/[0-9]*";
}


# Another binary takes over: both masters run, then the old one ends.

sub upgrade {
    my ($self, $within) = @_;

    $within //= 15;

    my $old = $self->{pid};
    my $new;

    kill USR2 => $old;

    $self->until($within, 'another master', sub {
        $new = $self->pid_in_file;
        return $new && $new != $old;
    });

    $self->{old_pid} = $old;
    $self->{pid} = $new;

    $self->until($within, 'the workers of another master',
                 sub { return $self->worker_pids == $self->{workers} });

    kill QUIT => $old;

    $self->until($within, 'the end of the old master',
                 sub { return is_gone($old) });

    delete $self->{old_pid};

    return;
}


# --- the end, whatever happens

sub kill_all {
    my ($self) = @_;

    for my $pid (grep { defined } delete $self->{old_pid}, $self->{pid}) {
        $self->{pid} = $pid;

        my @pids = ($self->child_pids, $pid);

        if (!eval { $self->stop(3); 1 }) {
            kill KILL => @pids;
            waitpid $pid, 0;
        }
    }

    delete $self->{pid};

    return;
}


$SIG{$_} = sub { die "interrupted\n" } for qw(INT TERM HUP);

# a reader of ours that has gone is no reason to leave nginx behind
$SIG{PIPE} = 'IGNORE';

END {
    my $status = $?;

    if ($$ == $owner) {
        alarm 0;

        my $fine = $status == 0
                && Test::More->builder->is_passing
                && !$ENV{TEST_NGINX_KEEP};

        for my $nginx (@running) {
            $nginx->kill_all;

            if ($fine) {
                remove_tree($nginx->{dir});

            } else {
                Test::More::diag("look into $nginx->{dir}");
            }
        }
    }

    $? = $status;
}


# --- processes

# Of the master's children, those that have not ended yet.

sub child_pids {
    my ($self) = @_;

    my @pids;
    my $master = $self->{pid} or return;

    for my $file (glob '/proc/[0-9]*/stat') {
        my ($pid, $state, $parent) =
            slurp($file) =~ /^(\d+) \(.*\) (\S) (\d+) /s or next;

        push @pids, $pid if $parent == $master && $state !~ /[ZX]/;
    }

    @pids = sort { $a <=> $b } @pids;

    return @pids;
}


# Those that serve: a worker gets its title when it is ready, and another one
# when it is about to leave.

sub worker_pids {
    my ($self) = @_;

    return grep {
        slurp("/proc/$_/cmdline") =~ /^nginx: worker process[\0 ]*$/
    } $self->child_pids;
}


# In KiB, a field of /proc/PID/status: VmRSS, RssAnon, RssShmem.

sub memory {
    my ($self, $pid, $field) = @_;

    my ($kib) = slurp("/proc/$pid/status") =~ /^$field:\s+(\d+) kB/m
        or die "no $field of process $pid\n";

    return $kib;
}


# Of a worker, or of all together.

sub open_sockets {
    my ($self, @pids) = @_;

    return scalar grep { (readlink $_ // '') =~ /^socket:/ }
           map { glob "/proc/$_/fd/*" } @pids ? @pids : $self->worker_pids;
}


# --- talking

sub client {
    my ($self, %o) = @_;

    return Msgbus::Client->new(to => "127.0.0.1:$self->{port}", %o);
}


# The answer with the verbose report of a zone, by default the first.

sub report {
    my ($self, $zone) = @_;

    $zone //= $self->{zones}[0] // die "there is no zone\n";

    return $self->client->get("/.report/$zone?verbose=true");
}


# Comes back when so many readers wait, streams among them, on the bus of a zone
# (the first): what is posted now comes after them.

sub wait_for_readers {
    my ($self, $n, $zone) = @_;

    $self->until(15, "$n readers to wait", sub {
        return $self->report($zone)->body =~ /"waiting_readers":$n\b/;
    });

    return;
}


# --- the error log

sub slurp {
    my ($file) = @_;

    open my $in, '<', $file or return '';
    local $/;

    return <$in> // '';
}


sub log_size { return -s "$_[0]{dir}/error.log" // 0 }


# Lines, after byte $from; of some levels, "warn|error"; with some text.

sub log {
    my ($self, $from, $levels, $text) = @_;

    my $log = slurp("$self->{dir}/error.log");

    return grep { !defined $levels || /^\S+ \S+ \[(?:$levels)\]/ }
           grep { !defined $text || /$text/ }
           split /\n/, substr $log, $from // 0;
}


# What the master says of a worker that was killed, and of one that held the
# mutex of a zone at that.

our @KILLED = (qr/worker process \d+ exited on signal 9/,
               qr/shared memory zone "\w+" was locked by \d+/);


# All that must not happen, but for lines that match one of @allowed.

sub alerts {
    my ($self, @allowed) = @_;

    # stderr goes to the error log too

    my @lines = grep {
        /^\S+ \S+ \[(?:alert|emerg)\]/
        || /\(core dumped\)|exited with (?:fatal )?code [1-9]/
    } split /\n/, $self->said(0);

    return grep {
        my $line = $_;
        !grep { $line =~ $_ } @allowed;
    } @lines;
}


# A test of its own.

sub no_alerts {
    my ($self, @allowed) = @_;

    my @lines = $self->alerts(@allowed);
    my $title = @allowed
              ? 'there is no [alert] but those that were asked for'
              : 'there is no [alert]';

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    return Test::More::ok(!@lines, $title)
        || Test::More::diag(join "\n", @lines > 10 ? @lines[0 .. 9] : @lines);
}


1;
