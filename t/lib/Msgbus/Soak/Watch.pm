package Msgbus::Soak::Watch;

# What is watched of an nginx that runs for hours: memory and descriptors of each
# of its processes, its folder of a journal, its error log.
#
#     my $watch = Msgbus::Soak::Watch->new(nginx => $nginx, breach => sub {...});
#     $watch->killed($pid);          # by us, now or soon
#     $watch->allow(30, qr/.../);    # lines of the log, for so many seconds
#     $watch->sample;                # each few seconds
#     $watch->rotate;
#     $watch->growth                 # what has grown: a table
#
# Growth is the slope of a line through all samples but those of the warm-up, and
# not the last one less the first.

use strict;
use warnings;

use List::Util qw(max min sum);

use Msgbus::Nginx;


# Of a series that lasted so many seconds or more, this is too much: so much of
# its mean, and so much, and on a line rather than here and there.

my %too_much = (
    memory      => { share => 0.15, least => 3072, unit => 'KiB' },
    descriptors => { share => 0.15, least => 20,   unit => '' },
);

my $straight = 0.6;
my $points = 1000;

# what is no breach whenever it is said

my @always = (qr/shared memory zone "\w+" was locked by \d+/);


sub now { return Msgbus::Client::now() }


# breach: is called with "log", "memory", ... and a sentence; least: seconds from
# which on a series says anything; warm: how much of it is warm-up.  A worker
# keeps windows of the last eight files of a journal that it has read, which it
# has after some minutes.

sub new {
    my ($class, %o) = @_;

    # all of it, to look into afterwards: seconds, what, pid, KiB, descriptors

    open my $out, '>', "$o{nginx}{dir}/watch.tsv"
        or die "$o{nginx}{dir}/watch.tsv: $!\n";
    $out->autoflush;

    return bless {
        out => $out, breach => sub { }, least => 420, warm => 300, began => now(), %o,
        series => {}, killed => {}, allowed => [], logs => [], most => {},
        rotated => 0, lines => 0,
    }, $class;
}


sub killed {
    my ($self, @pids) = @_;

    $self->{killed}{$_} = now() for @pids;

    return;
}


sub allow {
    my ($self, $seconds, @lines) = @_;

    push @{ $self->{allowed} }, map { [now() + $seconds, $_] } @lines;

    return;
}


# --- processes

sub sample {
    my ($self) = @_;

    my $nginx = $self->{nginx};
    my $master = $nginx->{pid} or return;
    my $now = now();
    my %alive = map { $_ => 'worker' } $nginx->worker_pids;

    $alive{$master} = 'master';

    my (%memory, %descriptors);

    for my $pid (keys %alive) {
        my $memory = eval { $nginx->memory($pid, 'RssAnon') } // next;
        my $descriptors = () = glob "/proc/$pid/fd/*";

        if ($self->{out}) {
            print { $self->{out} } join("\t", sprintf('%.0f', $now),
                                        $alive{$pid}, $pid, $memory,
                                        $descriptors), "\n";
        }

        $self->add("$alive{$pid} $pid", memory => $memory);
        $self->add("$alive{$pid} $pid", descriptors => $descriptors);

        # young ones are small
        next if $now - $self->{series}{"$alive{$pid} $pid"}{born} < 30;

        push @{ $memory{$alive{$pid}} }, $memory;
        push @{ $descriptors{$alive{$pid}} }, $descriptors;
    }

    # over all that came one after the other

    for my $kind (keys %memory) {
        $self->add("each $kind", memory => max @{ $memory{$kind} });
        $self->add("each $kind", descriptors => max @{ $descriptors{$kind} });
    }

    for my $name (keys %{ $self->{series} }) {
        my ($kind, $pid) = split ' ', $name;

        next if $kind eq 'each' || $alive{$pid};

        my $series = delete $self->{series}{$name};

        $self->judge($name, $series);
    }

    $self->journal if $self->{journal};
    $self->read_log;

    return;
}


