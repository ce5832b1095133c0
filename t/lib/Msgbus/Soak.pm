package Msgbus::Soak;

# A bus that runs for hours, with all that befalls one: buses in memory, in a
# journal and in a MongoDB, publishers, subscribers of each kind, and now and
# then a reload, a killed worker, a stalled database, and what else is in %faults.
# The law is judged all the time, and memory, descriptors, files and the log are
# watched.
#
#     my $soak = Msgbus::Soak->new(seconds => 7200, seed => 1);
#     $soak->run;                    # returns the breaches

use strict;
use warnings;

use List::Util qw(max min shuffle sum);
use POSIX ();
use Time::HiRes qw(sleep);

use Msgbus::Mongodb;
use Msgbus::Nginx;
use Msgbus::Proxy;
use Msgbus::Soak::Faults;
use Msgbus::Soak::Law;
use Msgbus::Soak::Watch;


# when nothing is wrong for so long, seconds, events have to be acknowledged

my $stuck = 20;

my $journal_size = 24 << 20;
my $segment = 1 << 20;

# what each bus has: [ttl, store, posters, keyed ones among them, events a second
# of each, readers of history, for how long the store surely has what is there]

my %buses = (
    memory => { zone => '16m ttl=120s', posters => 4, keyed => 0, rate => 11,
                past => 0, keeps => 0 },
    disk   => { zone => '8m ttl=1d store=journal', posters => 5, keyed => 2,
                rate => 9, past => 1, keeps => 240 },
    base   => { zone => '8m ttl=15m store=main', posters => 4, keyed => 2,
                rate => 6, past => 1, keeps => 600 },
);


sub now { return Msgbus::Client::now() }


# seconds; seed; buses: those of %buses that there are; scale, rate: of readers
# and posters, 1 is what hours have; pause: seconds from one fault to the next; each: seconds
# between lines of progress; age: seconds until an event is settled; only: those of the faults that happen; say: a function
# for lines.  For tests, which break something on purpose: meanwhile, a function
# that is called each second or so; enough, whether it may end; between, one that is called when all of
# nginx has been killed, before it starts again.

sub new {
    my ($class, %o) = @_;

    my $self = bless {
        seconds => 180,
        seed    => int(rand 1e6),
        buses   => [qw(memory disk base)],
        scale   => 1,
        rate    => 1,
        pause   => 8,
        ping    => '3s',
        lag     => 1.5,
        age     => 60,
        each    => 60,
        only    => undef,
        enough  => sub { 1 },
        say     => sub { print "$_[0]\n" },
        %o,
        breaches => [],
        told     => {},
    }, $class;

    # a retried request and a stalled store take their time
    $Msgbus::Client::TIMEOUT = 40 * $Msgbus::Nginx::PATIENCE;

    srand $self->{seed};

    return $self;
}


sub say {
    my ($self, $line) = @_;

    my $at = $self->{began} ? now() - $self->{began} : 0;

    return $self->{say}->(sprintf '%s +%02d:%02d:%02d %s',
                          POSIX::strftime('%H:%M:%S', localtime), $at / 3600,
                          $at / 60 % 60, $at % 60, $line);
}


# Of each kind the first ones are told, and all are counted.

sub breach {
    my ($self, $kind, $sentence) = @_;

    push @{ $self->{breaches} }, [$kind, $sentence]
        if @{ $self->{breaches} } < 1000;
    $self->{kinds}{$kind}++;
    $self->say("BREACH $kind: $sentence") if $self->{kinds}{$kind} <= 20;

    return;
}


# --- the bus

