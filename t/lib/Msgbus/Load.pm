package Msgbus::Load;

# The load of bench/push for a test: many subscribers, and a poster.
#
#     my $load = Msgbus::Load->new($nginx, qw( --subscribers 1000 ));
#     $load->begin('post 0 200 10 0 300 0');
#     ...
#     my $answer = $load->end;
#
# bench/push/client.c says what it can be told, and what it answers.

use strict;
use warnings;

use Cwd ();
use File::Basename qw(dirname);
use File::Temp ();
use IPC::Open2;
use JSON::PP ();


my $bench = Cwd::abs_path(dirname(__FILE__) . '/../../../bench');
my $folder;

my %sources = (
    client => [qw( push/client push/subscribers push/poster push/load )],
    floor  => [qw( push/floor )],
    paced  => [qw( paced )],
    many   => [qw( many/load )],
);


# The path of a program of bench/, compiled once a test.

sub program {
    my ($name) = @_;

    my $cc = $ENV{CC} || 'cc';
    my $sources = join ' ', map { "'$bench/$_.c'" }
                  @{ $sources{$name} }, 'program';

    $folder ||= File::Temp::tempdir('load-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);

    if (!-e "$folder/$name") {
        my $werror = $ENV{WERROR} ? '-Werror' : '';
        my $flags = "-O1 -Wall -Wextra $werror -o '$folder/$name'";
        my $said = `$cc $flags $sources 2>&1`;

        die "$name of bench/ does not compile:\n$said" if $?;
    }

    return "$folder/$name";
}


# To an nginx, or to an address; comes back when all subscribers are let in.

sub new {
    my ($class, $to, @options) = @_;

    my $self = bless {}, $class;
    my $address = ref $to ? "127.0.0.1:$to->{port}" : $to;

    $self->{pid} = open2($self->{out}, $self->{in}, program('client'),
                         '--to', $address, @options);

    $self->{ready} = $self->end;

    return $self;
}


sub begin {
    my ($self, $command) = @_;

    print { $self->{in} } "$command\n";

    return;
}


sub end {
    my ($self) = @_;

    my $line = readline $self->{out} // die "the load has ended\n";

    return JSON::PP::decode_json($line);
}


sub ask {
    my ($self, $command) = @_;

    $self->begin($command);

    return $self->end;
}


# Its status; subscribers end with the poster.

sub quit {
    my ($self) = @_;

    close $self->{in};
    waitpid $self->{pid}, 0;

    return $?;
}


1;
