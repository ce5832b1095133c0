# A line of the error log is written once a minute for a zone, however many
# processes have it to tell, and says how many were left out; who is killed keeps
# no other one from it: t/unit/tell_check.c.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/unit";

use Test::More;

use Unit;


plan skip_all => Unit->lacks if Unit->lacks;
plan tests => 1;

my @sanitize = Unit->takes(@Unit::SANITIZE) ? @Unit::SANITIZE : qw( -g -O1 );

my $run = Unit->new('tell_check')
    ->compile([qw( tell tell_check undo unit )], \@sanitize)
    ->link(@sanitize)
    ->run;

ok($run->{ok}, 'one line a minute, of processes, some of which are killed')
    or diag($run->{text});
