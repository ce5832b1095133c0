package Msgbus::Http2;

# A client of HTTP/2 that keeps no rule by itself: each frame is sent as the
# test wants it, so that those which no library would send can be sent too.
#
#     my $h2 = Msgbus::Http2->new(to => "127.0.0.1:$port");
#     my $id = $h2->headers(GET => '/c', [], 1);
#     my $answer = $h2->answer($id);
#
# An answer has {status}, {body}, {ended} and {reset}, with the code; it is
# "undef" where the connection ended, or the time.  {window} of new() is what
# the server may send on a stream at first; nothing opens it again but
# window().

use strict;
use warnings;

use Msgbus::Client;


our %TYPE = (DATA => 0, HEADERS => 1, RST_STREAM => 3, SETTINGS => 4, PING => 6,
             GOAWAY => 7, WINDOW_UPDATE => 8, CONTINUATION => 9);

our ($END_STREAM, $END_HEADERS, $PADDED) = (1, 4, 8);

my @indexed = (200, 204, 206, 304, 400, 404, 500);


sub new {
    my ($class, %o) = @_;

    my $self = bless { window => 65535, %o, next => 1, in => '',
                       answers => {} }, $class;

    my $client = $self->{client} = Msgbus::Client->new(to => $self->{to});

    $client->connect and return $self;
    $client->send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    $self->frame('SETTINGS', 0, 0, pack 'nN', 4, $self->{window});

    return $self;
}


# Any frame: a type by its name, flags, a stream's id, and its bytes.

sub frame {
    my ($self, $type, $flags, $stream, $bytes) = @_;

    return $self->{client}->send(packed($type, $flags, $stream, $bytes));
}


sub packed {
    my ($type, $flags, $stream, $bytes) = @_;

    return substr(pack('N', length $bytes), 1)
           . pack('CCN', $TYPE{$type}, $flags, $stream) . $bytes;
}


sub number {
    my ($n, $max) = @_;

    return pack 'C', $n if $n < $max;

    my $bytes = pack 'C', $max;

    for ($n -= $max; $n >= 128; $n >>= 7) {
        $bytes .= pack 'C', $n & 127 | 128;
    }

    return $bytes . pack 'C', $n;
}


# A list of names and values, none of them compressed.

sub block {
    my (@fields) = @_;

    my $bytes = '';

    while (my ($name, $value) = splice @fields, 0, 2) {
        $bytes .= "\0" . number(length $name, 127) . $name
                  . number(length $value, 127) . $value;
    }

    return $bytes;
}


# Begins a request; returns the id of its stream.

sub headers {
    my ($self, $method, $path, $headers, $end) = @_;

    my $id = $self->{next};

    $self->{next} += 2;
    $self->{answers}{$id} = { status => 0, body => '', ended => 0 };

    $self->frame('HEADERS', $END_HEADERS | ($end ? $END_STREAM : 0), $id,
                 block(':method', $method, ':path', $path, ':scheme', 'http',
                       ':authority', 'bus', 'user-agent', 'test/2.0',
                       map { lc } @$headers));

    return $id;
}


sub data {
    my ($self, $id, $bytes, $end) = @_;

    return $self->frame('DATA', $end ? $END_STREAM : 0, $id, $bytes);
}


# Of a stream, or with 0 of the connection.

sub window {
    my ($self, $id, $more) = @_;

    return $self->frame('WINDOW_UPDATE', 0, $id, pack 'N', $more);
}


sub reset {
    my ($self, $id) = @_;

    return $self->frame('RST_STREAM', 0, $id, pack 'N', 8);
}


# A whole request as Msgbus::Client has it, and its stream's id.

sub request {
    my ($self, $method, $path, $body, @headers) = @_;

    my $id = $self->headers($method, $path, \@headers, !defined $body);

    $self->data($id, $body, 1) if defined $body;

    return $id;
}


# Takes the frames that are there.  False at the end of the connection.

sub take {
    my ($self) = @_;

    my $client = $self->{client};
    my $more = $client->{sock} && defined $client->read_some;

    $self->{in} .= $client->{in};
    $client->{in} = '';

    while (length $self->{in} >= 9) {
        my ($size, $type, $flags, $id) =
            unpack 'NCCN', "\0" . substr $self->{in}, 0, 9;

        last if length $self->{in} < 9 + $size;

        my $bytes = substr $self->{in}, 9, $size;

        substr($self->{in}, 0, 9 + $size) = '';
        $self->see($type, $flags, $id & 0x7fffffff, $bytes);
    }

    $self->{over} ||= !$more;

    return $more;
}


sub see {
    my ($self, $type, $flags, $id, $bytes) = @_;

    my $answer = $self->{answers}{$id} || {};

    if ($type == $TYPE{HEADERS}) {
        $answer->{status} ||= status($bytes);
        $answer->{ended} = $flags & $END_STREAM;

    } elsif ($type == $TYPE{DATA}) {
        $answer->{body} .= $bytes;
        $answer->{ended} = $flags & $END_STREAM;

    } elsif ($type == $TYPE{RST_STREAM}) {
        $answer->{reset} = unpack 'N', $bytes;
        $answer->{ended} = 1;

    } elsif ($type == $TYPE{SETTINGS} && !($flags & 1)) {
        $self->frame('SETTINGS', 1, 0, '');

    } elsif ($type == $TYPE{PING} && !($flags & 1)) {
        $self->frame('PING', 1, 0, $bytes);

    } elsif ($type == $TYPE{GOAWAY}) {
        $self->{over} = 1;
    }

    return;
}


# the only field that is looked at comes first

sub status {
    my ($bytes) = @_;

    $bytes =~ s/\A[\x20-\x3f]//;

    my $first = ord $bytes;

    return $indexed[$first - 0x88] if $first >= 0x88 && $first <= 0x8e;
    return $1 if $bytes =~ /\A[\x08\x48]\x03(\d\d\d)/;
    die 'no status first: ' . unpack('H*', $bytes) . "\n";
}


# Reads until is_done() or the end of the connection or the time; returns what
# is_done() does.

sub until {
    my ($self, $seconds, $is_done) = @_;

    my $until = Msgbus::Client::now() + $seconds;

    for ( ;; ) {
        my $more = $self->take;
        my $done = $is_done->();

        return $done if $done || !$more || $self->{over};

        # what send() has found when it looked for an end
        next if length $self->{client}{in};

        return $done if !$self->{client}->wait_for('read', $until);
    }
}


sub answer {
    my ($self, $id, $seconds) = @_;

    my $answer = $self->{answers}{$id};

    return $self->until($seconds // $self->{client}{timeout},
                        sub { $answer->{ended} }) ? $answer : undef;
}


# How one leaves: "goaway", "close", or "reset" as of TCP.

sub leave {
    my ($self, $how) = @_;

    if ($how eq 'reset') {
        return $self->{client}->reset;
    }

    $self->frame('GOAWAY', 0, 0, pack 'NN', 0, 0) if $how eq 'goaway';

    return $self->{client}->close;
}


1;
