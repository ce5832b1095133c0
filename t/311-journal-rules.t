# Each rule by which a journal keeps what was acknowledged is needed: without
# it, the test of t/310-journal-crash.t sees something lost.
#
# The rules are those of ngx_msgbus_journal_rule.h; a build for the test leaves
# out one at a time.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/unit";

use Test::More;

use Unit;


plan skip_all => Unit->lacks if Unit->lacks;

my ($header) = glob "$FindBin::Bin/../src/*/ngx_msgbus_journal_rule.h";

my %rules;

open my $in, '<', $header or die "$header: $!\n";

while (<$in>) {
    $rules{$2} = $3 if m{^#define NGX_MSGBUS_RULE_(\w+)\s+(\d+)\s+/\*\s+(.*?)\s+\*/$};
}

close $in;

cmp_ok(scalar keys %rules, '>=', 20, 'these are the rules');

my @flags = (@Unit::MODULE, '-DNGX_MSGBUS_JOURNAL_RULES=1');

my @rooms = map { "journal_$_" } qw( crc disk enter error find floor format
                                     index keep key known mark move read recover segment
                                     write );

my $program = Unit->new('journal_rules')
    ->compile([@rooms, qw( journal_crash journal_sim undo unit )], \@flags)
    ->link;

die "not compiled\n" if $program->{failed};

# two at a time

my @numbers = sort { $a <=> $b } keys %rules;

while (my @pair = splice @numbers, 0, 2) {
    my @pids = map {
        my $pipe;
        open $pipe, '-|', "$program->{path} 2000000 $_ 2>&1" or die "$!\n";
        [$_, $pipe];
    } @pair;

    for (@pids) {
        my ($rule, $pipe) = @$_;
        my $said = do { local $/; <$pipe> };

        close $pipe;

        my ($what) = $said =~ /^SEED=(.*)$/m;

        ok($? && defined $what, "missed when left out: $rules{$rule}")
            or diag($said);
        note($what) if defined $what;
    }
}

done_testing;
