package Msgbus::Soak::Faults;

# What befalls a bus in a soak: by lot, one after the other, and what lasts is
# healed after a while.  Calm times, in which no process of nginx is killed or
# replaced, let workers live long enough to be seen growing.
#
#     my $faults = Msgbus::Soak::Faults->new(soak => $soak);
#     $faults->go_on;                # each second or so
#     $faults->heal_all;
#     $faults->told                  # how often each was there

use strict;
use warnings;

use List::Util qw(max min sum);
use Time::HiRes qw(sleep);

use Msgbus::Nginx;


# name => [weight, of what, what is done]; of nginx: not in calm times; of the
# database: one at a time

my %faults = (
    reload    => [6, 'nginx', \&reload],
    killed    => [6, 'nginx', \&kill_worker],
    crash     => [3, 'nginx', \&crash],
    upgrade   => [1, 'nginx', \&upgrade],
    rotate    => [1, 'any', sub { $_[0]{soak}{watch}->rotate }],
    stall     => [4, 'base', \&stall],
    cut       => [6, 'base', \&cut],
    drop      => [2, 'base', \&drop],
    refuse    => [2, 'base', \&refuse],
    slow      => [2, 'base', \&slow],
    database  => [2, 'base', \&restart_database],
    postgres  => [1, 'base', \&restart_postgres],
);


sub now { return Msgbus::Client::now() }


sub new {
    my ($class, %o) = @_;

    my $soak = $o{soak};
    my $cycle = min 2100, $soak->{seconds} / 2;
    my %only = map { $_ => 1 } @{ $soak->{only} // [keys %faults] };

    delete $only{$_} for grep { $faults{$_}[1] eq 'base' && !$soak->{mongodb}
                                || $_ eq 'postgres'
                                && $soak->{mongodb}{kind} ne 'ferretdb' }
                         keys %faults;

    return bless {
        %o,
        cycle => $cycle,
        names => [sort grep { $only{$_} } keys %faults],
        next  => now() + min(10, $soak->{pause}),
        heals => [],
        trouble => now(),
        times => {},
    }, $class;
}


# The end of each cycle is calm, where there is time for it.

sub calm {
    my ($self) = @_;

    return 0 if $self->{cycle} < 60;
    my $at = now() - $self->{soak}{began};

    return $at - $self->{cycle} * int($at / $self->{cycle})
           > $self->{cycle} * 0.55;
}


sub go_on {
    my ($self) = @_;

    my $now = now();

    for my $heal (splice @{ $self->{heals} }) {
        if ($heal->[0] > $now) {
            push @{ $self->{heals} }, $heal;
            next;
        }

        eval { $heal->[1]->(); 1 } or $self->failed('healing', $@);
    }

    # up to when something may be out of order
    $self->{trouble} = $now if @{ $self->{heals} };

    return if $now < $self->{next};

    $self->{next} = $now + $self->{soak}{pause} * (0.3 + rand 1.4);


    my @names = grep { my $of = $faults{$_}[1];
                       !($of eq 'nginx' && $self->calm)
                       && !($of eq 'base' && @{ $self->{heals} }) }
                @{ $self->{names} } or return;

    my $lot = rand sum map { $faults{$_}[0] } @names;

    for my $name (@names) {
        next if ($lot -= $faults{$name}[0]) >= 0;

        $self->{times}{$name}++;
        $self->{soak}{faults}++;
        $self->{last} = $name;

        eval { $faults{$name}[2]->($self); 1 }
            or $self->failed($name, $@);

        $self->{trouble} = now();
        return;
    }

    return;
}


# A fault of the soak itself, or of a bus that was not there again in time.

sub failed {
    my ($self, $name, $why) = @_;

    return $self->{soak}->breach(fault => "$name: $why" =~ s/\s+\z//r);
}


sub later {
    my ($self, $seconds, $heal) = @_;

    push @{ $self->{heals} }, [now() + $seconds, $heal];

    return;
}


sub heal_all {
    my ($self) = @_;

    $_->[1]->() for splice @{ $self->{heals} };
    $self->{soak}{proxy}->tell('pass') if $self->{soak}{proxy};

    return;
}


sub told {
    my ($self) = @_;

    return join ', ', map { "$self->{times}{$_} $_" }
                      sort keys %{ $self->{times} };
}


# --- of nginx

sub reload {
    my ($self) = @_;

    $self->{soak}{nginx}->reload(wait => 0, within => 60);

    return;
}


sub kill_worker {
    my ($self) = @_;

    my $nginx = $self->{soak}{nginx};
    my @pids = $nginx->worker_pids or return;
    my $pid = $pids[rand @pids];

    $self->{soak}{watch}->killed($pid);
    $nginx->kill_worker($pid);

    return;
}


sub crash {
    my ($self) = @_;

    my $soak = $self->{soak};
    my $nginx = $soak->{nginx};

    $soak->{watch}->killed($nginx->child_pids);
    $soak->{watch}->allow(30, qr/Address already in use/,
                          qr/still could not bind/);

    my $lost = [now(), 9e99];
    my $port = $nginx->{port};

    push @{ $soak->{lost} }, $lost;
    $nginx->crash;
    $soak->{between}->() if $soak->{between};
    $nginx->start;

    die "nginx is at port $nginx->{port} instead of $port\n"
        if $nginx->{port} != $port;

    $lost->[1] = now() + 60;
    $soak->wait_until_up if !@{ $self->{heals} };

    return;
}


# Posters of the bus in memory stand still: it is two of them for a while.

sub upgrade {
    my ($self) = @_;

    my $soak = $self->{soak};
    my ($memory) = grep { $_->{name} eq 'memory' } @{ $soak->{laws} };

    $memory->pause if $memory;

    my $two = [now(), 9e99];
    my $lost = [now(), 9e99];

    push @{ $soak->{two} }, $two;
    push @{ $soak->{lost} }, $lost;
    $soak->{nginx}->upgrade(90);
    $lost->[1] = now() + 60;
    $two->[1] = now() + 3;
    $memory->go_on if $memory;

    return;
}


# --- of the database

sub stall {
    my ($self) = @_;

    my $mongodb = $self->{soak}{mongodb};

    $mongodb->stall;
    $self->later(0.3 + rand 6, sub { $mongodb->resume });

    return;
}


sub cut {
    my ($self) = @_;

    my $way = ('cut request', 'cut reply', 'lose request', 'lose reply',
               'late request')[rand 5];

    $self->{soak}{proxy}->tell($way, rand() < 0.7 ? 'insert' : 'find',
                               $way eq 'late request' ? 200 + int rand 1500
                               : int rand 300);

    return;
}


sub drop   { return $_[0]->by_proxy(0.5 + rand 5, 'drop') }
sub refuse { return $_[0]->by_proxy(0.5 + rand 5, 'refuse') }
sub slow   { return $_[0]->by_proxy(2 + rand 8, 'delay', 20 + int rand 100) }


sub by_proxy {
    my ($self, $seconds, @words) = @_;

    my $proxy = $self->{soak}{proxy};

    $proxy->tell(@words);
    $self->later($seconds, sub { $proxy->tell('pass') });

    return;
}


sub restart_database {
    my ($self) = @_;

    my $mongodb = $self->{soak}{mongodb};

    $mongodb->kill;
    $self->later(0.2 + rand 3, sub { $mongodb->start_server });

    return;
}


sub restart_postgres {
    my ($self) = @_;

    $self->{soak}{mongodb}->restart_postgres;

    return;
}


1;
