package Msgbus::Soak::Readers;

# Subscribers of a soak: processes of Msgbus::Soak::Law that read streams and
# long-polls by the dozen, that read history, and that leave or do not read.

use strict;
use warnings;

use Socket qw(SOL_SOCKET SO_RCVBUF);
use Time::HiRes qw(sleep);

use Msgbus::Client;
use Msgbus::Law;
use Msgbus::Stream;


# A stream has a ping each 3 s, and a long-poll waits 10 s: one that is open and
# silent for so long hangs.

my $wait = 10;
my $hangs = 40;


sub now { return Msgbus::Client::now() }


# --- readers who follow

sub follow {
    my ($law, $specs, $tell, $is_over) = @_;

    my @readers;

    for my $spec (@$specs) {
        my ($form, $to, $n) = @$spec;

        push @readers, {
            form    => $form,
            to      => $to,
            who     => "reader.$$." . @readers,
            channel => $n eq '*' ? '*' : "$law->{prefix}/c$n",
            uri     => $n eq '*' ? "$law->{prefix}?events=all&"
                                 : "$law->{prefix}/c$n?",
            cursor  => $law->{from},
            due     => 0,
        };
    }

    until ($is_over->()) {
        my $now = now();
        my $bits = '';

        for my $reader (@readers) {
            come($reader) if !$reader->{client} && $now >= $reader->{due};

            my $client = $reader->{client} or next;

            if ($now - $reader->{heard} > $hangs) {
                $tell->('hung', "$reader->{form} of $reader->{uri} after "
                                . "$reader->{cursor}: nothing for $hangs s");
                leave($reader);
                next;
            }

            vec($bits, fileno $client->{sock}, 1) = 1;
        }

        # not at each event at once: so some come together, as they do anyway

        my $n = select my $ready = $bits, undef, undef, 0.2;

        next if $n <= 0;

        for my $reader (grep { $_->{client} } @readers) {
            next if !vec $ready, fileno $reader->{client}{sock}, 1;

            $reader->{heard} = now();

            eval {
                $reader->{form} eq 'wait' ? take_page($law, $reader)
                                          : take_stream($law, $reader);
                1;
            } or do {
                $law->{tell_as}->($reader->{who}, 'broken', $@);
                leave($reader);
            };
        }

        sleep 0.05;
    }

    leave($_) for @readers;

    return;
}


sub come {
    my ($reader) = @_;

    $reader->{heard} = now();

    if ($reader->{form} eq 'wait') {
        my $client = Msgbus::Client->new(to => $reader->{to},
                                         agent => 'reader/1.0');
        my $uri = "$reader->{uri}last-known-id=$reader->{cursor}&wait=$wait";

        if ($client->connect || $client->send($client->format(GET => $uri))) {
            $reader->{due} = now() + 0.2 + rand 0.5;
            return;
        }

        $reader->{client} = $client;
        return;
    }

    my $stream = Msgbus::Stream->new(to => $reader->{to}, uri => $reader->{uri},
                                     sse => $reader->{form} eq 'sse',
                                     cursor => $reader->{cursor}, follow => 1);

    if (!$stream->open) {
        $reader->{due} = now() + 0.2 + rand 0.5;
        return;
    }

    $reader->{stream} = $stream;
    $reader->{client} = $stream->{client};

    return;
}


sub leave {
    my ($reader) = @_;

    $reader->{client}->close if $reader->{client};
    delete @$reader{qw(client stream)};

    $reader->{due} = now() + rand 0.3;

    return;
}


# One who reads several pages on a connection would be served by one worker.

sub take_page {
    my ($law, $reader) = @_;

    my $r = $reader->{client}->response('GET', now() + 30);
    my $tell = sub { $law->{tell_as}->($reader->{who}, @_) };

    leave($reader);

    if ($r->failure) {
        $tell->('hung', $r->error) if $r->failure eq 'timeout';
        $tell->('broken', $r->error) if $r->failure eq 'garbage';
        return;
    }

    if ($r->status == 503) {
        $reader->{due} = now() + 0.3;
        return;
    }

    my $last = $r->last_id // 'none';

    $tell->('answer', $reader->{channel}, $reader->{cursor}, $last, 0, 'cut',
            $r->gap ? 'gap' : 'ok');
    seen($tell, $reader, $_->{id}, $_->{data}, 0) for @{ $r->events };

    $reader->{cursor} = $last;

    return;
}


