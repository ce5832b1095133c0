# Readers of several channels get what a plain merge of them has, in a million
# random steps: lists that overlap as they please, events that expire and are
# evicted meanwhile, cursors of all ages, both orders, hidden posters, cuts; each
# event once, in order, and a gap exactly when one is due.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/unit";

use Test::More;

use Unit;


plan skip_all => Unit->lacks if Unit->lacks;

my $steps = $ENV{UNIT_STEPS} || 1_000_000;

# the sanitizers have all of it in the log's own model

my $program = Unit->new('many_model')
    ->compile([qw( number channel filing keyed log many show undo view ),
               qw( log_model check_log unit )], [qw( -g -O2 )])
    ->link('-Wl,--wrap=clock_gettime');

my $run = $program->run($steps, 'many');
my $said = $run->{said};

note($run->{text});

if (!ok($run->{ok}, 'readers get what a plain merge has')) {
    done_testing;
    exit;
}

is($said->{steps}, $steps, 'all steps are done');
is($said->{'reads of several'}, $said->{reads}, 'all ask for several');

my @corners = (
    'reads of several'         => 'they read',
    'of those in order'        => 'pages have some events, in order',
    'lists left out'           => 'lists cover each other',
    'gaps'                     => 'gaps are told',
    'reads in several holds'   => 'a page takes more than one hold',
    'lost between holds'       => 'what a page was to show leaves meanwhile',
    'pages cut'                => 'pages are cut by their limits',
    'empty reads'              => 'pages have nothing to show',
    'expired'                  => 'events leave by age',
    'pressed'                  => 'events leave where room is needed',
    'nodes recycled'           => 'places go from one channel to another',
);

while (my ($name, $title) = splice @corners, 0, 2) {
    cmp_ok($said->{$name}, '>', $steps / 100_000, $title);
}

done_testing;
