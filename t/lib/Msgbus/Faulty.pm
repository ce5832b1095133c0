package Msgbus::Faulty;

# Calls of the system that fail as a test tells, for nginx or msgbus-journal.
#
#     my $faulty = Msgbus::Faulty->new(in => '/journal')    # files of which
#         or plan skip_all => ...;                          # folders
#     $faulty->start($nginx) or plan skip_all => ...;
#     $faulty->fail(fallocate => ENOSPC);       # until
#     $faulty->well;
#     $faulty->fail(fdatasync => EIO, 1);       # once
#     $faulty->env                              # for another program
#
# t/unit/faulty.c tells of the calls.

use strict;
use warnings;

use Cwd ();
use File::Basename qw(dirname);
use File::Temp ();

use Msgbus::Nginx;


sub new {
    my ($class, %o) = @_;

    my $dir = File::Temp->newdir;
    my $self = bless { dir => $dir, in => $o{in} }, $class;

    chmod 0755, $dir;
    mkdir "$dir/faults";
    chmod 0777, "$dir/faults";

    system(split(' ', $ENV{CC} || 'cc'), qw( -shared -fPIC -O1 -o ),
           "$dir/faulty.so",
           Cwd::abs_path(dirname(__FILE__) . '/../../unit/faulty.c')) == 0
        or die "cannot compile\n";

    return $self;
}


# what a program is to have in its environment

sub env {
    my ($self) = @_;

    return (LD_PRELOAD => "$self->{dir}/faulty.so",
            FAULTY     => "$self->{dir}/faults",
            FAULTY_IN  => $self->{in});
}


# false where nginx does not take it, as under a checker

sub start {
    my ($self, $nginx) = @_;

    my %env = $self->env;
    local @ENV{keys %env} = values %env;

    $nginx->{main} .= join '', map { "env $_;\n" } sort keys %env
        if ($nginx->{main} // '') !~ /FAULTY/;
    $nginx->start;

    my ($worker) = $nginx->worker_pids;

    return Msgbus::Nginx::slurp("/proc/$worker/maps") =~ m{\Q$self->{dir}\E/};
}


# the number of an error, and how many times; without that until it is well.
# Or slow => ms, statfs => type

sub fail {
    my ($self, $call, $errno, $times) = @_;

    my $file = "$self->{dir}/faults/$call";

    open my $out, '>', "$file.new" or die "$file: $!\n";
    print $out $errno, defined $times ? " $times" : '', "\n";
    close $out;
    chmod 0666, "$file.new";
    rename "$file.new", $file;

    return;
}


sub well {
    my ($self) = @_;

    unlink glob "$self->{dir}/faults/*";

    return;
}


1;
