# A process that dies in the middle of a change of pending posts, at whatever
# step, leaves posts that the next one can go on with; and nobody who has been
# told that a post is not stored will find it stored.
#
# t/unit/pending_crash.c tells what is tried and what must be found.  Twice:
# dying at each store that the sources ask for, and at each instruction that
# the compiler has made of them.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/unit";

use Test::More;

use Unit;


plan skip_all => Unit->lacks if Unit->lacks;

my @rooms = qw( pending );
my @plain = qw( pending_crash check_pending crash unit );

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

    push @started, Unit->new("pending_crash_$watch" . @started)
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
