# The soak, which "make soak" runs for hours, finds nothing wrong with a bus that
# is killed and reloaded; and it finds what is broken on purpose: events that the
# journal has lost, that came twice, or to nobody, a worker that died by itself.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Soak;
use Msgbus::Soak::Watch;


Msgbus::Nginx->limit(120);

my $soak;

sub soak {
    my (%o) = @_;

    my (@said, %kinds);

    $soak = Msgbus::Soak->new(
        buses => [qw(memory disk)], scale => 0.3, rate => 3, pause => 0.3,
        age => 0.5, ping => '200ms', lag => 0.1, each => 10, only => [],
        enough => \&enough,
        say => sub { push @said, $_[0] }, %o,
    );

    $kinds{$_->[0]} = 1 for $soak->run;
    $soak->{said} = join "\n", @said;
    note($soak->{said});

    return join ' ', sort keys %kinds;
}


# each bus has got events, and what shall befall it has

sub enough {
    return ($soak->{faults} || !@{ $soak->{only} })
           && !grep { $_->{judge}{acknowledged} < 30 } @{ $soak->{laws} };
}


is(soak(seconds => 0.5, only => [qw(reload killed crash rotate)]), '',
   'a bus that is killed and reloaded is in order');
like($soak->{said}, qr/^faults: .*\d (?:reload|killed|crash|rotate)/m,
     '    and things have befallen it');

for my $law (@{ $soak->{laws} }) {
    my $judge = $law->{judge};

    cmp_ok($judge->{acknowledged}, '>=', 30, "    $law->{name} has events");
    cmp_ok($judge->{seen}, '>', $judge->{acknowledged}, '    seen by many');
    is($law->{settled}, $judge->{acknowledged}, '    each was settled');
    is(scalar keys %{ $judge->{stored} }, 0, '    and forgotten');
}


# --- what is broken on purpose

# Somebody takes the journal away while nginx is down.

like(soak(seconds => 0.5, buses => ['disk'], only => ['crash'], between => sub {
    unlink glob "$soak->{nginx}{dir}/journal/*";
}), qr/\bonce\b|\bgap\b|\btime\b/, 'a journal that is lost is found');


# What a subscriber tells is changed, one record of one.

my %forge = (
    once  => [seen => 'an event that did not come', sub { }],
    twice => [seen => 'an event that came again, under another id',
              sub { ([@_], [@_[0 .. 2], $_[3] + 1, @_[4 .. 6]]) }],
    same  => [seen => 'an event that came with other bytes',
              sub { [@_[0 .. 5], 'other'] }],
    gap   => [answer => 'a gap where nothing was dropped',
              sub { [@_[0 .. 6], 'gap'] }],
);

my @what = sort keys %forge;
my $take = \&Msgbus::Judge::take;

{
    my %done;

    no warnings 'redefine';
    local *Msgbus::Judge::take = sub {
        my ($judge, @record) = @_;

        # each one has a reader of its own

        my ($law) = grep { !$done{$_} && $record[1] eq $forge{$_}[0]
                           && !$done{$record[0]} } @what;

        if ($record[0] !~ /^reader/ || !$law) {
            return $take->($judge, @record);
        }

        $done{$law} = $done{$record[0]} = 1;
        $take->($judge, @$_) for $forge{$law}[2]->(@record);
    };

    my $killed;

    my $found = soak(seconds => 0.5, buses => ['memory'], meanwhile => sub {

        # nor is a worker killed by the soak

        $killed ||= kill VTALRM => ($soak->{nginx}->worker_pids)[0];
    });

    like($found, qr/\b$_\b/, "$forge{$_}[1] is found") for @what;
    like($found, qr/\bexit\b/, 'a worker that died by itself is found');
}


# --- what grows

my %found;
my $watch = Msgbus::Soak::Watch->new(nginx => $soak->{nginx}, warm => 60,
                                     breach => sub { $found{$_[0]} .= $_[1] });

# a process that is so old, seconds; KiB, with some noise; descriptors

sub aged {
    my ($name, $age, $memory, $descriptors) = @_;

    my @at = map { 5 * $_ } 0 .. $age / 5;

    $watch->{series}{$name} = {
        memory => [map { [$_, $memory->($_) + 300 * sin $_] } @at],
        descriptors => [map { [$_, $descriptors->($_)] } @at],
    };

    %found = ();
    $watch->growth;

    return join ' ', sort keys %found;
}

is(aged('worker 1', 3600, sub { 9000 }, sub { 300 + 20 * sin $_[0] / 100 }), '',
   'one that does not grow is in order');
is(aged('worker 2', 3600, sub { 9000 + 40 * ($_[0] < 50 ? $_[0] : 50) },
        sub { 300 }), '', 'nor is one that grows at the beginning');
is(aged('worker 3', 3600, sub { 9000 + $_[0] }, sub { 300 }), 'memory',
   'one whose memory grows by a KiB a second is found');
is(aged('worker 4', 3600, sub { 9000 }, sub { 300 + $_[0] / 30 }), 'descriptors',
   'one whose descriptors grow by two a minute is found');
is(aged('worker 5', 120, sub { 9000 + 100 * $_[0] }, sub { 300 }), '',
   'of one that lived for two minutes nothing is said');

done_testing;
