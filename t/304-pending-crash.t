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

use Crash;


Crash::test('pending_crash', rooms => [qw( pending undo )],
                             with  => [qw( check_pending )]);
