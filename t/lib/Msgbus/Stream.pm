package Msgbus::Stream;

# A reader of a stream, SSE or NDJSON, that shows what came to the byte.
#
#     my $stream = Msgbus::Stream->new(to => $to, uri => '/c', sse => 1);
#     $stream->open;
#     Msgbus::Stream->read_until(5, sub { $stream->{events}[2] }, $stream);
#
# $stream->{body} is what came, chunks taken off; {head} the header; {events}
# what was in it: { id, data, event, block }, a ping has an id alone; {cursor}
# the id to come back with; {n} how many events there were.  {ended} says how it
# ended: "whole" by a last chunk, "cut" without one.
#
# With follow => 1 it comes back by itself, with its cursor; {opened} counts.

use strict;
use warnings;

use Msgbus::Nginx;


sub new {
    my ($class, %o) = @_;

    return bless {
        sse     => 1,
        headers => [],
        agent   => 'reader/1.0',
        opened  => 0,
        n       => 0,
        %o,
        events  => [],
    }, $class;
}


sub now { return Msgbus::Client::now() }


# Sends the request; the answer is for read_until().  Returns whether it could.

sub open {
    my ($self) = @_;

    my $client = Msgbus::Client->new(to => $self->{to},
                                     agent => $self->{agent});
    my @cursor = defined $self->{cursor}
               ? ('Last-Event-ID', $self->{cursor}) : ();
    my $type = $self->{sse} ? 'text/event-stream' : 'application/x-ndjson';

    my $request = $client->format(GET => $self->{uri}, undef,
                                  Accept => $type, @{ $self->{headers} },
                                  @cursor);

    $request =~ s/HTTP\/1\.1/HTTP\/1.0/ if $self->{old};

    $self->{$_} = '' for qw(head raw body rest ended);
    $self->{opened}++;

    return !$client->connect && !$client->send($request)
        && ($self->{client} = $client);
}


sub close {
    my ($self) = @_;

    (delete $self->{client})->close if $self->{client};

    return;
}


sub reset {
    my ($self) = @_;

    (delete $self->{client})->reset if $self->{client};

    return;
}


# Reads all of @streams until done() is true, at most so many seconds, and more
# where TEST_NGINX_PATIENCE says so.  Returns what done() does.

sub read_until {
    my ($class, $seconds, $done, @streams) = @_;

    my $until = now() + $seconds * $Msgbus::Nginx::PATIENCE;

    for ( ;; ) {
        for my $stream (grep { $_->{follow} && !$_->{client} } @streams) {
            $stream->open;
        }

        my $bits = '';

        for my $stream (grep { $_->{client} } @streams) {
            vec($bits, fileno $stream->{client}{sock}, 1) = 1;
        }

        my $n = select my $ready = $bits, undef, undef, 0.02;

        if ($n > 0) {
            for my $stream (grep { $_->{client} } @streams) {
                $stream->take
                    if vec $ready, fileno $stream->{client}{sock}, 1;
            }
        }

        my $is_done = $done->();

        return $is_done if $is_done || now() > $until;
    }
}


sub take {
    my ($self) = @_;

    my $client = $self->{client};
    my $n = $client->read_some;

    $self->{raw} .= $client->{in};
    $client->{in} = '';

    $self->unwrap;

    if (!defined $n) {
        $self->{ended} ||= $self->{plain} ? 'whole' : 'cut';
        $self->close;

    } elsif ($self->{ended}) {
        $self->close;
    }

    return;
}


sub unwrap {
    my ($self) = @_;

    if (!$self->{head}) {
        $self->{raw} =~ s/\A(HTTP.*?\r\n)\r\n//s or return;
        $self->{head} = $1;
        $self->{plain} = $1 !~ /^Transfer-Encoding: chunked/mi;
    }

    my $came = '';

    if ($self->{plain}) {
        $came = $self->{raw};
        $self->{raw} = '';
    }

    while ($self->{raw} =~ /\A([0-9a-f]+)\r\n/i) {
        my ($head, $size) = (length $&, hex $1);

        last if length $self->{raw} < $head + $size + 2;

        $came .= substr $self->{raw}, $head, $size;
        die "no chunk: $self->{raw}\n"
            if substr($self->{raw}, $head + $size, 2) ne "\r\n";

        substr($self->{raw}, 0, $head + $size + 2) = '';

        if ($size == 0) {
            $self->{ended} = 'whole';
            last;
        }
    }

    $self->{body} .= $came if !$self->{follow};
    $self->{rest} .= $came;
    $self->parse;

    return;
}


sub parse {
    my ($self) = @_;

    my $block = $self->{sse} ? qr/\A(.*?\n)\n/s : qr/\A([^\n]*\n)/;

    while ($self->{rest} =~ s/$block//) {
        my %event = (block => $1);

        if ($self->{sse}) {
            $event{$1} = $2 while $event{block} =~ /^(\w+): ?(.*)$/mg;

            if (($event{event} // '') eq 'msgbus.ping') {
                delete @event{qw( data event )};
            }

        } else {
            $event{data} = $event{block};
            $event{id} = $1 if $event{block} =~ /^\{"(?:id|ping)":(\d+)/;
            delete $event{data} if $event{block} =~ /^\{"ping"/;
            $event{event} = 'msgbus.gap' if $event{block} =~ /^\{"gap"/;
        }

        $self->{cursor} = $event{id} if defined $event{id};
        $self->{n}++ if defined $event{data} && !$event{event};
        push @{ $self->{events} }, \%event;
    }

    return;
}


# what was posted, of the events that came so far

sub posted {
    my ($self) = @_;

    return map { $_->{data} =~ /"data":(.*?)(?:,"channel":"[^"]*")?\}\n?\z/s
                 ? $1 : $_->{data} }
           grep { defined $_->{data} && !$_->{event} } @{ $self->{events} };
}


sub gaps { return grep { ($_->{event} // '') eq 'msgbus.gap' }
                  @{ $_[0]{events} } }


1;
