# The examples of docs/mongodb.md run, on a database, and answer what it says.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Examples;
use Msgbus::Mongodb;


chdir "$FindBin::Bin/.." or die "no project folder: $!\n";

Msgbus::Nginx->limit(120);

my $mongodb = Msgbus::Mongodb->new->start;

Msgbus::Examples->new(mongodb => $mongodb)->document('docs/mongodb.md');

done_testing;
