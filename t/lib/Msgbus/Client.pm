package Msgbus::Client;

# An HTTP client that shows what is on the wire.
#
# One object is one connection, kept alive over requests and opened again when
# the server has closed it in between.  It never retries: a request that gets
# no answer is reported as such, once.  Every call ends within "timeout"
# seconds; what went wrong is then a sentence in $response->error, and
# $response->failure is one of
#
#     refused     no connection, so nothing was sent
#     lost        closed or reset before the whole answer was there
#     timeout     still open, but no whole answer in time: a hung request
#     garbage     bytes that are no HTTP answer
#
# For tests that are about the bytes: send() writes any of them as they are,
# trickle() one by one, response() reads one answer.

use strict;
use warnings;

use Errno qw(EAGAIN EWOULDBLOCK EINTR EINPROGRESS);
use IO::Socket::IP;
use IO::Socket::UNIX;
use Socket qw(IPPROTO_TCP TCP_NODELAY SOL_SOCKET SO_LINGER SOCK_STREAM);
use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC sleep);


our $TIMEOUT = 10;


# to => "127.0.0.1:8080", "[::1]:8080" or "unix:/path"

sub new {
    my ($class, %o) = @_;

    return bless {
        agent   => 'test/1.0 uuid/00000000-0000-4000-8000-000000000001',
        timeout => $TIMEOUT,
        %o,
        in      => '',
    }, $class;
}


sub now { return clock_gettime(CLOCK_MONOTONIC) }


# --- requests

# (uri, headers) and (uri, body, headers)

sub get     { return bodyless('GET', @_) }
sub head    { return bodyless('HEAD', @_) }
sub options { return bodyless('OPTIONS', @_) }


sub bodyless {
    my ($method, $self, $uri, @headers) = @_;

    return $self->request($method, $uri, undef, @headers);
}


sub post {
    my ($self, $uri, $body, @headers) = @_;

    return $self->request('POST', $uri, $body, @headers);
}


sub request {
    my ($self, $method, $uri, $body, @headers) = @_;

    my $until = now() + $self->{timeout};

    my $failed = $self->connect($until)
              || $self->send($self->format($method, $uri, $body, @headers),
                             $until);

    # a server may answer and close before it has read everything
    if ($failed && !$self->{sock}) {
        return $failed;
    }

    my $r = $self->response($method, $until);

    if ($r->failure) {
        $r->{error} .= " ($method $uri)";
    }

    return $r;
}


# The bytes of a request, to the host "bus" unless a header says another.  The
# body may be undef (none), a string (Content-Length) or an array of strings
# (chunked, a chunk each).

sub format {
    my ($self, $method, $uri, $body, @headers) = @_;

    my %given = map { lc } @headers;
    my $out = "$method $uri HTTP/1.1\r\n";

    $out .= "Host: bus\r\n" if !exists $given{host};

    $out .= "User-Agent: $self->{agent}\r\n" if defined $self->{agent};

    while (my ($name, $value) = splice @headers, 0, 2) {
        $out .= "$name: $value\r\n";
    }

    return "$out\r\n" if !defined $body;

    if (ref $body) {
        return "${out}Transfer-Encoding: chunked\r\n\r\n"
               . join('', map { sprintf "%x\r\n%s\r\n", length $_, $_ } @$body)
               . "0\r\n\r\n";
    }

    return $out . 'Content-Length: ' . length($body) . "\r\n\r\n$body";
}


# Sends all requests before it reads the first answer.  Each is an array as
# request() takes it.  The answers come in order; fewer than requests when the
# server closed the connection, and then a failure is the last.

sub pipeline {
    my ($self, @requests) = @_;

    my $until = now() + $self->{timeout};
    my $bytes = join '', map { $self->format(@$_) } @requests;

    my $failed = $self->connect($until) || $self->send($bytes, $until);

    return $failed if $failed && !$self->{sock};

    my @answers;

    for my $request (@requests) {
        my $r = $self->response($request->[0], $until);

        push @answers, $r;

        if ($r->failure) {
            $r->{error} .= " ($request->[0] $request->[1])";
            last;
        }
    }

    return @answers;
}


# --- the connection

# Nothing to do when it is open.  Returns a failure or undef.

sub connect {
    my ($self, $until) = @_;

    $self->close if $self->{sock} && $self->is_closed;

    return if $self->{sock};

    $until //= now() + $self->{timeout};

    my $left = $until - now();
    $left = 0.001 if $left < 0.001;

    my $sock;

    if ($self->{to} =~ /^unix:(.*)/) {
        $sock = IO::Socket::UNIX->new(Type => SOCK_STREAM, Peer => $1);

    } else {
        my ($host, $port) = $self->{to} =~ /^\[?(.*?)\]?:(\d+)$/
            or die qq{no address: "$self->{to}"\n};

        $sock = IO::Socket::IP->new(PeerHost => $host, PeerPort => $port,
                                    Type => SOCK_STREAM, Timeout => $left);

        setsockopt $sock, IPPROTO_TCP, TCP_NODELAY, 1 if $sock;
    }

    if (!$sock) {
        return failure('refused', "cannot connect to $self->{to}: $!");
    }

    $sock->blocking(0);
    binmode $sock;

    $self->{sock} = $sock;
    $self->{in} = '';

    return;
}


