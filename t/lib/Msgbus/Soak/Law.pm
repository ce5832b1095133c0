package Msgbus::Soak::Law;

# Msgbus::Law for hours: the same posters and pollers, more kinds of readers, and
# the same judge, who is shown the records while they are written, and forgets
# what is settled.  So neither memory nor files grow.
#
#     my $law = Msgbus::Soak::Law->new(name => 'disk', nginx => $nginx,
#                                      dir => $dir, posters => 4, keyed => 2,
#                                      pollers => 2, readers => [...], rate => 10);
#     $law->begin;
#     $law->look;                    # each second or so
#     $law->pause; $law->go_on;      # posters
#     $law->end;
#     $law->{judge}{broken}
#
# "readers" are processes, each an array of readers that it has at once: [form,
# address, channel]; form is sse, ndjson or wait, channel a number, or "*" for
# all.  "keyed" of the posters retry each event with an Idempotency-Key until it
# is acknowledged.  "past" processes read history.

use strict;
use warnings;

our @ISA = ('Msgbus::Law');

use POSIX qw(WNOHANG);
use Time::HiRes qw(sleep);

use Msgbus::Client;
use Msgbus::Judge;
use Msgbus::Law;
use Msgbus::Soak::Readers;


# a record's file is followed by another at this size, and records come out at
# least each so many seconds

my $file_size = 1 << 20;
my $flush = 0.3;

# what is acknowledged is settled when it is so old, seconds: no request lasts
# that long

my $age = 60;


sub now { return Msgbus::Client::now() }


sub new {
    my ($class, %o) = @_;

    my $self = $class->SUPER::new(keyed => 0, past => 0, guests => 0,
                                  readers => [], age => $age, breach => sub { },
                                  may => sub { 0 }, %o);

    $self->{judge} = Msgbus::Judge->new(
        channel_of => sub { return $self->channel_of(@_) },
        settled    => sub { $self->settled(@_) },
        breach     => $self->{breach},
        may        => $self->{may},
    );

    # what every process has written so far

    $self->{files} = {};

    return $self;
}


sub begin {
    my ($self) = @_;

    $self->{told} = 0;
    $self->SUPER::begin;

    my $n = 0;

    for (@{ $self->{readers} }) {
        push @{ $self->{reading} },
             $self->child('follower.' . ++$n, \&Msgbus::Soak::Readers::follow,
                          $_);
    }

    push @{ $self->{reading} },
         map { $self->child("past.$_", \&Msgbus::Soak::Readers::past, $_) }
         1 .. $self->{past};
    push @{ $self->{reading} },
         map { $self->child("guest.$_", \&Msgbus::Soak::Readers::guests, $_) }
         1 .. $self->{guests};

    return $self;
}


# --- a process that writes records

