# A committer that dies in a turn, at whatever step, leaves pending posts and a
# log with which its successor brings each post to one end, whatever the
# database has of it; and what may still arrive is not said to be unsent.
#
# t/unit/commit_crash.c tells what is tried and what must be found: dying at
# each store that the sources ask for, and at each instruction.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/unit";

use Test::More;

use Unit;


plan skip_all => Unit->lacks if Unit->lacks;

my @rooms = qw( channel filing log pending ledger commit sync );
my @plain = qw( commit_crash check_log check_pending crash unit );

my @ways = (
    [ 'store, as the sources stand', 'stores', qw( -g -O0 ) ],
    [ 'store, as they are optimized', 'stores', @Unit::MODULE ],
    [ 'instruction', 'steps', @Unit::MODULE ],
);

for my $way (@ways) {
    my ($title, $watch, @flags) = @$way;

    my @link;

    if ($watch eq 'stores') {
        push @flags, qw( -fsanitize=thread -fno-builtin );
        @link = ('-Wl,--wrap=memcpy', '-Wl,--wrap=memset');
    }

    my $program = Unit->new("commit_crash_$watch")
        ->compile(\@rooms, \@flags)
        ->compile([@plain, "crash_$watch"], [qw( -g -O2 )])
        ->link(@link);

    my $said = $program->run('doubt')->{said};

    is($said->{'given up, never sent'}, 'is not stored',
       'a post is given up that was never sent');
    is($said->{'given up, in doubt'}, 'may be stored',
       'and one that was sent, once, without an answer');

    my $run = $program->run;

    SKIP: {
        skip 'instructions cannot be stepped through here', 1
            if $run->{said}{'cannot watch'};

        ok($run->{ok}, "a death at each $title");
    }

    my @told = $run->{text} =~ /^deaths in (.*)$/mg;

    note($_) for @told;
}

done_testing;