sub close {
    my ($self) = @_;

    my $sock = delete $self->{sock} or return;

    $self->{in} = '';
    CORE::close $sock;

    return;
}


# Leaves with a TCP reset instead of a goodbye.

sub reset {
    my ($self) = @_;

    setsockopt $self->{sock}, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0);

    return $self->close;
}


# True when the server has closed the connection: at once, or within a time.

sub is_closed {
    my ($self, $within) = @_;

    my $until = now() + ($within // 0);

    while ($self->{sock}) {
        my $had = length $self->{in};
        my $n = sysread $self->{sock}, $self->{in}, 65536, $had;

        return 1 if defined $n && $n == 0;

        if (!defined $n) {
            return 1 if !again();
            return 0 if !$self->wait_for('read', $until);
        }
    }

    return 1;
}


# --- bytes

# Writes everything or returns a failure.  When the server has closed its
# side, the socket stays open for reading what it had to say.

sub send {
    my ($self, $bytes, $until) = @_;

    $until //= now() + $self->{timeout};

    my $failed = $self->connect($until);
    return $failed if $failed;

    local $SIG{PIPE} = 'IGNORE';

    my $off = 0;

    while ($off < length $bytes) {
        my $n = syswrite $self->{sock}, $bytes, length($bytes) - $off, $off;

        if (defined $n) {
            $off += $n;
            next;
        }

        return failure('lost', "cannot write: $!") if !again();

        # a pipelining client must read while it writes, or both sides
        # stand still when all the buffers are full
        $self->read_some;

        if (!$self->wait_for('write', $until)) {
            $self->close if now() >= $until;
            return failure('timeout', 'the server does not read');
        }
    }

    return;
}


# Sends the bytes one by one, each in a packet of its own.

sub trickle {
    my ($self, $bytes, $pause) = @_;

    for my $byte (split //, $bytes) {
        my $failed = $self->send($byte);
        return $failed if $failed;

        sleep($pause // 0.001);
    }

    return;
}


sub again { return $! == EAGAIN || $! == EWOULDBLOCK || $! == EINTR }


sub wait_for {
    my ($self, $what, $until) = @_;

    my $bits = '';
    vec($bits, fileno $self->{sock}, 1) = 1;

    for ( ;; ) {
        my $left = $until - now();
        return 0 if $left <= 0;

        my ($r, $w) = $what eq 'read' ? ($bits, undef) : ($bits, $bits);
        my $n = select $r, $w, undef, $left;

        # -1 is a signal, which is no reason to give up
        return $n if $n >= 0;
    }
}


# Returns the number of bytes that came, 0 when none are there yet, undef at
# the end of the connection.

sub read_some {
    my ($self) = @_;

    my $n = sysread $self->{sock}, $self->{in}, 262144, length $self->{in};

    return $n      if $n;
    return undef   if defined $n;
    return 0       if again();
    return undef;
}


# More bytes by the time of $until, or a word on why not.

sub more {
    my ($self, $until) = @_;

    for ( ;; ) {
        my $n = $self->read_some;

        return 'lost' if !defined $n;
        return        if $n;
        return 'timeout' if !$self->wait_for('read', $until);
    }
}


# --- answers

# Reads one answer; interim ones (100) are kept in $response->{interim}.

sub response {
    my ($self, $method, $until) = @_;

    $until //= now() + $self->{timeout};

    return failure('lost', 'there is no connection') if !$self->{sock};

    my $r = bless { interim => [], head => '', body => '', error => '' },
                  'Msgbus::Response';

    my $why = $self->read_head($r, $until)
           || $self->read_body($r, $method // 'GET', $until);

    if (!$why) {
        $self->close if $r->{last};
        return $r;
    }

    my $said = length $r->{head} ? ' in the middle of an answer' : '';

    $r->{failure} = $why;
    $r->{error} = $why eq 'timeout' ? "no answer in $self->{timeout} s"
                : $why eq 'lost'    ? "the connection was lost$said"
                :                     'this is no HTTP answer: "'
                                      . substr($self->{in}, 0, 80) . '"';
    $r->{error} .= $said if $why eq 'timeout';

    $self->close;

    return $r;
}


sub read_head {
    my ($self, $r, $until) = @_;

    for ( ;; ) {
        if ($self->{in} =~ s/\A(HTTP\/(\d\.\d)[ ](\d\d\d)[^\r\n]*\r\n
                               (?:[^\r\n]+\r\n)*)\r\n//x)
        {
            if ($3 == 100) {
                push @{ $r->{interim} }, $3;
                next;
            }

            @$r{qw(head version status)} = ($1, $2, $3);
            last;
        }

        return 'garbage'
            if $self->{in} !~ /\A(?:H(?:T(?:T(?:P(?:\/.*)?)?)?)?)?\z/s
               || $self->{in} =~ /\r\n\r\n/;

        my $why = $self->more($until);
        return $why if $why;
    }

    while ($r->{head} =~ /^([^:\r\n]+): *([^\r\n]*)\r\n/mg) {
        push @{ $r->{headers}{lc $1} }, $2;
    }

    return;
}


sub read_body {
    my ($self, $r, $method, $until) = @_;

    my $length = $r->header('Content-Length');
    my $coding = $r->header('Transfer-Encoding') // '';

    $r->{last} = ($r->header('Connection') // '') =~ /\bclose\b/i
              || ($r->{version} eq '1.0'
                  && ($r->header('Connection') // '') !~ /keep-alive/i);

    if ($method eq 'HEAD' || $r->{status} == 204 || $r->{status} == 304) {
        return;
    }

    if ($coding eq 'chunked') {
        return $self->read_chunks($r, $until);
    }

    if (defined $length) {
        while (length $self->{in} < $length) {
            my $why = $self->more($until);
            return $why if $why;
        }

        $r->{body} = substr $self->{in}, 0, $length, '';
        return;
    }

    # up to the end of the connection

    $r->{last} = 1;

    for ( ;; ) {
        my $why = $self->more($until) or next;
        return $why if $why eq 'timeout';
        last;
    }

    $r->{body} = $self->{in};

    return;
}


sub read_chunks {
    my ($self, $r, $until) = @_;

    for ( ;; ) {
        if ($self->{in} =~ /\A([0-9a-fA-F]+)\r\n/) {
            my ($head, $size) = (length $&, hex $1);

            if (length $self->{in} >= $head + $size + 2) {
                $r->{body} .= substr $self->{in}, $head, $size;

                return 'garbage'
                    if substr($self->{in}, $head + $size, 2) ne "\r\n";

                substr $self->{in}, 0, $head + $size + 2, '';

                return if $size == 0;
                next;
            }

        } elsif ($self->{in} =~ /\A[^\r\n]*[^0-9a-fA-F\r\n]/) {
            return 'garbage';
        }

        my $why = $self->more($until);
        return $why if $why;
    }
}


sub failure {
    my ($kind, $sentence) = @_;

    return bless { failure => $kind, error => $sentence, head => '',
                   body => '', interim => [] }, 'Msgbus::Response';
}


package Msgbus::Response;

use JSON::PP ();


# The status is 0 when there was no answer; "failure" and "error" say why.

sub status  { return $_[0]{status} // 0 }
sub body    { return $_[0]{body} }
sub failure { return $_[0]{failure} }
sub error   { return $_[0]{error} }


sub header {
    my ($self, $name) = @_;

    my $values = $self->{headers}{lc $name} or return undef;

    return $values->[0];
}


sub id      { return $_[0]->header('Msgbus-Id') }
sub last_id { return $_[0]->header('Msgbus-Last-Id') }


# Whether a gap was told; any value but "true" is against the law.

sub gap {
    my ($self) = @_;

    my $gap = $self->header('Msgbus-Gap') // return 0;

    die qq{Msgbus-Gap: "$gap"\n} if $gap ne 'true';

    return 1;
}


sub json { return JSON::PP->new->utf8->decode($_[0]{body}) }


# The events of a read's answer: [{ id, user_agent, created_at, age, data }],
# data as the bytes that were posted.  Dies when the answer is not, to the
# byte, of the form that a client of the bus was promised.

my $string = qr/"((?:[^"\\\x00-\x1f]++|\\.)*+)"/;

my $front = qr/\G\{"id":(\d+),"user_agent":$string,
               "created_at":"(\d{4}-\d\d-\d\d\x20\d\d:\d\d:\d\dZ)",
               "age":(\d+),"data":/x;

# one object or array, found by its brackets

my $value = qr/\G(?<value>
                   \{ (?: [^"{}\[\]]++ | "(?:[^"\\]++|\\.)*+" | (?&value) )*+ \}
                 | \[ (?: [^"{}\[\]]++ | "(?:[^"\\]++|\\.)*+" | (?&value) )*+ \]
               )/xs;

sub events {
    my ($self) = @_;

    return [] if $self->status == 204;

    die $self->error . "\n" if $self->failure;
    die "no answer with events: $self->{head}\n$self->{body}\n"
        if $self->status != 200;

    my @events;

    for ($self->{body}) {
        pos = undef;

        /\G\{"channel":$string,"events":\[/gc
            or die "no events: $_\n";

        while (/$front/gc) {
            my %event;

            @event{qw(id user_agent created_at age)} = ($1, $2, $3, $4);

            /$value/gc or die 'no data at byte ' . pos() . " of $_\n";

            $event{data} = $+{value};

            # with events=parent and events=all
            $event{channel} = $1 if /\G,"channel":$string/gc;

            /\G\}/gc or die 'no end of an event at byte ' . pos() . " of $_\n";

            push @events, \%event;

            /\G,(?=\{)/gc or last;
        }

        /\G\]\}\z/gc or die 'no end of events at byte ' . pos() . " of $_\n";
    }

    return \@events;
}


1;
