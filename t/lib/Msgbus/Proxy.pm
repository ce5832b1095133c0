package Msgbus::Proxy;

# A proxy before a MongoDB that fails as networks fail, and exactly where it is
# told to.  It knows messages and the command that each is, so that "the next
# insert" can be lost, or its answer.
#
#     my $proxy = Msgbus::Proxy->new(to => $mongodb->{port})->start;
#
#     $proxy->tell('cut request', insert => 100)   the next insert: its first
#                                   100 bytes, then both connections are closed
#     $proxy->tell('cut reply', insert => 10)      of its answer, the first 10
#     $proxy->tell('lose request', 'insert')       goes nowhere, and no answer
#     $proxy->tell('lose reply', 'insert')         is done, and no answer comes
#     $proxy->tell('late request', insert => 1500) is done 1500 ms later, even
#                                   when the client has gone in the meantime
#     $proxy->tell('answer error', insert => 10107)    is not done, but answered
#                                   by an error with this code, as by a server
#                                   that is not the primary any more
#     $proxy->tell('answer concern', insert => 64)     is done, but answered by
#                                   a write concern's error: perhaps it will not
#                                   last
#     $proxy->tell('answer members', isMaster => 3)    is not done, but answered
#                                   as by the primary of a replica set of 3
#     $proxy->tell('spoil reply', insert => 'long')    is done, but the answer is
#                                   none: a way of %spoiled below
#     $proxy->tell('limit', maxWriteBatchSize => 1)    the server says from now
#                                   on that it takes no more than that
#     $proxy->tell('delay', 20)     all bytes, either way, come 20 ms later
#     $proxy->tell('drop')          bytes go nowhere, connections stay
#     $proxy->tell('refuse')        nobody listens, connections are closed
#     $proxy->tell('pass')          as it was in the beginning
#
#     $proxy->done                  how many faults have happened so far
#
# Faults of "the next" one wait for it, several for as many.  "pass" leaves
# what is already on its way.

use strict;
use warnings;

use IO::Select;
use IO::Socket::IP;
use POSIX ();
use Socket qw(AF_UNIX IPPROTO_TCP PF_UNSPEC SOCK_STREAM TCP_NODELAY);
use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC);

use Msgbus::Child;
use Msgbus::Nginx;


our @ISA = ('Msgbus::Child');


# An answer, 16 bytes of header, 4 of flags, 1 of the section's kind and a
# document, as one that is none.

my %spoiled = (
    # the message is shorter, and longer, than any can be
    short    => sub { pack('V', 3) . substr $_[0], 4 },
    endless  => sub { pack('V', 0x7fffffff) . substr $_[0], 4 },

    # of no kind, compressed by nobody, without a document
    code     => sub { other($_[0], 12, pack 'V', 77) },
    packed   => sub { other($_[0], 12, pack 'V', 2012) },
    section  => sub { other($_[0], 20, "\x07") },
    none     => sub { pack('V', 20) . substr $_[0], 4, 16 },

    # the document ends behind the message, before its own end, not at all
    long     => sub { other($_[0], 21, pack 'V', length $_[0]) },
    cut      => sub { other($_[0], 21, pack 'V', 12) },
    open     => sub { other($_[0], -1, "\x7f") },

    # it is one, but says nothing, or what has no meaning
    empty    => sub { reply_to($_[0], '') },
    member   => sub { other($_[0], 25, "\x6e") },
    failed   => sub { reply_to($_[0], double(ok => 0)) },
    errors   => sub { reply_to($_[0], double(ok => 1) . "\x04writeErrors\0"
                                      . document(int32(0 => 11000))) },
    codeless => sub { reply_to($_[0], double(ok => 1) . "\x04writeErrors\0"
                                      . document("\x030\0" . document(''))) },

    noise    => sub { pack('V', length $_[0])
                      . substr $_[0] ^ "\xa5\x5a\xc3" x length $_[0], 4,
                               length($_[0]) - 4 },
);


