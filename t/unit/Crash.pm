package Crash;

# Runs a program of t/unit/ that dies at each step of some changes (crash.c), in
# all ways that there are: at each store that the sources ask for, as they stand
# and as they are optimized, and at each instruction of what the module is made
# of.
#
#     Crash::test('log_crash', rooms => [qw( channel filing log )],   # of src/
#                              with  => [qw( show view check_log )]);      # plain

use strict;
use warnings;

use Test::More;

use Unit;


my @ways = (
    [ 'store, as the sources stand', 'stores', qw( -g -O0 ) ],
    [ 'store, as they are optimized', 'stores', @Unit::MODULE ],
    [ 'instruction', 'steps', @Unit::MODULE ],
);


# A test for each way; before(program) may have others.  One is compiled while
# the others run, and what takes longest begins.

sub test {
    my ($name, %o) = @_;

    plan skip_all => Unit->lacks if Unit->lacks;

    my @started;

    for my $way (reverse @ways) {
        my (undef, $watch, @flags) = @$way;

        my @link;

        if ($watch eq 'stores') {
            push @flags, qw( -fsanitize=thread -fno-builtin );
            @link = ('-Wl,--wrap=memcpy', '-Wl,--wrap=memset');
        }

        my $program = Unit->new("${name}_$watch" . @started)
            ->compile($o{rooms}, \@flags)
            ->compile([$name, @{ $o{with} }, 'crash', 'unit',
                       "watch_$watch"], [qw( -g -O2 )])
            ->link(@link);

        $o{before}->($program) if $o{before};

        push @started, $program->start;
    }

    for my $way (@ways) {
        my ($title) = @$way;
        my $run = pop(@started)->();

        SKIP: {
            skip 'instructions cannot be stepped through here', 1
                if $run->{said}{'cannot watch'};

            ok($run->{ok}, "a death at each $title");
        }

        my @told = $run->{text} =~ /^deaths in (.*)$/mg;

        note($_) for @told;
    }

    done_testing;

    return;
}


1;