sub start {
    my ($self) = @_;

    my %has = map { $_ => 1 } @{ $self->{buses} };
    my $http = '';

    if ($has{base}) {
        $self->{mongodb} = Msgbus::Mongodb->new(own => 1)->start;
        $self->{proxy} = Msgbus::Proxy->new(to => $self->{mongodb}{port})->start;

        $http .= 'msgbus_mongodb main { uri "'
               . $self->{mongodb}->uri($self->{proxy}{port})
               . '"; database ' . $self->{mongodb}->database
               . '; connect_timeout 1s; timeout 2s; poll 200ms; }';
    }

    if ($has{disk}) {
        $http .= 'msgbus_journal journal { path journal; segment 1m;'
               . " size $journal_size; }\n";
    }

    $http .= join '', map { "msgbus_zone zone=$_:$buses{$_}{zone};\n" }
                      @{ $self->{buses} };

    my $location = join '', map { "location /$_/ { msgbus $_; }\n" }
                            @{ $self->{buses} };

    # the same without readers that are parked

    $self->{held} = Msgbus::Nginx::free_port();
    $http .= <<"END";
msgbus_require_uuid off;
msgbus_scope exact all;
msgbus_ping $self->{ping};
send_timeout 10s; client_header_timeout 5s; client_body_timeout 5s;
server { listen 127.0.0.1:$self->{held}; msgbus_park off; $location }
END

    my $nginx = $self->{nginx} = Msgbus::Nginx->new(
        workers     => 2,
        daemon      => 'on',
        connections => 4096,
        main        => 'worker_shutdown_timeout 6s; worker_rlimit_core 1g;
                        worker_rlimit_nofile 8192;',
        http        => $http,
        location    => $location,
    );

    # a core is kept where the rest is
    $nginx->{main} .= " working_directory $nginx->{dir};";

    $nginx->start;
    $self->wait_until_up;

    $self->{watch} = Msgbus::Soak::Watch->new(
        nginx   => $nginx,
        breach  => sub { $self->breach(@_) },
        journal => $has{disk} && ["$nginx->{dir}/journal",
                                  $journal_size + $segment],
    );

    return $nginx;
}


# The address of readers who are parked, or of those who are held.

sub address {
    my ($self, $held) = @_;

    return '127.0.0.1:' . ($held ? $self->{held} : $self->{nginx}{port});
}


sub wait_until_up {
    my ($self) = @_;

    for my $bus (@{ $self->{buses} }) {
        $self->{nginx}->until(60, "the bus $bus to be up", sub {
            return $self->{nginx}->client->get("/$bus/x?echo=true")->status
                   == 204;
        });
    }

    return;
}


sub law {
    my ($self, $bus) = @_;

    my %bus = %{ $buses{$bus} };
    my $channels = max 2, int 12 * $self->{scale};
    my @readers;

    for my $i (0 .. int(26 * $self->{scale})) {
        my $form = (qw(sse ndjson wait))[$i % 3];
        my $channel = $i % 13 == 0 ? '*' : $i % $channels;

        push @{ $readers[$i % 2] },
             [$form, $self->address($i % 4 == 3), $channel];
    }

    return Msgbus::Soak::Law->new(
        name     => $bus,
        nginx    => $self->{nginx},
        to       => [$self->address],
        prefix   => "/$bus/load",
        channels => $channels,
        age      => $self->{age},
        posters  => max(2, int $bus{posters} * $self->{scale}),
        keyed    => min(1, $self->{scale}) < 1 ? !!$bus{keyed} : $bus{keyed},
        rate     => $bus{rate} * $self->{rate},
        keeps    => $bus{keeps},
        past     => $bus{past},
        guests   => 1,
        pollers  => 2,
        lag      => $self->{lag},
        seed     => $self->{seed},
        readers  => [grep { $_ } @readers],
        breach   => sub { $self->breach($_[0], "$bus: $_[1]") },
        may      => sub { $self->may($bus, @_) },
    )->begin;
}


# What is no breach at a time.  While two nginxes serve, one may be a moment
# behind the other, and a bus in memory is two; after the death of all of it a
# bus in memory tells of a gap.

