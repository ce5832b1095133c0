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

use Crash;


Crash::test('log_crash', rooms => [qw( number channel filing keyed log undo )],
                         with  => [qw( show view check_log )]);
