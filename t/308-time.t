# An event's created_at is told as strftime() would tell it, whatever the time:
# t/unit/time_check.c.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/unit";

use Test::More;

use Unit;


plan skip_all => Unit->lacks if Unit->lacks;
plan tests => 1;

my @sanitize = Unit->takes(@Unit::SANITIZE) ? @Unit::SANITIZE : qw( -g -O1 );

my $run = Unit->new('time_check')
    ->compile([qw( time time_check undo unit )], \@sanitize)
    ->link(@sanitize)
    ->run;

ok($run->{ok}, 'a million times, and the ends of 8000 years');