sub may {
    my ($self, $bus, $law, $time) = @_;

    my %may = map { $_ => 1 } $bus eq 'memory' ? qw(gap order newest late)
                                               : qw(newest late);

    return 0 if !$may{$law};

    # one may come before what it does to readers has been read

    for ($bus eq 'memory' && $law eq 'gap' ? @{ $self->{lost} // [] } : (),
         @{ $self->{two} // [] })
    {
        my ($from, $to) = @$_;

        return 1 if $time >= $from && $time <= $to;
    }

    return 0;
}


# --- the run

sub run {
    my ($self) = @_;

    $self->start;
    $self->{began} = now();
    $self->{laws} = [map { $self->law($_) } @{ $self->{buses} }];

    $self->say("SEED=$self->{seed}, $self->{seconds} s, folder "
               . $self->{nginx}{dir} . ', parked at ' . $self->address
               . ', held at ' . $self->address(1));

    my $faults = $self->{befalls} = Msgbus::Soak::Faults->new(soak => $self);
    my $until = $self->{began} + $self->{seconds};
    my $next = now() + $self->{each};

    while (now() < $until || !$self->{enough}->()) {
        my $t0 = now();

        $faults->go_on;
        $self->look;

        if (now() >= $next) {
            $self->progress;
            $next += $self->{each};
        }

        my $left = min(1, $self->{pause}) - (now() - $t0);
        sleep $left if $left > 0;
    }

    $faults->heal_all;
    $_->rest for @{ $self->{laws} };

    for my $law (@{ $self->{laws} }) {
        $law->end;
        $self->look;
    }

    $self->{nginx}->quit(60);
    $self->{watch}->read_log;

    return $self->table($faults);
}


sub look {
    my ($self) = @_;

    my $n = $self->{looks}++;

    $self->{meanwhile}->() if $self->{meanwhile};

    for my $law (@{ $self->{laws} }) {
        $law->look;
        $self->{pending}{ $law->{name} } = $law->settle if $n % 5 == 0;

        next if $law->{over};

        for ($law->silent(150)) {
            $self->breach(ended => "$law->{name}: $_->[0]: $_->[1]");
        }

        # when all is well for a while, events are acknowledged

        my $since = max $law->{began}, $self->{befalls}{trouble},
                        $law->{judge}{newest} // 0,
                        $law->{stuck} // 0;

        if (now() - $since > $stuck * $Msgbus::Nginx::PATIENCE) {
            $law->{stuck} = now();
            $self->breach(stuck => sprintf '%s: no event was acknowledged for '
                          . '%d s', $law->{name}, now() - $since);
        }
    }

    $self->{watch}->sample if $n % 5 == 0;

    return;
}


sub progress {
    my ($self) = @_;

    my $watch = $self->{watch};
    my @said;

    for my $law (@{ $self->{laws} }) {
        my ($stored, $seen) = @{ $law->{judge} }{qw(acknowledged seen)};
        my $before = $self->{before}{ $law->{name} } // [0, 0];

        push @said, sprintf '%s %.0f/s seen %.0f/s left %d', $law->{name},
                            ($stored - $before->[0]) / $self->{each},
                            ($seen - $before->[1]) / $self->{each},
                            scalar keys %{ $law->{judge}{stored} };
        $self->{before}{ $law->{name} } = [$stored, $seen];
    }

    my @pids = eval { $self->{nginx}->worker_pids };
    my $memory = max(0, map { eval { $self->{nginx}->memory($_, 'RssAnon') }
                              // 0 } @pids);
    my $fds = max(0, map { my $n = () = glob "/proc/$_/fd/*"; $n } @pids);

    $self->say(join '; ', @said, "worker $memory KiB $fds fds",
               'soak ' . $self->{nginx}->memory($$, 'RssAnon') . ' KiB',
               ($self->{faults} // 0) . ' faults',
               sum(0, values %{ $self->{kinds} // {} }) . ' breaches');

    return;
}


# The breaches, and at the end a table of all.

sub table {
    my ($self, $faults) = @_;

    my $say = $self->{say};
    my $watch = $self->{watch};

    $say->('');
    $say->(sprintf '%-8s %12s %12s %10s %9s %8s %8s', 'bus', 'acknowledged',
           'seen', 'retried', 'refused', 'unknown', 'history');

    for my $law (@{ $self->{laws} }) {
        my %n = %{ $law->{counts} };

        $say->(sprintf '%-8s %12d %12d %10d %9d %8d %8d', $law->{name},
               $law->{judge}{acknowledged}, $law->{judge}{seen},
               map { $n{$_} // 0 } qw(again refused unknown looked));
    }

    $say->('');
    $say->('faults: ' . $faults->told);
    $say->('log: ' . join ', ', "$watch->{lines} lines",
           map { "$watch->{levels}{$_} [$_]" } sort keys %{ $watch->{levels} });
    $say->(sprintf 'journal: %.1f MiB at most', $watch->{most}{journal} / 2 ** 20)
        if $watch->{most}{journal};
    $say->('');
    $say->(sprintf '%-18s %-12s %8s %10s %10s %12s %5s', 'process', 'of',
           'seconds', 'mean', 'most', 'each hour', 'r2');

    for ($watch->growth) {
        $say->(sprintf '%-18s %-12s %8d %10d %10d %+12.1f %5.2f%s',
               @$_{qw(name what lasted mean most hourly straight)},
               $_->{bad} ? ' GROWS' : '');
    }

    my %kinds = %{ $self->{kinds} // {} };

    $say->('');
    $say->(%kinds ? 'BREACHES: ' . join ', ', map { "$kinds{$_} of $_" }
                                              sort keys %kinds
                  : 'no breach');

    return @{ $self->{breaches} };
}


1;