sub add {
    my ($self, $name, $what, $value) = @_;

    my $series = $self->{series}{$name} //= { born => now() };
    my $list = $series->{$what} //= [];

    push @$list, [now(), $value];
    $self->{most}{"$what $name"} = $value
        if $name =~ /^each/ && $value > ($self->{most}{"$what $name"} // 0);

    # half of them is as good

    if (@$list > $points) {
        @$list = @$list[grep { $_ % 2 } 0 .. $#$list];
    }

    return;
}


# (slope a second, how straight it is from 0 to 1, the mean, how long)

sub fit {
    my (@points) = @_;

    return if @points < 10;

    my $n = @points;
    my $mx = sum(map { $_->[0] } @points) / $n;
    my $my = sum(map { $_->[1] } @points) / $n;
    my $xx = sum(map { ($_->[0] - $mx) ** 2 } @points);
    my $xy = sum(map { ($_->[0] - $mx) * ($_->[1] - $my) } @points);
    my $yy = sum(map { ($_->[1] - $my) ** 2 } @points);

    return if !$xx;

    return ($xy / $xx, $yy ? $xy ** 2 / $xx / $yy : 0, $my,
            $points[-1][0] - $points[0][0]);
}


sub judge {
    my ($self, $name, $series) = @_;

    for my $what (sort keys %too_much) {
        my $list = $series->{$what} or next;
        my $warm = $list->[0][0] + $self->{warm};
        my ($slope, $straight_as, $mean, $lasted) =
            fit(grep { $_->[0] > $warm } @$list) or next;

        next if $lasted < $self->{least};

        my $grown = $slope * $lasted;
        my $limit = $too_much{$what};
        my $row = { name => $name, what => $what, hourly => $slope * 3600,
                    straight => $straight_as, mean => $mean, lasted => $lasted,
                    most => max map { $_->[1] } @$list };

        push @{ $self->{rows} }, $row;

        if ($grown > $limit->{least} && $grown > $limit->{share} * $mean
            && $straight_as > $straight)
        {
            $row->{bad} = 1;
            $self->{breach}->($what => sprintf '%s: %s grew by %d%s in %d s, on '
                              . 'a line (r2 %.2f), from a mean of %d', $name,
                              $what, $grown, $limit->{unit} && " $limit->{unit}",
                              $lasted, $straight_as, $mean);
        }
    }

    return;
}


# At the end.  The rows: of those that came one after the other, and of the
# processes that lasted longest.

sub growth {
    my ($self) = @_;

    for my $name (sort keys %{ $self->{series} }) {
        $self->judge($name, delete $self->{series}{$name});
    }

    my @rows = sort { $b->{lasted} <=> $a->{lasted} } @{ $self->{rows} // [] };
    my %n;

    return grep { my ($kind) = split ' ', $_->{name};
                  $_->{bad} || $n{"$kind $_->{what}"}++ < 3 } @rows;
}


# --- the journal

sub journal {
    my ($self) = @_;

    my ($folder, $size) = @{ $self->{journal} };
    my $bytes = sum(0, map { (stat $_)[7] // 0 } glob "$folder/*.journal");

    $self->{most}{journal} = max($bytes, $self->{most}{journal} // 0);

    if ($bytes > $size && !$self->{told_of_journal}++) {
        $self->{breach}->(journal => "$folder has $bytes bytes, more than the "
                                     . "$size of its \"size\"");
    }

    return;
}


# --- the log

sub rotate {
    my ($self) = @_;

    my $nginx = $self->{nginx};
    my $log = "$nginx->{dir}/error.log";

    rename $log, "$log." . ++$self->{rotated};
    unlink "$log." . ($self->{rotated} - 5);
    kill USR1 => $nginx->{pid};

    $nginx->until(30, 'another error log', sub { return -e $log });

    return;
}


sub read_log {
    my ($self) = @_;

    my $log = "$self->{nginx}{dir}/error.log";
    my @logs = @{ $self->{logs} };
    my $inode = (stat $log)[1] // 0;

    if (!@logs || $logs[-1]{inode} != $inode) {
        if (open my $in, '<', $log) {
            push @logs, { in => $in, inode => (stat $in)[1], left => '' };
            shift @logs if @logs > 3;
        }
    }

    for my $from (@logs) {
        while (sysread $from->{in}, my $bytes, 1 << 18) {
            my @lines = split /\n/, $from->{left} . $bytes, -1;

            $from->{left} = pop @lines;
            $self->judge_line($_) for @lines;
        }
    }

    $self->{logs} = \@logs;

    return;
}


sub judge_line {
    my ($self, $line) = @_;

    $self->{lines}++;
    $self->{levels}{$1}++ if $line =~ /^\S+ \S+ \[(\w+)\]/;

    if ($line =~ /process (\d+) exited on signal (\d+)/) {
        return if $2 == 9 && $self->{killed}{$1};
        return $self->{breach}->(exit => $line);
    }

    return if $line !~ /^\S+ \S+ \[(?:alert|emerg|crit)\]/
           && $line !~ /\(core dumped\)|exited with (?:fatal )?code [1-9]/
           && $line !~ /(?:ERROR|WARNING): \w+Sanitizer|runtime error:/;

    my $now = now();

    @{ $self->{allowed} } = grep { $_->[0] > $now } @{ $self->{allowed} };

    return if grep { $line =~ $_ } @always, map { $_->[1] } @{ $self->{allowed} };

    return $self->{breach}->(log => $line);
}


1;
