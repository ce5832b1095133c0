package Msgbus::Retry;

# Clients who all post the same events under the same keys, at once, and each
# of them until it has been told an id:
#
#     my $retry = Msgbus::Retry->new(
#         to      => ['127.0.0.1:8080', '127.0.0.1:8081'],     nodes
#         dir     => $nginx->{dir},      for what they have been told
#         clients => 16,
#         keys    => 1000,
#     )->begin;
#
#     ...                                things happen
#
#     $retry->end;                       waits until each has all
#     $retry->kept($nginx->client);      each key stored once, one id for all
#
# A client goes to any node, on a connection that it now and then cuts behind
# a post, with or without the goodbye, and posts again after that, after a lost
# connection, a 409 and a 503.  Each tenth key is that of a batch of three.

use strict;
use warnings;

use JSON::PP ();
use List::Util qw(shuffle sum0 uniq);
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Child;
use Msgbus::Client;
use Msgbus::Nginx;


# a channel for so many keys: what a reader gets in one page
my $of_a_channel = 100;

my $lines = 3;

# keys that a client has mixed up: all of them are at about the same ones
my $window = 25;


sub new {
    my ($class, %o) = @_;

    return bless { clients => 16, keys => 1000, %o }, $class;
}


sub begin {
    my ($self) = @_;

    for my $n (1 .. $self->{clients}) {
        my $child = Msgbus::Child->adopt;

        $child->{pid} = fork // die "cannot fork: $!\n";

        if ($child->{pid} == 0) {
            $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP ALRM);

            eval { $self->client($n); 1 } or warn $@;
            POSIX::_exit(0);
        }

        push @{ $self->{children} }, $child;
    }

    return $self;
}


# is anybody still posting?

sub goes_on {
    my ($self) = @_;

    for my $child (@{ $self->{children} }) {
        if ($child->{pid} && waitpid($child->{pid}, POSIX::WNOHANG()) != 0) {
            delete $child->{pid};
        }
    }

    return grep { $_->{pid} } @{ $self->{children} };
}


sub end {
    my ($self, $seconds) = @_;

    Msgbus::Nginx->until($seconds // 60, 'each client to have all its ids',
                         sub { !$self->goes_on });
    return $self;
}


sub channel { return '/retry/c' . int($_[0] / $of_a_channel) }

sub is_batch { return $_[0] % 10 == 0 }


# the events of a key

sub events {
    my ($key) = @_;

    return map { qq({"key":$key,"line":$_}) } 1 .. (is_batch($key) ? $lines : 1);
}


# --- a client

sub client {
    my ($self, $n) = @_;

    srand $n;

    open my $out, '>', "$self->{dir}/retry-$n" or die "retry-$n: $!\n";

    my %saw;
    my @keys = 0 .. $self->{keys} - 1;
    my $until = Msgbus::Client::now() + 60 * $Msgbus::Nginx::PATIENCE;

    while (my @some = shuffle splice @keys, 0, $window) {
        for my $key (@some) {
            my $ids = $self->publish($key, $until, \%saw);

            print $out "told $key $ids\n";
        }
    }

    print $out "saw $_ $saw{$_}\n" for sort keys %saw;
    print $out "end\n";

    close $out or die "retry-$n: $!\n";

    return;
}


sub publish {
    my ($self, $key, $until, $saw) = @_;

    my @request = (POST => channel($key), join("\n", events($key)),
                   'Idempotency-Key' => qq("key $key"));

    push @request, 'Content-Type' => 'application/x-ndjson' if is_batch($key);

    while (Msgbus::Client::now() < $until) {

        my $client = $self->{client};

        if (!$client || rand() < 0.05) {
            $client = Msgbus::Client->new(
                agent => undef, timeout => 20,
                to    => $self->{to}[rand @{ $self->{to} }]
            );
            $self->{client} = $client;
        }

        if (rand() < 0.02) {
            $client->send($client->format(@request));
            sleep rand 0.003 if rand() < 0.5;

            if ($client->{sock}) {
                rand() < 0.5 ? $client->reset : $client->close;
            }

            $saw->{cut}++;
            next;
        }

        my $r = $client->request(@request);

        if ($r->status == 201) {
            $saw->{$r->header('Idempotency-Replayed') ? 'replayed'
                                                       : 'stored'}++;

            return is_batch($key) ? join ',', @{ $r->json->{ids} } : $r->id;
        }

        $saw->{ $r->status || 'lost' }++;

        delete $self->{client} if !$r->status;

        # nothing else is to be met, and nothing else would be mended so

        if ($r->status && $r->status != 409 && $r->status != 503) {
            return 'status-' . $r->status;
        }

        sleep 0.002 + rand 0.02;
    }

    return 'nothing';
}


# --- what has become of it

sub kept {
    my ($self, $reader) = @_;

    my (%told, %saw, $ended);

    for my $n (1 .. $self->{clients}) {
        open my $in, '<', "$self->{dir}/retry-$n" or die "retry-$n: $!\n";

        while (<$in>) {
            $told{$1}{$2}++ if /^told (\d+) (\S+)/;
            $saw{$1} += $2 if /^saw (\S+) (\d+)/;
            $ended++ if /^end/;
        }
    }

    note("they saw $_ $saw{$_} times") for sort keys %saw;
    $self->{saw} = \%saw;

    is($ended, $self->{clients}, 'each client has come to its end');

    my @keys = 0 .. $self->{keys} - 1;
    my @odd = grep { keys %{ $told{$_} // {} } != 1 } @keys;

    is(scalar @odd, 0, 'all clients were told the same ids of each key')
        or diag("key $odd[0]: ", explain $told{ $odd[0] });

    my @short = grep { sum0(values %{ $told{$_} // {} }) != $self->{clients} }
                     @keys;

    is(scalar @short, 0, 'and each client was told them');

    my (%ids, $many);

    for my $channel (uniq map { channel($_) } @keys) {
        my $after = 0;

        while (1) {
            my $r = $reader->get("$channel?echo=true&max-events=500"
                                 . "&last-known-id=$after");
            last if $r->status != 200;

            for my $event (@{ $r->json->{events} }) {
                push @{ $ids{ $event->{data}{key} } }, $event->{id};
                $many++;
            }

            $after = $r->last_id;
        }
    }

    is($many, sum0(map { scalar events($_) } @keys), 'each event is there once');

    my @wrong = grep {
        join(',', @{ $ids{$_} // [] })
        ne join(',', sort { $a <=> $b }
                     split /,/, join ',', keys %{ $told{$_} // {} })
    } @keys;

    is(scalar @wrong, 0, 'with the id that all were told')
        or diag("key $wrong[0] is ", explain($ids{ $wrong[0] }), 'and not ',
                explain($told{ $wrong[0] }));

    return $self;
}


1;