sub child {
    my ($self, $name, $what, $number) = @_;

    my $parent = $$;

    if ($name =~ /^poster\.(\d+)/ && $1 <= $self->{keyed}) {
        $what = \&retry;
    }

    my $out = Msgbus::Soak::Records->new("$self->{dir}/$self->{name}.$name");
    my $pid = fork // die "cannot fork: $!\n";

    if ($pid) {
        $self->{files}{$name} = { pid => $pid, n => 0, left => '',
                                  at => now() };
        $self->{children}{$pid} = $name;

        return $pid;
    }

    $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP ALRM);

    my $paused = 0;
    my $lines = 0;

    local $SIG{USR1} = sub { $self->{told} = 1 };
    local $SIG{USR2} = sub { $paused = !$paused };

    srand(($self->{seed} // time) + $number * 7919) if !ref $number;

    # an orphan goes home

    my $is_over = sub {
        POSIX::_exit(1) if getppid() != $parent;

        if ($paused && !$self->{told}) {
            $out->tell($name, 'paused');
            $out->flush;
            sleep 0.05 while $paused && !$self->{told}
                             && getppid() == $parent;
            $out->tell($name, 'goes on');
        }

        if ($out->is_due) {
            $out->tell($name, 'tick');
            $out->flush;
        }

        return $self->{told};
    };

    # a process may be several readers
    $self->{tell_as} = sub { $out->tell(@_) };

    eval {
        $what->($self, $number, sub { $out->tell($name, @_) }, $is_over);
        1;
    } or $out->tell($name, 'broken', $@ =~ s/\s+/ /gr);

    $out->tell($name, 'end');
    $out->flush;
    POSIX::_exit(0);
}


# A poster that sends each event with a key, until it is acknowledged.

sub retry {
    my ($self, $p, $tell, $is_over) = @_;

    my $client = Msgbus::Client->new(to => $self->{to}[0],
                                     agent => "keyed/1.0 uuid/poster-$p");
    my $began = now();

    for (my $n = 1; !$is_over->(); $n++) {
        my $t0 = now();

        for ( ;; ) {
            my $r = $client->post($self->channel_of($p, $n),
                                  Msgbus::Law::payload($p, $n),
                                  'Idempotency-Key' =>
                                      qq("$self->{name} $began $p $n"));

            if ($r->status == 201) {
                $tell->('stored', $p, $n, $r->id // 'none', $t0, now());
                last;
            }

            $tell->('hung', $r->error) if ($r->failure // '') eq 'timeout';
            $tell->('broken', $r->error) if ($r->failure // '') eq 'garbage';
            $tell->('again', $r->status || $r->failure);

            if ($r->status && $r->status != 503 && $r->status != 409) {
                $tell->('broken', "$p/$n: $r->{head}$r->{body}"
                                  =~ s/\s+/ /gr);
                last;
            }

            # in the end it may not know what became of it

            return if $is_over->();

            sleep rand 0.3;
        }

        my $early = $began + $n / $self->{rate} - now();

        if ($early > 0) {
            sleep $early;

        } elsif ($early < -1) {

            # what was missed is not made good
            $began -= $early;
        }
    }

    return;
}


# --- the judge's part

# Reads what has come.  Returns how many records.

sub look {
    my ($self) = @_;

    my $judge = $self->{judge};
    my $n = 0;

    for my $name (sort keys %{ $self->{files} }) {
        my $file = $self->{files}{$name};

        for my $line ($self->lines($name, $file)) {
            my ($time, $who, $what, @v) = split /\t/, $line;

            $judge->{now} = $time;
            $judge->take($who, $what, @v);

            $file->{at} = $time;
            $file->{what} = $what;
            $self->{counts}{$what}++;
            $n++;
        }

        $judge->{now} = now();

        if (!$file->{ended} && waitpid($file->{pid}, WNOHANG) == $file->{pid}) {
            $file->{ended} = 1;
            delete $self->{children}{ $file->{pid} };
            push @{ $self->{dead} }, [$name, $?];
        }
    }

    return $n;
}


sub lines {
    my ($self, $name, $file) = @_;

    my $path = "$self->{dir}/$self->{name}.$name";
    my $bytes = $file->{left};

    for ( ;; ) {
        if (!$file->{in}) {
            open my $in, '<', "$path.$file->{n}" or last;
            $file->{in} = $in;
        }

        # the next one is looked for first: then this one is whole

        my $next = -e "$path." . ($file->{n} + 1);

        while (sysread $file->{in}, $bytes, 1 << 18, length $bytes) { }

        last if !$next;

        close delete $file->{in};
        unlink "$path." . $file->{n}++;
    }

    $file->{left} = substr $bytes, 1 + rindex($bytes, "\n"), length $bytes, '';

    return split /\n/, $bytes;
}


# Settles what can be settled.  Returns how many events are left.

sub settle {
    my ($self, $age) = @_;

    my $now = now();
    my $time = $now - ($age // $self->{age});

    # who has told nothing for a while may have seen what it has not told
    for (grep { !$_->{ended} } values %{ $self->{files} }) {
        $time = $_->{at} if $_->{at} < $time;
    }

    return $self->{judge}->retire($time, $now);
}


# Of a settled event: readers of history look for it later.

sub settled {
    my ($self, $channel, $id, $t1) = @_;

    $self->{settled}++;

    return if !$self->{past};

    my $file = "$self->{dir}/$self->{name}.ids" . $channel =~ s/.*\///r;
    my $out = $self->{ids}{$file};

    if (!$out) {
        open $out, '>>', $file or die "$file: $!\n";
        $out->autoflush;
        $self->{ids}{$file} = $out;
    }

    printf $out "%020d %020.6f\n", $id, $t1;

    return;
}


# Who has told nothing for so long, or ended.

sub silent {
    my ($self, $seconds) = @_;

    my $now = now();

    return map { [$_, $self->{files}{$_}{ended} ? 'it has ended'
                      : sprintf 'nothing for %d s',
                                $now - $self->{files}{$_}{at}] }
           grep { !$self->{files}{$_}{silent}
                  && ($self->{files}{$_}{ended}
                      || $now - $self->{files}{$_}{at} > $seconds)
                  && ++$self->{files}{$_}{silent} } sort keys %{ $self->{files} };
}


# Posters stand still: comes back when none has a request under way.

sub pause {
    my ($self) = @_;

    kill USR2 => @{ $self->{posting} };

    my @names = grep { /^poster/ } keys %{ $self->{files} };

    $self->{nginx}->until(60, 'posters to pause', sub {
        $self->look;
        return !grep { ($self->{files}{$_}{what} // '') ne 'paused'
                       && !$self->{files}{$_}{ended} } @names;
    });

    return;
}


sub go_on {
    my ($self) = @_;

    kill USR2 => @{ $self->{posting} };

    return;
}


sub rest {
    my ($self) = @_;

    $self->{over} = 1;
    kill USR1 => @{ $self->{posting} };

    return;
}


# Posters end, readers get what is left, and it is settled.

sub end {
    my ($self) = @_;

    $self->rest;

    my $end = sub {
        my ($pids, $what) = @_;
        my %of = map { $_ => 1 } @$pids;

        kill USR1 => @$pids;

        my $done = eval {
            $self->{nginx}->until(60, "the end of $what", sub {
                sleep 0.05;
                $self->look;
                return !grep { $of{$_} } keys %{ $self->{children} };
            });
        };

        return if $done;

        my @late = map { $self->{children}{$_} }
                   grep { $of{$_} } keys %{ $self->{children} };

        kill KILL => grep { $of{$_} } keys %{ $self->{children} };
        $self->{judge}->broken(ended => "$self->{name}: @late did not end")
            if @late;
    };

    $end->($self->{posting}, 'posters');

    eval {
        $self->{nginx}->until(60, 'the last events to be seen', sub {
            sleep 0.1;
            $self->look;
            return !$self->settle(0) && !%{ $self->{judge}{stored} };
        });
        1;
    } or $self->{judge}->broken(once => "$self->{name}: some reader has not "
             . 'got as far as the last event: '
             . join ', ', map { "$_->[0]/$_->[1] id $_->[2]" }
                          values %{ $self->{judge}{stored} });

    $end->($self->{reading}, 'readers');
    $self->look;

    return $self;
}


package Msgbus::Soak::Records;

# Lines into a file, and into another when it is full.

sub new {
    my ($class, $path) = @_;

    return bless { path => $path, n => 0, size => 0, lines => '',
                   due => 0 }, $class;
}


sub tell {
    my ($self, @words) = @_;

    $self->{lines} .= join("\t", Msgbus::Client::now(),
                           map { s/[\t\n\r]/ /gr } @words) . "\n";

    return;
}


sub is_due { return Msgbus::Client::now() >= $_[0]{due} }


sub flush {
    my ($self) = @_;

    if (!$self->{out} || $self->{size} > $file_size) {
        $self->{n}++ if $self->{out};
        open $self->{out}, '>', "$self->{path}.$self->{n}"
            or die "$self->{path}.$self->{n}: $!\n";
        $self->{size} = 0;
    }

    # whole lines in a write: a reader may be in the middle of nothing

    my $n = syswrite $self->{out}, $self->{lines};

    die "$self->{path}.$self->{n}: $!\n" if ($n // -1) != length $self->{lines};

    $self->{size} += $n;
    $self->{lines} = '';
    $self->{due} = Msgbus::Client::now() + $flush;

    return;
}


1;
