# Libraries that others have written for streams of events lose nothing, and get
# nothing twice: over reloads, killed workers, quiet channels, refusals, and
# connections that are cut off in the middle of an event.
#
# Here a quick choice of four; "make check-clients" has all, cut off at every
# byte.  t/clients/ shows what each of them needs.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Cut;
use Msgbus::Library;
use Msgbus::Nginx;
use Msgbus::Stream;


# tools/clients makes the programs

my @names = split ' ', $ENV{MSGBUS_CLIENTS}
            // `$FindBin::Bin/../tools/clients list quick`;

@names = (Msgbus::Library->all) if "@names" eq 'all';

for my $name (grep { !Msgbus::Library->is_there($_) } @names) {
    if ($ENV{CI}) {
        fail("$name has been made, by tools/clients setup");

    } else {
        diag("$name is not there: make test-deps, or tools/clients setup");
    }

    @names = grep { $_ ne $name } @names;
}

plan skip_all => 'needs a program of t/clients' if !@names && !$ENV{CI};

Msgbus::Nginx->limit($ENV{MSGBUS_CLIENTS} ? 1200 : 120);

my $http = 'msgbus_zone zone=bus:16m first_id=1 max_events=1000 ttl=1h;
            msgbus_require_uuid off;
            msgbus_ping 300ms;
            client_header_timeout 2s;
            add_header Access-Control-Allow-Origin * always;';

sub location {
    my ($more) = @_;

    return "location / { msgbus bus; $more }
            location /free/ { msgbus bus; }
            location = /page.html { root $FindBin::Bin/clients/chromium; }";
}

my $nginx = Msgbus::Nginx->new(workers => 2, http => $http,
                               location => location(''))->start;
my $origin = "http://127.0.0.1:$nginx->{port}";
my $poster = $nginx->client(agent => 'poster/1.0');


# a worker that ends takes the poster's connection along

