package Msgbus::Run;

# The bus of "make run", by tools/run, on a free port and in a folder of its
# own:
#
#     my $run = Msgbus::Run->new->start;
#     my $client = Msgbus::Client->new(to => "127.0.0.1:$run->{port}");
#     $run->stop;
#
# new() returns nothing where the module is not below the project's folder.

use strict;
use warnings;

use Cwd ();
use File::Temp ();
use POSIX ();

use Msgbus::Nginx;


my ($root) = Cwd::abs_path(__FILE__) =~ m{^(.*)/t/lib/};
my $owner = $$;
my @running;


sub new {
    my ($class) = @_;

    my ($module) = Msgbus::Nginx::modules();
    my ($build) = ($module // '') =~ m{^\Q$root\E/(.*)/[^/]+$} or return;

    my $self = bless {
        build => $build,
        dir   => File::Temp->newdir,
        port  => Msgbus::Nginx::free_port(),
    }, $class;

    # its workers may not be root
    chmod 0755, $self->{dir};

    return $self;
}


# returns when it has told that it runs; dies when it ends instead

sub start {
    my ($self) = @_;

    $self->{pid} = fork // die "cannot fork: $!\n";

    if (!$self->{pid}) {
        $ENV{RUN} = "$self->{dir}/run";
        $ENV{PORT} = $self->{port};
        $ENV{BUILD} = $self->{build};

        open STDOUT, '>', "$self->{dir}/out";
        open STDERR, '>', "$self->{dir}/err";

        $SIG{$_} = 'DEFAULT' for qw(ALRM PIPE INT TERM HUP);

        exec "$root/tools/run", $ENV{TEST_NGINX_BINARY} || 'nginx'
            or POSIX::_exit(127);
    }

    push @running, $self;

    Msgbus::Nginx->until(20, 'the bus to run', sub {
        if (waitpid($self->{pid}, POSIX::WNOHANG) == $self->{pid}) {
            delete $self->{pid};
            die "tools/run has ended: ", $self->complained;
        }

        return $self->said =~ /The bus runs at/;
    });

    return $self;
}


sub said { return Msgbus::Nginx::slurp("$_[0]{dir}/out") }
sub complained { return Msgbus::Nginx::slurp("$_[0]{dir}/err") }


# a signal, and the status that "wait" has then

sub stop {
    my ($self, $signal) = @_;

    my $pid = delete $self->{pid} or return;

    kill $signal // 'TERM', $pid;
    waitpid $pid, 0;

    return $?;
}


sub master { return Msgbus::Nginx::slurp("$_[0]{dir}/run/nginx.pid") + 0 }


END {
    if ($$ == $owner) {
        local $?;
        $_->stop for @running;
    }
}


1;
