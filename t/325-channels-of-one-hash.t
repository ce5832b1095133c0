# Who reads a channel and all below it, among others, gets nothing of one whose
# name has the same hash and begins as that does: t/unit/named_check.c.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/unit";

use Test::More;

use Unit;


plan skip_all => Unit->lacks if Unit->lacks;
plan tests => 1;

my @sanitize = Unit->takes(@Unit::SANITIZE) ? @Unit::SANITIZE : qw( -g -O1 );

my $run = Unit->new('named_check')
    ->compile([qw( number channel filing keyed log many show undo view ),
               qw( named_check unit )], \@sanitize)
    ->link(@sanitize)
    ->run;

ok($run->{ok}, 'each gets its own') or diag($run->{text});
