package Msgbus::Clocks;

# Clocks of an nginx that go ahead at will, by as many seconds as a test would
# have to wait otherwise: t/unit/asleep.c.
#
#     my $clocks = Msgbus::Clocks->new($nginx);
#     $clocks->start;                nginx, with them
#     $clocks->works                 false: it can not be preloaded here
#     $clocks->ahead(61);            by so much: a machine that has slept
#     $clocks->wall(-3600);          the wall clock alone is wrong by so much

use strict;
use warnings;

use FindBin;

use Msgbus::Nginx;


# what is preloaded, below t/unit/; it finds its file by a variable of this name
sub program { return 'asleep' }


sub new {
    my ($class, $nginx) = @_;

    my $file = "$nginx->{dir}/" . $class->program;

    open my $out, '>', $file or die "$file: $!\n";
    close $out;
    truncate $file, 16;

    system(split(' ', $ENV{CC} || 'cc'), qw(-shared -fPIC -O1 -o), "$file.so",
           "$FindBin::Bin/unit/" . $class->program . '.c') == 0 or die "cannot compile\n";

    return bless { nginx => $nginx, file => $file }, $class;
}


sub start {
    my ($self) = @_;

    local $ENV{LD_PRELOAD} = "$self->{file}.so";
    local $ENV{ uc $self->program } = $self->{file};

    $self->{nginx}->start;

    return $self;
}


sub works {
    my ($self) = @_;

    my ($worker) = $self->{nginx}->worker_pids;

    return Msgbus::Nginx::slurp("/proc/$worker/maps") =~ /\Q$self->{file}.so\E/;
}


sub ahead { return $_[0]->put(0, $_[1]) }

sub wall { return $_[0]->put(8, $_[1]) }


sub put {
    my ($self, $where, $seconds) = @_;

    open my $out, '+<', $self->{file} or die "$self->{file}: $!\n";
    sysseek $out, $where, 0;
    syswrite $out, pack 'q', $seconds;
    close $out;

    return;
}


1;
