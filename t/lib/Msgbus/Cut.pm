package Msgbus::Cut;

# A proxy before a bus that lets streams of events pass, and cuts some of them
# off in the middle of an event.
#
#     my $cut = Msgbus::Cut->new(to => $nginx->{port}, log => "$dir/cuts",
#                                places => sub { 0 .. length $_[0] })->start;
#
# Its port is {port}, and the first part of a path tells the way:
#
#     /pass/a          goes to /a, and comes as it is
#     /broken/NAME/a   goes to /a.  The first event that comes is cut off: in
#                      NAME's first stream at the first of its places, in the
#                      second at the second, and so on; then the connection
#                      is closed, and the last chunk is missing
#     /clean/NAME/a    the same, but it ends as an answer ends: so proxies do
#                      that take HTTP/1.0 from the bus
#
# places() is called with the first event's block, and yields how many bytes of
# a block shall come.  When all have had their turn, streams pass.  The log has
# a line "WAY NAME PLACE" for each cut.
#
# Either way the time to come back after is a tenth of a second.  Between
# $cut->hold and $cut->let_go nobody's request is handed on: all are away.

use strict;
use warnings;

use IO::Select;
use IO::Socket::IP;
use POSIX ();
use Socket qw(IPPROTO_TCP TCP_NODELAY);


my $owner = $$;
my @running;


sub new {
    my ($class, %o) = @_;

    return bless { %o, turns => {}, pairs => {}, held => [] }, $class;
}


sub start {
    my ($self) = @_;

    $self->{listener} = IO::Socket::IP->new(LocalHost => '127.0.0.1',
                                            LocalPort => 0, Listen => 128)
        or die "cut: cannot listen: $!\n";
    $self->{port} = $self->{listener}->sockport;

    $self->{pid} = fork // die "cannot fork: $!\n";

    if (!$self->{pid}) {
        $SIG{$_} = 'DEFAULT' for qw(ALRM INT TERM HUP);
        $SIG{PIPE} = 'IGNORE';

        eval { $self->serve; 1 } or print STDERR "cut: $@";
        POSIX::_exit(0);
    }

    close delete $self->{listener};
    push @running, $self;

    return $self;
}


sub hold {
    my ($self) = @_;

    open my $file, '>', "$self->{log}.hold" or die "$self->{log}.hold: $!\n";
    close $file;

    return;
}


sub let_go { return unlink "$_[0]{log}.hold" }


sub stop {
    my ($self) = @_;

    my $pid = delete $self->{pid} or return;

    kill KILL => $pid;
    waitpid $pid, 0;

    return;
}


END {
    my $status = $?;

    if ($$ == $owner) {
        $_->stop for @running;
    }

    $? = $status;
}


# --- in the process of the proxy

sub serve {
    my ($self) = @_;

    my $select = $self->{select} = IO::Select->new($self->{listener});

    for ( ;; ) {
        my @ready = $select->can_read(@{ $self->{held} } ? 0.02 : undef);

        if (@{ $self->{held} } && !-e "$self->{log}.hold") {
            $self->hand_on($_) for splice @{ $self->{held} };
        }

        for my $sock (@ready) {
            if ($sock == $self->{listener}) {
                my $client = $sock->accept or next;

                $select->add($client);
                $self->{pairs}{$client} = { client => $client, in => '' };
                next;
            }

            my $pair = $self->{pairs}{$sock} or next;
            my $n = sysread $sock, my $bytes, 65536;

            if (!$n) {
                $self->end($pair);

            } elsif ($sock == $pair->{client}) {
                $self->request($pair, $bytes);

            } else {
                $self->answer($pair, $bytes);
            }
        }
    }
}


sub end {
    my ($self, $pair) = @_;

    $self->{held} = [grep { $_ != $pair } @{ $self->{held} }];

    for my $sock (grep { defined } @$pair{qw(client server)}) {
        delete $self->{pairs}{$sock};
        $self->{select}->remove($sock);
        close $sock;
    }

    return;
}


sub request {
    my ($self, $pair, $bytes) = @_;

    $pair->{in} .= $bytes;

    return if $pair->{in} !~ /\r\n\r\n\z/;

    # kept alive, it may ask once more
    if (my $old = delete $pair->{server}) {
        delete $self->{pairs}{$old};
        $self->{select}->remove($old);
        close $old;
    }

    return push @{ $self->{held} }, $pair if -e "$self->{log}.hold";
    return $self->hand_on($pair);
}


sub hand_on {
    my ($self, $pair) = @_;

    my $server = IO::Socket::IP->new(PeerHost => '127.0.0.1',
                                     PeerPort => $self->{to})
        or return $self->end($pair);

    setsockopt $_, IPPROTO_TCP, TCP_NODELAY, 1 for $server, $pair->{client};

    $pair->{server} = $server;
    $self->{pairs}{$server} = $pair;
    $self->{select}->add($server);

    # without chunks, what is cut is an event, and no chunk
    $pair->{in} =~ s{^GET /(pass|broken|clean)((?(?<=pass)|/[^/]+))(/\S*) HTTP/1.1}
                    {"GET $3 HTTP/1." . ($1 eq 'pass' ? 1 : 0)}e;

    @$pair{qw(way name out)} = ($1 // 'pass', $2 // '', '');
    delete $pair->{head};

    syswrite $server, $pair->{in};
    $pair->{in} = '';

    return;
}


sub answer {
    my ($self, $pair, $bytes) = @_;

    # of the same length, as chunks are
    $bytes =~ s/^retry: \d{4}$/retry: 0100/m;

    return syswrite $pair->{client}, $bytes if $pair->{way} eq 'pass';

    $pair->{out} .= $bytes;

    if (!$pair->{head}) {
        $pair->{out} =~ s/\A(HTTP.*?\r\n)\r\n//s or return;
        $pair->{head} = $1 =~ s/^Connection:.*\r\n//mir
                        . "Transfer-Encoding: chunked\r\n\r\n";

        syswrite $pair->{client}, $pair->{head};
    }

    while ($pair->{out} =~ s/\A(.*?\n\n)//s) {
        my $block = $1;
        my $place = $block =~ /^data: \{"id"/m ? $self->place($pair, $block)
                                               : undef;

        if (!defined $place) {
            chunk($pair, $block);
            next;
        }

        chunk($pair, substr $block, 0, $place) if $place;
        syswrite $pair->{client}, "0\r\n\r\n" if $pair->{way} eq 'clean';
        return $self->end($pair);
    }

    return;
}


sub chunk {
    my ($pair, $bytes) = @_;

    syswrite $pair->{client}, sprintf("%x\r\n%s\r\n", length $bytes, $bytes);

    return;
}


# how many bytes of this block shall come; undef: all, and what is behind it

sub place {
    my ($self, $pair, $block) = @_;

    my $turns = $self->{turns}{"$pair->{way}$pair->{name}"}
                //= [$self->{places}->($block)];

    return if !@$turns;

    my $place = shift @$turns;

    open my $log, '>>', $self->{log} or die "$self->{log}: $!\n";
    print $log "$pair->{way} ", substr($pair->{name}, 1), " $place\n";

    return $place;
}


1;
