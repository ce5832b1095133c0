# The alert rules in contrib/ are what promtool takes, each fires when it shall
# and not beside it, by promtool's unit tests, and each has a section in the
# documents that says how to mend it.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Cwd qw( abs_path );
use File::Temp ();
use Test::More;

use Msgbus::Prometheus;


my $root = abs_path("$FindBin::Bin/..");
my $folder = "$root/contrib/prometheus";

plan skip_all => 'promtool is not there: install prometheus'
    if !grep { -x "$_/promtool" } split /:/, $ENV{PATH};

for my $arguments ("check rules $folder/msgbus.rules.yml",
                   "check config $folder/prometheus.yml",
                   "test rules $folder/msgbus.rules.test.yml")
{
    my $said = Msgbus::Prometheus::promtool(split ' ', $arguments);
    my ($name) = $arguments =~ m{^(.*?) .*/.*\z};

    is($?, 0, "promtool $name") or diag($said);
    like($said, qr/SUCCESS/, '    and it has looked');
}

my $docs = Msgbus::Nginx::slurp("$root/docs/operations.md");
my $tests = Msgbus::Nginx::slurp("$folder/msgbus.rules.test.yml");
my @alerts = Msgbus::Prometheus::alerts();

for (@alerts) {
    my ($name, $text) = @$_;
    my ($severity) = $text =~ /^ +severity: (\w+)$/m;
    my ($section) = $docs =~ /^### \Q$name\E\n\n(.*?)(?=^#)/ms;

    $severity //= '';

    ok(scalar((() = $text =~ /^ +(?:summary|description): ./mg) == 2),
       "$name has a summary and a description");
    like($severity, qr/^(?:critical|warning|info)\z/, '    a severity');
    like($text, qr{^ +runbook: docs/operations\.md#\L$name\E$}m, '    a link');
    like($section // '', qr/^\*$severity\.\*/,
         '    to a section that has the severity, too');
    like($tests, qr/alertname="$name"/, '    and a test in which it fires');
}

my %named = map { $_->[0] => 1 } @alerts;

is(join(' ', grep { !$named{$_} } $docs =~ /^### (Msgbus\w+)$/mg), '',
   'no section is about an alert that is not there');


# --- the tests would find a rule that does not fire, and one that always does

my $dir = File::Temp->newdir;
my $rules = Msgbus::Nginx::slurp("$folder/msgbus.rules.yml");

sub spoil {
    my ($rules) = @_;

    for (['msgbus.rules.yml', $rules], ['msgbus.rules.test.yml', $tests]) {
        open my $out, '>', "$dir/$_->[0]" or die "$_->[0]: $!\n";
        print $out $_->[1];
        close $out;
    }

    return Msgbus::Prometheus::promtool('test', 'rules',
                                        "$dir/msgbus.rules.test.yml");
}

my $said = spoil($rules =~ s/^( +expr:) .*\n(?: {10,}.*\n)*/$1 vector(1) > 2\n/mgr);
my %missed = map { $_ => 1 } $said =~ /alertname="(\w+)"/g;

is(join(' ', sort keys %missed), join(' ', sort keys %named),
   'each rule that does not fire is found');

$said = spoil($rules =~ s/^( +expr:) (.*\n(?: {10,}.*\n)*)/$1 vector(1)\n/mgr);

like($said, qr/FAILED/, 'rules that always fire are found');

done_testing;
