# A process that dies in the middle of telling who reads what, at whatever step,
# leaves each entry whole or not at all, and no seat is lost.
#
# t/unit/presence_crash.c tells what is tried and what must be found.  Twice:
# dying at each store that the sources ask for, and at each instruction that
# the compiler has made of them.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/unit";

use Crash;


Crash::test('presence_crash', rooms => [qw( presence undo )],
                              with  => [qw( check_presence )]);
