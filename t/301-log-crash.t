# A process that dies in the middle of a change of the log, at whatever step,
# leaves a log that the next one can go on with.
#
# t/unit/log_crash.c tells what is tried and what must be found.  Twice: dying
# at each store that the sources ask for, and at each instruction that the
# compiler has made of them.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/unit";

use Test::More;

use Unit;


plan skip_all => Unit->lacks if Unit->lacks;

my @rooms = qw( channel filing log );
my @plain = qw( view log_crash check_log crash unit );

my @ways = (
    [ 'store, as the sources stand', 'stores', qw( -g -O0 ) ],
    [ 'store, as they are optimized', 'stores', @Unit::MODULE ],
    [ 'instruction', 'steps', @Unit::MODULE ],
);

# one is compiled while the others run, and what takes longest begins

my @started;

for my $way (reverse @ways) {
    my (undef, $watch, @flags) = @$way;

    my @link;

    if ($watch eq 'stores') {
        push @flags, qw( -fsanitize=thread -fno-builtin );
        @link = ('-Wl,--wrap=memcpy', '-Wl,--wrap=memset');
    }

    push @started, Unit->new("log_crash_$watch" . @started)
        ->compile(\@rooms, \@flags)
        ->compile([@plain, "crash_$watch"], [qw( -g -O2 )])
        ->link(@link)
        ->start;
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
