# Workers are killed in the middle of a change of the log.  A kill at random
# finds them elsewhere, as a rule.  So there is a lot of other posters, and a
# worker is stopped first: if nobody else is served meanwhile, it holds the log,
# and dies; else it goes on.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Law;
use Msgbus::Nginx;


Msgbus::Nginx->limit(240);

# a connection to each worker, by pid

sub connections {
    my ($nginx) = @_;

    my %client;

    $nginx->until(10, 'a connection to each worker', sub {
        my $c = $nginx->client(timeout => 0.05 * $Msgbus::Nginx::PATIENCE);

        $client{$c->get('/pid')->body} = $c;

        return !grep { !$client{$_} } $nginx->worker_pids;
    });

    return \%client;
}


# Who does not answer soon may be busy: so nobody does who is given time.  Not
# longer than until the given moment.

sub kill_holder {
    my ($nginx, $until) = @_;

    my $client = connections($nginx);

    while (Msgbus::Nginx::now() < $until) {
        my ($pid, $other) = sort { rand() <=> 0.5 } $nginx->worker_pids;

        if (!$other || !$client->{$other}) {
            die join "\n", "a worker is missing", $nginx->alerts;
        }

        kill STOP => $pid;

        if ($client->{$other}->get('/any?echo=true')->failure
            && $nginx->client(timeout => 2)->get('/any?echo=true')->failure)
        {
            $nginx->kill_worker($pid);
            return 1;
        }

        kill CONT => $pid;
        sleep rand 0.002;
    }

    return 0;
}


# events that posters have written down so far

sub stored {
    my ($law) = @_;

    my $n = 0;

    for my $p (1 .. $law->{posters}) {
        $n += () = Msgbus::Nginx::slurp("$law->{dir}/poster.$p") =~ /^stored/mg;
    }

    return $n;
}


# In the large zone nothing is dropped.  The small one is always full, and each
# event is filed 31 times: at all levels of a channel as deep as can be.

my $rebuilt = 0;

for my $case ([3, '128m', '/load', 240_000], [8, '1m', '/d' x 30, 1e9]) {

    my ($kills, $size, $prefix, $noise) = @$case;

    my $nginx = Msgbus::Nginx->new(
        workers  => 2,
        http     => "msgbus_zone zone=bus:$size ttl=120s;
                     keepalive_requests 1000000;",
        location => 'location / { msgbus bus; }
                     location = /pid { return 200 $pid; }',
    )->start;

    my $law = Msgbus::Law->new(
        nginx    => $nginx,
        posters  => 2,
        pollers  => 1,
        rate     => 500,
        channels => 4,
        prefix   => $prefix,
        noise    => 2,

        noise_events => $noise,
    )->begin;

    my $until = Msgbus::Nginx::now() + 50;
    my $killed = grep { kill_holder($nginx, $until) } 1 .. $kills;

    # noise and murder leave the posters little on a busy machine

    sleep 1;
    $nginx->until(60, 'the posters to get on', sub {
        sleep 0.1;
        return stored($law) >= 300;
    });

    $law->end->kept($size eq '1m' ? 'gap' : ());

    $rebuilt += $nginx->log(0, 'warn', 'died in the middle of a change');

    cmp_ok($killed, '>=', 1, "$killed workers were killed with the log "
                             . 'in hand');

    $nginx->quit;
    $nginx->no_alerts(@Msgbus::Nginx::KILLED);
}

cmp_ok($rebuilt, '>=', 1, "$rebuilt of them in the middle of a change");

done_testing;