sub now { return clock_gettime(CLOCK_MONOTONIC) }


sub new {
    my ($class, %o) = @_;

    return $class->adopt(host => '127.0.0.1', %o, delay => 0, way => 'pass',
                         faults => [], limits => {}, done => 0, pairs => []);
}


sub start {
    my ($self) = @_;

    $self->{listener} = $self->listen;
    $self->{port} = $self->{listener}->sockport;

    socketpair my $ours, my $its, AF_UNIX, SOCK_STREAM, PF_UNSPEC
        or die "socketpair: $!\n";

    $self->{pid} = fork // die "cannot fork: $!\n";

    if (!$self->{pid}) {
        $SIG{$_} = 'DEFAULT' for qw(ALRM INT TERM HUP);
        $SIG{PIPE} = 'IGNORE';

        close $ours;
        eval { $self->serve($its); 1 } or print STDERR "proxy: $@";
        POSIX::_exit(0);
    }

    close $its;
    close delete $self->{listener};

    $ours->autoflush;
    $self->{control} = $ours;

    return $self;
}


sub listen {
    my ($self) = @_;

    return IO::Socket::IP->new(LocalHost => $self->{host},
                               LocalPort => $self->{port} // 0,
                               Listen => 64, ReuseAddr => 1)
           || die "proxy: cannot listen: $!\n";
}


# Comes back when it holds.

sub tell {
    my ($self, @words) = @_;

    print { $self->{control} } join("\t", @words), "\n";

    my $answer = readline $self->{control};

    die "the proxy has ended\n" if !defined $answer;

    chomp $answer;
    die "proxy: $answer\n" if $answer !~ /^\d+$/;

    return $answer;
}


sub done { return $_[0]->tell('done') }


# it may be in the middle of anything

sub last_signal { return 'KILL' }


# --- in the process of the proxy