sub publish {
    my ($channel, $data) = @_;

    for (1 .. 3) {
        my $r = $poster->post($channel, $data // '{}');

        return $r->header('Msgbus-Id') if $r->status == 201;
    }

    die "the event is not taken\n";
}


# the places of a cut that are worth a look, or all

sub places {
    my ($block) = @_;

    my $length = length $block;
    my $data = index($block, "\n");
    my $id = rindex($block, 'id: ');

    return $ENV{MSGBUS_CLIENTS} ? 0 .. $length
         : (0, 3, 6, int($data / 2), $data, $data + 1, $id + 3, $id + 4,
            $length - 2, $length - 1, $length);
}

my $cut = Msgbus::Cut->new(to => $nginx->{port}, log => "$nginx->{dir}/cuts",
                           places => \&places)->start;
my $through = "http://127.0.0.1:$cut->{port}";


sub all_have {
    my ($seconds, $what, $has, @libraries) = @_;

    my $all = eval {
        $nginx->until($seconds, $what, sub {
            sleep 0.05;
            return !grep { !$has->($_) } @libraries;
        });
        1;
    } or diag($@);

    for my $late ($all ? () : grep { !$has->($_) } @libraries) {
        diag("$late->{name}: $what: not in $seconds seconds\n", $late->said,
             Msgbus::Nginx::slurp($late->{file}) =~ s/.*(?=.{2000}\z)//sr);
    }

    return ok($all, $what);
}


# what came, beside what was posted since

my %none = map { $_ => 0 } qw( lost doubled disorder torn empty gaps );
my (%since, %row, @columns);

# a cell of the table that "make check-clients" prints

sub cell {
    my ($column, $name, $verdict) = @_;

    push @columns, $column if !grep { $_ eq $column } @columns;

    $row{$name}{$column} = join(', ', map { "$verdict->{$_} $_" }
                                grep { $verdict->{$_} } sort keys %$verdict)
                           || 'all, once';

    return;
}


sub nothing_is_amiss {
    my ($what, $posted, $gaps, @libraries) = @_;

    for my $library (@libraries) {
        my $now = $library->verdict($posted);
        my $before = $since{$library} // {};
        my %new = map { $_ => $now->{$_} - ($before->{$_} // 0) } keys %$now;

        $since{$library} = { %$now, lost => 0 };
        cell($what, $library->{name}, \%new);

        is_deeply(\%new, { %none, gaps => $gaps },
                  "$what: $library->{name} has each event once, in order");
    }

    return;
}


# --- a quiet channel, from now on

my @libraries = map {
    Msgbus::Library->new($_, "$through/pass/a?last-known-id=latest",
                         $nginx->{dir}, $origin)
} @names;

my $n = @libraries;

sub are_there { return eval { $nginx->wait_for_readers($n); 1 } }

ok(are_there(), 'all subscribe');
publish('/other') for 1 .. 3;
sleep 0.8;

$cut->hold;
$nginx->reload;
my @posted = publish('/a');
$cut->let_go;

all_have(10, 'who was away from a quiet channel', sub { $_[0]->has($posted[0]) },
         @libraries);
nothing_is_amiss('quiet', \@posted, 0, @libraries);


# --- reloads and killed workers, while events come

my %end = (
    'a reload'       => sub { $nginx->reload },
    'killed workers' => sub { $nginx->kill_worker($_) for $nginx->worker_pids },
);

for my $what (sort keys %end) {
    are_there();

    @posted = map { my $k = $_; $end{$what}->() if $k == 10;
                    sleep 0.01; publish('/a') } 1 .. 20;

    all_have(20, "$what: all come back", sub { $_[0]->has($posted[-1]) },
             @libraries);
    nothing_is_amiss($what, \@posted, 0, @libraries);
}


# --- refusals: an answer that is an error, and one that tells them to wait

my $free = Msgbus::Stream->new(to => "127.0.0.1:$nginx->{port}",
                               uri => '/free/x', follow => 1);

my %refusal = (
    '503'          => 'msgbus_max_waiters 1;',
    'told to wait' => 'msgbus_max_waiters 1 retry=1500ms;',
);

for my $what (sort keys %refusal) {
    $cut->hold;
    $nginx->reload(location => location($refusal{$what}));

    my $seen = @{ $free->{events} };

    Msgbus::Stream->read_until(5, sub { @{ $free->{events} } > $seen }, $free);
    @posted = publish('/a');
    $cut->let_go;

    # each of them has asked, some more than once

    my $asked = sub { scalar grep { $_->{state} ne 'open' } $_[0]->states };
    my $closed = sub {
        scalar grep { $_->{state} eq 'closed' } map { $_->states } @libraries;
    };
    my %before = map { $_->{name} => $asked->($_) } @libraries;
    my $before = $closed->();

    Msgbus::Stream->read_until(5, sub {
        return !grep { $asked->($_) <= $before{$_->{name}} } @libraries;
    }, $free);

    if ($what =~ /wait/) {
        is($closed->() - $before, 0, "$what: nobody is ended by that");
    }

    $free->close;
    $nginx->reload(location => location(''));
    push @posted, publish('/a');

    all_have(20, "$what: all come back", sub { $_[0]->has($posted[-1]) },
             @libraries);
    nothing_is_amiss($what, \@posted, 0, @libraries);
}


# --- a gap

are_there();
publish('/a');
$cut->hold;
$nginx->reload;

publish('/a') for 1 .. 3;

for (1 .. 2) {
    is($poster->post('/other', "{}\n" x 600,
                     'Content-Type', 'application/x-ndjson')->status, 201,
       'many are posted');
}

@posted = publish('/a');
$cut->let_go;

all_have(20, 'who was away for too long', sub { $_[0]->has($posted[0]) },
         @libraries);
nothing_is_amiss('a gap', \@posted, 1, @libraries);

$_->stop for @libraries;


# --- cut off in the middle of an event

@posted = map { publish('/cut') } 1 .. ($ENV{MSGBUS_CLIENTS} ? 300 : 30);

my %cut = map {
    my $name = $_;

    map { ("$_ $name" => Msgbus::Library->new(
               $name, "$through/$_/$name/cut", $nginx->{dir}, $origin)) }
        qw( broken clean );
} @names;

my $last = publish('/cut');
push @posted, $last;

all_have($ENV{MSGBUS_CLIENTS} ? 600 : 40,
         'streams that are cut off: all come to their end',
         sub { $_[0]->has($last) }, values %cut);

my $log = Msgbus::Nginx::slurp($cut->{log});

for my $way (sort keys %cut) {
    my @places = $log =~ /^\Q$way\E (\d+)$/mg;
    my $verdict = $cut{$way}->verdict(\@posted);

    cell((split / /, $way)[0], $cut{$way}{name}, $verdict);
    cmp_ok(scalar @places, '>', 10, "$way: cut off at " . @places . ' places');
    is_deeply($verdict, \%none, "    and has each event once, in order");
}

if ($ENV{MSGBUS_CLIENTS}) {
    diag(join ' | ', '', 'client', @columns, '');
    diag(join '|', '', ('---') x (1 + @columns), '');

    for my $name (@names) {
        diag(join ' | ', '', $name, map({ $row{$name}{$_} // '-' } @columns), '');
    }
}

$nginx->quit;

done_testing;
