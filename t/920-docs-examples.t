# Every example in the documents runs, and answers what the document says.
#
# t/lib/Msgbus/Examples.pm says how examples are written there, and what is
# made equal.  Those of docs/tutorial.md are run by t/925-docs-tutorial.t, and
# those that need a database by t/660-docs-mongodb.t and t/661-docs-hosts.t.

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

my @pages = qw( README.md docs/directives.md docs/howto.md docs/http-api.md
                docs/install.md docs/rse.md docs/security.md );

$examples->document($_) for @pages;

# which restarts and upgrades nginx

Msgbus::Examples->new(daemon => 1)->document('docs/operations.md',
    sub { return !Msgbus::Documented::with_database($_[0]) });


# and no other page has some that nobody runs

my %run = map { $_ => 1 } @pages, 'docs/mongodb.md', 'docs/operations.md',
                          'docs/tutorial.md';

for my $page (glob '*.md docs/*.md docs/*/*.md') {
    next if $run{$page};

    ok(Msgbus::Documented::document($page) !~ /^```sh$/m,
       "$page: has no command that is not run");
}


# each directive has an example

my $directives = Msgbus::Documented::document('docs/directives.md');

while ($directives =~ /^### (msgbus\w*)\n(.*?)(?=^##|\z)/gms) {
    my ($name, $section) = ($1, $2);

    like($section, qr/^```nginx\n(?:(?!^```).)*\b$name\b/ms,
         "docs/directives.md: $name has an example");
}

done_testing;