sub serve {
    my ($self, $control) = @_;

    for ( ;; ) {
        my ($read, $write, $due) = (IO::Select->new($control),
                                    IO::Select->new, 3600);

        $read->add($self->{listener}) if $self->{listener};

        for my $pair (@{ $self->{pairs} }) {
            for my $side (@$pair{qw(client server)}) {
                $read->add($side->{sock}) if $side->{sock} && !$side->{ended};

                my $first = $side->{out}[0] or next;
                my $left = $first->[0] - now();

                if ($left > 0) {
                    $due = $left if $left < $due;

                } else {
                    $write->add($side->{sock}) if $side->{sock};
                }
            }
        }

        my ($r, $w) = IO::Select::select($read, $write, undef, $due);
        my %readable = map { fileno $_ => 1 } @{ $r // [] };
        my %writable = map { fileno $_ => 1 } @{ $w // [] };

        if ($readable{fileno $control}) {
            sysread $control, my $words, 4096 or return;

            for (split /\n/, $words) {
                syswrite $control, $self->obey(split /\t/) . "\n";
            }

            # descriptors may stand for others now
            next;
        }

        my @pairs = @{ $self->{pairs} };

        if ($self->{listener} && $readable{fileno $self->{listener}}) {
            $self->accept;
        }

        for my $pair (@pairs) {
            for my $name (qw(client server)) {
                my $side = $pair->{$name};

                if ($side->{sock} && $writable{fileno $side->{sock}}) {
                    $self->write_to($pair, $side);
                }

                if ($side->{sock} && $readable{fileno $side->{sock}}) {
                    $self->read_from($pair, $name);
                }
            }

            $self->end_if_over($pair);
        }
    }
}


sub obey {
    my ($self, $word, @with) = @_;

    if ($word =~ /^(?:cut|lose|late|answer|spoil) /) {
        push @{ $self->{faults} }, [$word, @with];

    } elsif ($word eq 'limit') {
        $self->{limits}{$with[0]} = int32(@with);

    } elsif ($word eq 'delay') {
        $self->{delay} = $with[0] / 1000;

    } elsif ($word eq 'drop') {
        $self->{way} = 'drop';

    } elsif ($word eq 'refuse') {
        close delete $self->{listener} if $self->{listener};

        $self->{done} += @{ $self->{pairs} };

        # a copy: one that is closed leaves the list
        my @pairs = @{ $self->{pairs} };

        $self->close_pair($_) for @pairs;

    } elsif ($word eq 'pass') {
        @$self{qw(way delay faults limits)} = ('pass', 0, [], {});
        $self->{listener} //= $self->listen;

        # a peer has missed bytes: its messages make no sense any more
        my @lost = grep { $_->{lost} } @{ $self->{pairs} };

        $self->close_pair($_) for @lost;

    } elsif ($word ne 'done') {
        return "I do not know \"$word\"";
    }

    return $self->{done};
}


sub accept {
    my ($self) = @_;

    my $client = $self->{listener}->accept or return;
    my $server = IO::Socket::IP->new(PeerHost => '127.0.0.1',
                                     PeerPort => $self->{to});

    # as if nobody listened
    return close $client if !$server;

    for ($client, $server) {
        $_->blocking(0);
        setsockopt $_, IPPROTO_TCP, TCP_NODELAY, 1;
    }

    push @{ $self->{pairs} }, {
        client => { sock => $client, in => '', out => [] },
        server => { sock => $server, out => [] },
    };

    return;
}


sub close_pair {
    my ($self, $pair) = @_;

    for my $side (@$pair{qw(client server)}) {
        close delete $side->{sock} if $side->{sock};
    }

    $self->{pairs} = [grep { $_ != $pair } @{ $self->{pairs} }];

    return;
}


# A side that has ended closes the other one when that has got everything.

sub end_if_over {
    my ($self, $pair) = @_;

    for (['client', 'server'], ['server', 'client']) {
        my ($from, $to) = @$pair{@$_};

        if ($from->{ended} && !@{ $to->{out} }) {
            return $self->close_pair($pair);
        }
    }

    return;
}


# Bytes that go to a side, at a time; undef: the end of both.

sub queue {
    my ($self, $side, $bytes, $later) = @_;

    push @{ $side->{out} }, [now() + $self->{delay} + ($later // 0), $bytes];

    $self->{done}++ if $self->{delay};

    return;
}


sub write_to {
    my ($self, $pair, $side) = @_;

    my $first = $side->{out}[0];

    return $self->close_pair($pair) if !defined $first->[1];

    my $n = syswrite $side->{sock}, $first->[1];

    if (!defined $n) {
        return if $!{EAGAIN};

        # nobody is there to take it
        $side->{out} = [];
        $side->{ended} = 1;
        return;
    }

    substr $first->[1], 0, $n, '';
    shift @{ $side->{out} } if $first->[1] eq '';

    return;
}


sub read_from {
    my ($self, $pair, $name) = @_;

    my $side = $pair->{$name};
    my $n = sysread $side->{sock}, my $bytes, 1 << 20;

    return if !defined $n && $!{EAGAIN};

    if (!$n) {
        $side->{ended} = 1;
        return;
    }

    if ($self->{way} eq 'drop') {
        $self->{done}++;
        $pair->{lost} = 1;
        return;
    }

    return if $pair->{lost};

    if ($name eq 'client') {
        $side->{in} .= $bytes;
        $self->requests($pair, $side);

    } elsif (defined(my $instead = delete $pair->{instead})) {
        $self->{done}++;
        $self->queue($pair->{client}, $instead);

    } elsif (defined(my $way = delete $pair->{spoil})) {
        $self->{done}++;
        $self->queue($pair->{client}, $spoiled{$way}->($bytes));

    } elsif (defined(my $left = delete $pair->{of_reply})) {
        $self->{done}++;

        if ($left eq 'lost') {
            $pair->{lost} = 1;

        } else {
            $self->queue($pair->{client}, substr $bytes, 0, $left) if $left;
            $self->queue($pair->{client}, undef);
        }

    } else {
        for my $name (keys %{ $self->{limits} }) {
            $self->{done} +=
                $bytes =~ s/\x10$name\0.{4}/$self->{limits}{$name}/s;
        }

        $self->queue($pair->{client}, $bytes);
    }

    return;
}


# All that are whole.  An OP_MSG begins with its command's name: 16 bytes of
# header, 4 of flags, 1 of the section's kind, 4 of the document's length, 1 of
# the first member's type.

sub requests {
    my ($self, $pair, $side) = @_;

    while (length $side->{in} >= 16) {
        my ($length, undef, undef, $code) = unpack 'V4', $side->{in};

        last if length $side->{in} < $length;

        my $message = substr $side->{in}, 0, $length, '';
        my $command = $code == 2013 ? unpack('x26 Z*', $message) : '';

        my $fault = $self->{faults}[0];

        if (!$fault || $fault->[1] ne $command) {
            $self->queue($pair->{server}, $message);
            next;
        }

        my ($what, undef, $n) = @{ shift @{ $self->{faults} } };

        if ($what eq 'cut request') {
            $self->{done}++;
            $self->queue($pair->{server}, substr $message, 0, $n) if $n;
            $self->queue($pair->{server}, undef);
            $pair->{lost} = 1;
            last;
        }

        if ($what eq 'lose request') {
            $self->{done}++;
            $pair->{lost} = 1;
            last;
        }

        if ($what eq 'late request') {
            $self->{done}++;
            $self->queue($pair->{server}, $message, $n / 1000);
            next;
        }

        if ($what eq 'answer error') {
            $self->{done}++;
            $self->queue($pair->{client}, reply($message,
                double(ok => 0) . string(errmsg => 'spoiled by a test')
                . int32(code => $n)));
            next;
        }

        if ($what eq 'answer members') {
            $self->{done}++;
            $self->queue($pair->{client}, reply($message,
                double(ok => 1) . string(setName => 'test') . "\x04hosts\0"
                . document(join '', map { string($_ => "localhost:$_") }
                                    0 .. $n - 1)));
            next;
        }

        if ($what eq 'answer concern') {
            $pair->{instead} = reply($message,
                int32(n => 1) . double(ok => 1)
                . "\x03writeConcernError\0"
                . document(int32(code => $n)
                           . string(errmsg => 'spoiled by a test')));
            $self->queue($pair->{server}, $message);
            next;
        }

        if ($what eq 'spoil reply') {
            $pair->{spoil} = $n;
            $self->queue($pair->{server}, $message);
            next;
        }

        # of the reply

        $pair->{of_reply} = $what eq 'lose reply' ? 'lost' : $n // 0;
        $self->queue($pair->{server}, $message);
    }

    return;
}


# An answer to a message, with these members; and BSON.

sub reply {
    my ($message, $members) = @_;

    my $body = pack('V', 0) . "\0" . document($members);

    return pack('V4', 16 + length $body, 1, unpack('x4 V', $message), 2013)
           . $body;
}


# The same with other bytes in one place; and in the place of an answer.

sub other {
    my ($bytes, $at, $others) = @_;

    substr $bytes, $at, length $others, $others;

    return $bytes;
}


sub reply_to {
    my ($bytes, $members) = @_;

    my $body = pack('V', 0) . "\0" . document($members);

    return pack('V', 16 + length $body) . substr($bytes, 4, 12) . $body;
}


sub document { return pack('V', 5 + length $_[0]) . "$_[0]\0" }
sub int32    { return "\x10$_[0]\0" . pack('V', $_[1]) }
sub double   { return "\x01$_[0]\0" . pack('d<', $_[1]) }


sub string {
    my ($name, $value) = @_;

    return "\x02$name\0" . pack('V', 1 + length $value) . "$value\0";
}


1;
