package Msgbus::Spoiled;

# A small project that is in order, and a tool that must complain when it is
# spoiled in one place.
#
#     my $project = Msgbus::Spoiled->new(\%files, sub {
#         return "tools/style '$_[0]'";             # of the project's folder
#     });
#     my ($rc, $said) = $project->run;
#     $project->spoil('a tab', 'src/x.c', ' ' => "\t");
#
# spoil() is a test: with the file changed so, each "from" => "to", the tool
# has one complaint, this one.

use strict;
use warnings;

use File::Path qw( make_path );
use File::Temp qw( tempdir );
use Test::More ();


sub new {
    my ($class, $good, $command) = @_;

    return bless { root => tempdir(CLEANUP => 1), good => $good,
                   command => $command }, $class;
}


# Writes the project, with some files in place of its own, and runs the tool:
# the exit status, and its words.

sub run {
    my ($self, %instead) = @_;

    my $root = $self->{root};
    my %file = (%{ $self->{good} }, %instead);

    for my $name (sort keys %file) {
        my $path = "$root/$name";

        make_path($path =~ m{(.*)/});

        open my $out, '>:raw', $path or die "$path: $!";
        print $out $file{$name};
        close $out or die "$path: $!";
    }

    my $command = $self->{command}->($root);
    my $said = `$command 2>&1`;
    my $rc = $? >> 8;

    unlink "$root/$_" for keys %file;

    return ($rc, $said);
}


sub spoil {
    my ($self, $complaint, $file, @change) = @_;

    my $text = $self->{good}{$file} // '';

    while (my ($from, $to) = splice @change, 0, 2) {
        my $at = index $text, $from;

        die "\"$from\" is not in $file" if $at < 0;
        substr($text, $at, length $from) = $to;
    }

    my ($rc, $said) = $self->run($file => $text);

    # its last line counts them
    my @complaints = grep { !/^[\w-]+: \d+ / } split /\n/, $said;
    my $name = "complains: $complaint";

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    return Test::More::pass($name)
        if $rc == 1 && @complaints == 1 && $complaints[0] =~ /\Q$complaint\E/;

    Test::More::fail($name);
    Test::More::diag("exit status $rc, and it said:\n$said");

    return;
}


1;
