package Msgbus::Retriers;

# Clients who all post the same events under the same keys, and each of them
# again and again until it is told an id: after a 503, a 409, a lost connection,
# or one that it has cut itself before there was an answer.
#
#     my $retriers = Msgbus::Retriers->new(to => [$port, ...], dir => $dir,
#                                          clients => 16, keys => 1000,
#                                          pace => 0)->start;
#     ...                            # what shall do no harm
#     $retriers->wait(60);
#     $retriers->kept($nginx, ...);  # tests, at each of these nodes
#
# pace is the longest that one waits before its next key, seconds.
#
# Each tenth key is that of a batch of three.  A client goes to any node; what it
# cuts it leaves with a goodbye or with a reset, at once or a moment later.
#
# Fours of them go through the keys in one order, each four from a place of its
# own on: so a key is posted for the first time by several at once, and again
# much later.

use strict;
use warnings;

use POSIX qw(WNOHANG);
use Test::More ();
use Time::HiRes qw(sleep);

use Msgbus::Client;
use Msgbus::Nginx;


my $owner = $$;
my %running;

my $lines = 3;


sub new {
    my ($class, %o) = @_;

    return bless { clients => 16, keys => 1000, pace => 0, %o }, $class;
}


sub start {
    my ($self) = @_;

    for my $i (0 .. $self->{clients} - 1) {
        my $pid = fork // die "cannot fork: $!\n";

        if (!$pid) {
            $SIG{$_} = 'DEFAULT' for qw(ALRM TERM INT);
            alarm 300;

            eval { $self->post_all($i); 1 } or print STDERR $@;
            POSIX::_exit($@ ? 1 : 0);
        }

        $running{$pid} = 1;
        $self->{pids}{$pid} = $i;
    }

    return $self;
}


# the events of a key

sub events {
    my ($n) = @_;

    return "{\"n\":$n}" if $n % 10;
    return map { qq({"n":$n,"line":$_}) } 1 .. $lines;
}


# how many there are of all keys

sub all {
    my ($self) = @_;

    my $events = 0;

    $events += () = events($_) for 0 .. $self->{keys} - 1;

    return $events;
}


# --- in a process of its own

