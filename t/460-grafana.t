# The dashboard in contrib/ and the alert rules ask for metrics that the server
# has, and the dashboard shows all of those; Prometheus takes each expression;
# each panel says what it shows, and none lies upon another.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp ();
use JSON::PP;
use Test::More;

use Msgbus::Fake;
use Msgbus::Prometheus;


plan skip_all => 'promtool is not there: install prometheus'
    if !grep { -x "$_/promtool" } split /:/, $ENV{PATH};

Msgbus::Nginx->limit(60);

my $folder = "$FindBin::Bin/../contrib";


# --- what the server has

my $fake = Msgbus::Fake->new->start;
my $nginx = $fake->node(location => 'location / { msgbus bus; }
                                     location = /metrics { msgbus_status; }');

$nginx->{http} .= "\nmsgbus_journal disk { path journal; segment 64k; }"
                  . "\nmsgbus_zone zone=files:256k store=disk;";

$nginx->start;
$fake->wait_until_up($nginx);

my $text = $nginx->client->get('/metrics?format=prometheus')->body;
my %type = $text =~ /^# TYPE (\w+) (\w+)$/mg;
my (%has, %labels);

for my $name (keys %type) {
    $has{$_} = $name for $type{$name} eq 'histogram'
                         ? map { "${name}_$_" } qw( bucket sum count ) : $name;
}

$labels{$_} = 1 for $text =~ /[{,](\w+)=/g, qw( job instance alertname alertstate );

cmp_ok(scalar keys %type, '>', 30, 'the server has metrics');

# names of metrics in an expression, without what is quoted

sub metrics {
    my ($expression) = @_;

    $expression =~ s/"[^"]*"//g;

    return grep { !/^msgbus-/ } $expression =~ /\b(msgbus_\w+)/g;
}


# --- the rules

my %used;

for (Msgbus::Prometheus::alerts()) {
    my ($name, $rule) = @$_;

    $rule =~ s/^ +annotations:.*//ms;

    my @metrics = metrics($rule);
    my ($by) = join ',', $rule =~ /\b(?:by|on) \(([^)]*)\)/g;

    is(join(' ', grep { !$has{$_} } @metrics), '',
       "$name asks for what the server has");
    is(join(' ', grep { !$labels{$_} } ($by // '') =~ /\w+/g), '',
       '    and for labels that there are');
    @used{map { $has{$_} // '' } @metrics} = ();
}


# --- the dashboard

my $board = decode_json(Msgbus::Nginx::slurp("$folder/grafana/msgbus.json"));
my @panels = grep { $_->{type} ne 'row' } @{ $board->{panels} };
my %variable = map { $_->{name} => $_ } @{ $board->{templating}{list} };
my (%ids, %titles, @cells, @expressions);

ok($board->{title} && $board->{uid} && $board->{schemaVersion},
   'the dashboard has a title, an id and a version of its form');
is(join(' ', sort keys %variable), 'datasource instance job zone',
   '    and variables for what is chosen');

for my $panel (@{ $board->{panels} }) {
    my $title = $panel->{title};
    my $at = $panel->{gridPos};
    my @taken;

    for my $x ($at->{x} .. $at->{x} + $at->{w} - 1) {
        for my $y ($at->{y} .. $at->{y} + $at->{h} - 1) {
            push @taken, "$x,$y" if $cells[$x][$y]++ || $x > 23;
        }
    }

    is(join(' ', @taken), '', "\"$title\" lies upon nothing else");
    ok(!$ids{ $panel->{id} }++ && !$titles{$title}++, '    is named once');

    next if $panel->{type} eq 'row';

    ok($panel->{description}, '    is described');
    ok($panel->{fieldConfig}{defaults}{unit}, '    has a unit');
    is(join(' ', grep { $_ ne '${datasource}' }
                 map { $_->{datasource}{uid} } $panel, @{ $panel->{targets} }),
       '', '    asks the source that is chosen');

    for my $target (@{ $panel->{targets} }) {
        push @expressions, [$title, $target->{expr}];

        my @left = grep { !/job=~"\$job", instance=~"\$instance"/ }
                   $target->{expr} =~ /\bmsgbus_\w+(\{[^}]*\}|)/g;

        is(join(' ', @left), '', '    for the nodes that are chosen');

        my ($by) = $target->{expr} =~ /\bby \(([^)]*)\)/;
        my @known = defined $by ? $by =~ /\w+/g : sort keys %labels;

        for my $label ($target->{legendFormat} =~ /\{\{(\w+)\}\}/g) {
            ok(scalar(grep { $_ eq $label } @known),
               "    and its legend can have \"$label\"");
        }
    }
}

push @expressions, map { [$_->{name}, $_->{expr}] }
                   grep { $_->{expr} } @{ $board->{annotations}{list} };

for (@expressions) {
    my ($title, $expression) = @$_;
    my @metrics = metrics($expression);

    is(join(' ', grep { !$has{$_} } @metrics), '',
       "\"$title\" shows what the server has");
    @used{map { $has{$_} // '' } @metrics} = ();
}

for my $name (qw( job instance zone )) {
    my $query = $variable{$name}{query}{query};

    is(join(' ', grep { !$has{$_} } metrics($query)), '',
       "the choice of \"$name\" is from what the server has");
}

is(join(' ', grep { !exists $used{$_} } sort keys %type), '',
   'each metric of the server is shown or watched');


# --- by Prometheus' own parser

my $file = File::Temp->new(SUFFIX => '.yml');
my $n = 0;

print $file "groups:\n  - name: dashboard\n    rules:\n";

for (@expressions) {
    my $expression = $_->[1];

    $expression =~ s/\$__(?:rate_)?interval/1m/g;
    $expression =~ s/\$\w+/.+/g;

    print $file '      - record: expression_', ++$n, "\n        expr: ",
                JSON::PP->new->allow_nonref->encode($expression), "\n";
}

close $file;

my $said = Msgbus::Prometheus::promtool('check', 'rules', $file->filename);

is($?, 0, 'Prometheus takes each expression') or diag($said);
like($said, qr/\b$n rules found/, '    all of them');

$nginx->quit;

done_testing;