sub take_stream {
    my ($law, $reader) = @_;

    my $stream = $reader->{stream};
    my $tell = sub { $law->{tell_as}->($reader->{who}, @_) };

    $stream->take;

    if ($stream->{head} && $stream->{head} !~ /^HTTP\/1.1 200 /) {
        $tell->('broken', $stream->{head})
            if $stream->{head} !~ /^HTTP\/1.1 503 /;
        leave($reader);
        $reader->{due} = now() + 0.3;
        return;
    }

    my $from = $reader->{cursor};
    my @new;

    my $told = sub {
        my ($to, $gap) = @_;

        $tell->('answer', $reader->{channel}, $from, $to, 0, 'cut', $gap);
        seen($tell, $reader, @$_, 1) for @new;
        ($from, @new) = $to;
    };

    for my $event (splice @{ $stream->{events} }) {

        if (($event->{event} // '') eq 'msgbus.gap') {
            $told->($from, 'ok') if @new;

            my ($oldest) = $event->{block} =~ /"oldest":(\d+)/;

            $told->($event->{id} // $oldest - 1, 'gap');

        } elsif (defined $event->{data}) {
            push @new, [$event->{id},
                        $event->{data} =~
                        /"data":(.*?)(?:,"channel":"[^"]*")?\}\n?\z/s];
        }
    }

    my $cursor = $stream->{cursor};

    $cursor = $from if $cursor < $from && !$stream->{sse};
    $told->($cursor, 'ok') if @new || $cursor != $from;
    $reader->{cursor} = $cursor;

    leave($reader) if !$stream->{client};

    return;
}


sub seen {
    my ($tell, $reader, $id, $data, $stream) = @_;

    my ($p, $n) = ($data // '') =~ /^\{"p":(\d+),"n":(\d+)/;
    my $due = defined $p ? Msgbus::Law::payload($p, $n) : '';

    $due =~ tr/\r\n/  / if $stream;

    $tell->('seen', $reader->{channel}, $id, $p // 0, $n // 0,
            defined $data && $data eq $due ? 'same' : 'other');

    return;
}


# --- readers of history

# From an event that was acknowledged some time ago up to another one, each that
# was acknowledged between them has to come, once, in order.  The lines of a
# channel's file are "id time", of one width each.

my $width = 42;


sub past {
    my ($law, $number, $tell, $is_over) = @_;

    my $client = Msgbus::Client->new(to => $law->{to}[0], agent => 'past/1.0');

    until ($is_over->()) {
        my $n = int rand $law->{channels};
        my $file = "$law->{dir}/$law->{name}.idsc$n";

        if (open my $in, '<', $file) {
            my @lines = lines_of($in);

            look_back($law, $client, "$law->{prefix}/c$n", \@lines, $tell)
                if @lines > 2;
            close $in;
        }

        for (1 .. 20) {
            last if $is_over->();
            sleep 0.1;
        }
    }

    return;
}


# Some lines in a row, the most of them of the last minutes.

sub lines_of {
    my ($in) = @_;

    my $lines = int((-s $in) / $width);
    my $last = $lines > 1500 && rand() < 0.75 ? 1500 : $lines;
    my $from = $lines - $last + int rand $last;

    sysseek $in, $from * $width, 0;
    sysread $in, my $bytes, 400 * $width;

    return map { [map { $_ + 0 } split ' '] } split /\n/, $bytes;
}


sub look_back {
    my ($law, $client, $channel, $lines, $tell) = @_;

    my ($from, $to) = ($lines->[0][0], $lines->[-1][0]);
    my ($cursor, $tries, $may_miss) = ($from, 0, $from);
    my %seen;

    while ($cursor < $to) {
        my $r = $client->get("$channel?echo=true&max-events=100"
                             . "&last-known-id=$cursor");

        if ($r->failure || $r->status == 503) {
            $tell->('hung', $r->error) if ($r->failure // '') eq 'timeout';
            return if $tries++ > 20 || $law->{told};
            sleep 0.3;
            next;
        }

        my $events = $r->events;

        if ($r->gap) {

            # what is this young, no store forgets

            if (now() - $lines->[0][1] < $law->{keeps}) {
                $tell->('against', 'gap', "$channel after $cursor: a gap");
            }

            $may_miss = @$events ? $events->[0]{id} - 1 : $r->last_id;
        }

        for my $e (@$events) {
            if ($e->{id} <= $cursor) {
                $tell->('against', 'order', "$channel: $e->{id} in a page after "
                                            . $cursor);
            }

            $cursor = $e->{id};
            $seen{$cursor} = 1;
        }

        if ($r->last_id < $cursor) {
            $tell->('against', 'order', "$channel: the cursor went back from "
                                        . "$cursor to " . $r->last_id);
            return;
        }

        $cursor = $r->last_id;
    }

    for (grep { $_->[0] > $may_miss && $_->[0] > $from } @$lines) {
        $tell->('against', 'once', "history of $channel from $from to $to "
                                   . "lacks $_->[0]") if !$seen{ $_->[0] };
    }

    $tell->('looked', scalar @$lines);

    return;
}


# --- those who leave, and those who do not read

sub guests {
    my ($law, $number, $tell, $is_over) = @_;

    my @slow;

    until ($is_over->()) {
        my $client = Msgbus::Client->new(to => $law->{to}[0],
                                         agent => 'guest/1.0');
        my $channel = "$law->{prefix}/c" . int rand $law->{channels};
        my @accept = (Accept => rand() < 0.5 ? 'text/event-stream'
                                             : 'application/x-ndjson');
        my $request = (
            $client->format(GET => "$channel?last-known-id=latest&wait=20"),
            $client->format(GET => $channel, undef, @accept),
            $client->format(GET => "$law->{prefix}?events=all", undef, @accept),
            $client->format(GET => "$channel?echo=true&max-events=500"
                                   . '&last-known-id=0'),
            $client->format(POST => $law->{prefix} =~ s/[^\/]*\z/guests/r,
                            '[' . '1,' x 5_000 . '1]'),
        )[rand 5];

        # it may leave in the middle of its request, too

        $request = substr $request, 0, rand length $request if rand() < 0.2;

        if (!$client->connect && rand() < 0.3) {
            setsockopt $client->{sock}, SOL_SOCKET, SO_RCVBUF, 4096;
        }

        if ($client->{sock} && !$client->send($request)) {
            push @slow, [$client, now() + (rand() < 0.2 ? 30 : rand 3)];
            $tell->('guest');
        }

        for (grep { $_->[1] < now() } @slow) {
            rand() < 0.5 && $_->[0]{sock} ? $_->[0]->reset : $_->[0]->close;
        }

        @slow = grep { $_->[1] >= now() } @slow;
        sleep rand 0.8;
    }

    return;
}


1;