sub post_all {
    my ($self, $i) = @_;

    open my $told, '>', "$self->{dir}/retrier-$i" or die "retrier-$i: $!\n";
    $told->autoflush;

    srand $i;

    my @to = map { Msgbus::Client->new(to => "127.0.0.1:$_", agent => undef,
                                       timeout => 5) }
             @{ $self->{to} };
    my $from = int($i / 4) * int(4 * $self->{keys} / $self->{clients});
    my %had;

    for my $n (map { ($from + $_) % $self->{keys} } 0 .. $self->{keys} - 1) {
        for (;;) {
            my $client = $to[rand @to];
            my @events = events($n);
            my @post = ('/law', join("\n", @events),
                        'Idempotency-Key' => "\"key $n\"");

            push @post, 'Content-Type' => 'application/x-ndjson' if @events > 1;

            if (rand() < 0.05) {

                # what becomes of it, it does not want to know

                if (!$client->connect(Msgbus::Client::now() + 5)) {
                    $client->send($client->format('POST', @post),
                                  Msgbus::Client::now() + 5);
                    sleep rand 0.003 if rand() < 0.5;
                }

                if ($client->{sock}) {
                    rand() < 0.5 ? $client->reset : $client->close;
                }

                $had{cut}++;
                next;
            }

            my $r = $client->post(@post);

            if ($r->status == 201) {
                print $told "$n ", @events > 1 ? join(',', @{ $r->json->{ids} })
                                              : $r->id, ' ',
                      $r->header('Idempotency-Replayed') // 'first', "\n";
                sleep rand $self->{pace} if $self->{pace};
                last;
            }

            $had{$r->failure // $r->status}++;

            if (!$r->failure && $r->status != 409 && $r->status != 503) {
                die 'key ', $n, ': ', $r->status, ' ', $r->body, "\n";
            }

            sleep rand 0.05;
        }
    }

    print $told join(' ', 'had', %had), "\n";
    close $told;

    return;
}


# --- in the test

sub left {
    my ($self) = @_;

    for my $pid (keys %{ $self->{pids} }) {
        if (waitpid($pid, WNOHANG) == $pid) {
            delete $running{$pid};
            $self->{status}{ delete $self->{pids}{$pid} } = $?;
        }
    }

    return scalar keys %{ $self->{pids} };
}


sub wait {
    my ($self, $seconds) = @_;

    my $until = Msgbus::Client::now() + $seconds * $Msgbus::Nginx::PATIENCE;

    while ($self->left) {
        die "clients were not done after $seconds s\n"
            if Msgbus::Client::now() > $until;

        sleep 0.05;
    }

    return;
}


# all events of the channel, in order
sub stored {
    my ($nginx) = @_;

    my ($after, $tries, @events) = (0, 0);

    for (;;) {
        my $r = $nginx->client->get("/law?last-known-id=$after&max-events=500"
                                    . '&echo=true');

        return @events if $r->status == 204;

        # what has left memory a worker that has just begun reads a moment later

        if ($r->status == 503 && $tries++ < 100) {
            sleep 0.1;
            next;
        }

        die "no page: ", $r->status, " ", $r->body // $r->error, "\n"
            if $r->status != 200;

        push @events, @{ $r->json->{events} };
        $after = $r->last_id;
    }
}


sub kept {
    my ($self, @nginx) = @_;

    my (%ids, %had, $answers);

    Test::More::is(join(' ', grep { $self->{status}{$_} } keys %{ $self->{status} }),
                   '', 'all clients have got ids for all keys');

    for my $i (0 .. $self->{clients} - 1) {
        for (split /\n/, Msgbus::Nginx::slurp("$self->{dir}/retrier-$i")) {
            if (/^had (.*)/) {
                my %of = split ' ', $1;
                $had{$_} += $of{$_} for keys %of;

            } else {
                my ($n, $id, $how) = split ' ';

                $ids{$n}{$id}++;
                $had{$how}++;
                $answers++;
            }
        }
    }

    Test::More::is($answers, $self->{clients} * $self->{keys}, 'each answer');
    Test::More::is(scalar(grep { keys %$_ > 1 } values %ids), 0,
                   'each client was told the same id for a key');
    Test::More::note(join ', ', map { "$_: $had{$_}" } sort keys %had);

    my $told = join ' ', sort { $a <=> $b }
               map { split /,/ } map { keys %$_ } values %ids;

    # those of a batch rise with its lines: they were stored in this order

    Test::More::is(scalar(grep { /,/ && $_ ne join ',', sort { $a <=> $b } split /,/ }
                          map { keys %$_ } values %ids),
                   0, 'the ids of a batch are in the order of its lines');

    for my $nginx (@nginx) {
        my @events = stored($nginx);
        my %times;

        $times{ $_->{data}{n} }++ for @events;

        Test::More::is(scalar(keys %times), $self->{keys}, 'each key is stored');
        Test::More::is(scalar(@events), $self->all, 'once');
        Test::More::ok(join(' ', map { $_->{id} } @events) eq $told,
                       'under the id that was told');
        Test::More::is(scalar(grep { !has($ids{ $_->{data}{n} }, $_) } @events),
                       0, 'for this key');
    }

    return \%had;
}


# is this the event that a key's ids, one or several, say?
sub has {
    my ($ids, $event) = @_;

    my @ids = map { split /,/ } keys %{ $ids // {} };

    return ($ids[($event->{data}{line} // 1) - 1] // 0) == $event->{id};
}


END {
    my $status = $?;

    if ($$ == $owner) {
        kill KILL => keys %running;
    }

    $? = $status;
}


1;
