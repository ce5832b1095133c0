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

use Crash;


Crash::test('commit_crash',
    rooms  => [qw( number count channel filing keyed log pending ledger pace commit sync
                   foreign undo )],
    with   => [qw( check_log check_pending commit_world )],
    before => sub {
        my $said = $_[0]->run('doubt')->{said};

        is($said->{'given up, never sent'}, 'is not stored',
           'a post is given up that was never sent');
        is($said->{'given up, in doubt'}, 'may be stored',
           'and one that was sent, once, without an answer');
        is($_[0]->run('stop')->{said}{looks}, 3,
           'a worker that is to exit does not read on, however much there is');
        is($_[0]->run('usage')->{said}{dropped}, 1110,
           'of two workers in a reload each adds what has left the store');
        ok($_[0]->run('keeps')->{ok}, 'or with a store that forgets nothing');
        is($_[0]->run('crowd')->{said}{late}, 'stored',
           'a post where many were given up is stored');
    },
);
