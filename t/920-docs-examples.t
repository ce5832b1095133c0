# Every example in the documents runs, and answers what the document says.
#
# t/lib/Msgbus/Examples.pm says how examples are written there, and what is
# made equal.  Those of docs/mongodb.md, which need one, are run by
# t/660-docs-mongodb.t.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Documented;
use Msgbus::Examples;


chdir "$FindBin::Bin/.." or die "no project folder: $!\n";

Msgbus::Nginx->limit(180);

my $examples = Msgbus::Examples->new;

$examples->document($_)
    for qw( README.md docs/http-api.md docs/directives.md docs/operations.md
            docs/howto.md docs/rse.md );


# each directive has an example

my $directives = Msgbus::Documented::document('docs/directives.md');

while ($directives =~ /^### (msgbus\w*)\n(.*?)(?=^##|\z)/gms) {
    my ($name, $section) = ($1, $2);

    like($section, qr/^```nginx\n(?:(?!^```).)*\b$name\b/ms,
         "docs/directives.md: $name has an example");
}

done_testing;
