# What is kept of each of a crowd as it differs from one of them is made again
# as it was, whatever it was: t/unit/squeeze_check.c.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/unit";

use Test::More;

use Unit;


plan skip_all => Unit->lacks if Unit->lacks;
plan tests => 1;

my @sanitize = Unit->takes(@Unit::SANITIZE) ? @Unit::SANITIZE : qw( -g -O1 );

my $run = Unit->new('squeeze_check')
    ->compile([qw( squeeze squeeze_check undo unit )], \@sanitize)
    ->link(@sanitize)
    ->run;

ok($run->{ok}, 'texts at random, against others and against none');
