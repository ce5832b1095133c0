# A client may leave wherever a request waits for something: nothing is left of
# it then, neither a reader who waits, nor a request, nor a connection.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Handlers;
use Msgbus::Http2;
use Msgbus::Nginx;


Msgbus::Nginx->limit(180);

my $port = Msgbus::Nginx::free_port();

my $nginx = Msgbus::Nginx->new(
    listen   => ["127.0.0.1:$port http2"],
    http     => 'msgbus_zone zone=bus:32m first_id=1;
                 msgbus_require_uuid off;
                 msgbus_jsonp on;
                 msgbus_scope exact parent all;
                 msgbus_ping 1h;
                 msgbus_max_response 8m;

                 # of its own nginx does not see every end of an idle connection
                 keepalive_timeout 200ms;
                 lingering_timeout 200ms;',
    location => 'location /bus/     { msgbus bus; }
                 location /after/   { msgbus bus; post_action @after; }
                 location /again/   { msgbus bus; post_action /bus/none?wait=1; }
                 location @after    { return 200; }
                 location /rate/    { msgbus bus; limit_rate 10; }
                 location = /health { msgbus_health bus; }
                 location = /status { stub_status; }',
)->start;

my ($worker) = $nginx->worker_pids;
my $client = $nginx->client;
my @places = qw( /bus /after /again );

{
    my $poster = $nginx->client(agent => 'poster/1.0 uuid/p');

    $poster->post('/bus/full', '[0]');
    $poster->post('/bus/long', '["' . 'x' x 900_000 . '"]') for 1 .. 6;
}

$client->get('/health');

my $sockets = $nginx->open_sockets;
my $event = '{"n":1}';
my $pause = 0.02 * $Msgbus::Nginx::PATIENCE;


# --- what is left

# Sooner than any wait ends by itself, and any time-out.

sub nothing_is_left {
    my ($title) = @_;

    my $left = 'nobody was asked';

    my $is_gone = eval {
        $nginx->until(3, 'all that was left to be gone', sub {
            my $health = $client->get('/health?verbose=true')->body;
            my $status = $client->get('/status')->body;
            my ($waiting) = $health =~ /"waiting_readers":(\d+)/;
            my ($writing) = $status =~ /Writing: (\d+)/;

            $left = "$waiting readers, " . ($writing - 1) . ' requests, '
                    . ($nginx->open_sockets - $sockets) . ' connections';

            return $left eq '0 readers, 0 requests, 0 connections';
        });
        1;
    };

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    return ok($is_gone, $title) || diag("left: $left, worker "
                                        . join ' ', $nginx->worker_pids);
}


sub bytes {
    my ($h, $place) = @_;

    my @request = Msgbus::Handlers->request($h, $place, '/health');

    # what a bare client sends has a length, even where there is no body

    return $client->format(@request);
}


# --- HTTP/1: each way to leave, wherever a request can stand

my @ways = qw( close reset );


# Everything at once, or up to a byte; with a pause, or none.

sub leave_at {
    my ($way, $bytes, $is_slow) = @_;

    my $leaver = $nginx->client;

    $leaver->send($bytes);
    select undef, undef, undef, $pause if $is_slow;
    $leaver->$way;

    return;
}

for my $h (Msgbus::Handlers->all) {
    for my $way (@ways) {
        for my $place ($h->{own} ? '/bus' : @places) {
            my $whole = bytes($h, $place);
            my ($head, $body) = $whole =~ /\A(.*?\r\n\r\n)(.*)\z/s;
            my $late = $head;

            # of a body that comes late, or in part
            if ($body eq '') {
                $late =~ s/\r\n\r\n\z/\r\nContent-Length: 5\r\n\r\n/;
                $body = '{"n"}';
            }

            (my $old = $whole) =~ s{HTTP/1\.1}{HTTP/1.0};

            leave_at($way, '', 0);
            leave_at($way, substr($head, 0, 30), 0);
            leave_at($way, $late, 0);
            leave_at($way, $late . substr($body, 0, 2), 0);

            # 20 of them: some come together with their end, some do not
            leave_at($way, $whole, 0) for 1 .. 20;
            leave_at($way, $old, 0) for 1 .. 5;
            leave_at($way, $late . $body, 0);

            # the next request stands behind it
            leave_at($way, $whole . $whole, 0) for 1 .. 5;
        }

        nothing_is_left("$h->{name}: $way at any time");
    }
}

# where it is held for sure

for my $h (grep { $_->{held} } Msgbus::Handlers->all) {
    for my $way (@ways) {
        my @leavers;

        for my $place (@places) {
            my $whole = bytes($h, $place);
            my ($late, $none) = ($whole) x 2;

            $late =~ s/\r\n\r\n/\r\nContent-Length: 5\r\n\r\n{"n/;
            $none =~ s/\r\n\r\n/\r\nTransfer-Encoding: chunked\r\n\r\n/;

            for my $bytes ($whole, $late, $none,
                           $late =~ s/\z/"}/r, $none =~ s/\z/0\r\n\r\n/r)
            {
                my $leaver = $nginx->client;

                $leaver->send($bytes);
                push @leavers, $leaver;
            }
        }

        $nginx->wait_for_readers(scalar @leavers);
        $_->$way for @leavers;

        nothing_is_left("$h->{name}: $way of who waits, whatever of a body is "
                        . 'still to come');
    }
}


# --- at the wake: the worker finds the event and the end in one turn

sub at_the_wake {
    my ($begin, $leave) = @_;

    for my $place (@places) {
        for my $is_first (0, 1) {
            my @leavers = map { $begin->($place) } 1 .. 5;

            $nginx->wait_for_readers(scalar @leavers);

            my $poster = $nginx->client;

            $poster->connect;
            $nginx->stop_worker($worker);

            $leave->(@leavers) if $is_first;
            $poster->send($poster->format(POST => "$place/none?wait", $event));
            $leave->(@leavers) if !$is_first;

            kill CONT => $worker;

            $poster->response('POST');
        }
    }

    return;
}

for my $h (grep { $_->{held} } Msgbus::Handlers->all) {
    my %h = (%$h, path => '/none?wait=20&last-known-id=latest');

    for my $way (@ways) {
        at_the_wake(sub {
            my $leaver = $nginx->client;

            $leaver->send(bytes(\%h, @_));

            return $leaver;
        }, sub { $_->$way for @_ });

        nothing_is_left("$h->{name}: $way while it is woken");
    }
}


# --- within the answer

for my $accept ('*/*', 'text/event-stream', 'application/x-ndjson') {
    for my $way (@ways) {
        for my $uri ((map { "$_/long?last-known-id=0" } @places),
                     '/rate/long?last-known-id=0')
        {
            my $leaver = $nginx->client;

            $leaver->send($leaver->format(GET => $uri, undef,
                                          Accept => $accept));
            $leaver->more($leaver->now + 10) if $uri !~ /rate/;
            $leaver->$way;
        }

        nothing_is_left("an answer of $accept: $way within it");
    }
}


# --- HTTP/2

sub h2 {
    my ($h, $place, %o) = @_;

    my $h2 = Msgbus::Http2->new(to => "127.0.0.1:$port", %o);

    my ($method, $uri, $body, @headers) =
        Msgbus::Handlers->request($h, $place, '/health');

    return ($h2, $method, $uri, $body, \@headers);
}

my %leave = (
    'a reset of the stream' => sub { $_[0]->reset($_[1]) },
    'GOAWAY'                => sub { $_[0]->leave('goaway') },
    'close'                 => sub { $_[0]->leave('close') },
    'a TCP reset'           => sub { $_[0]->leave('reset') },
);

for my $how (sort keys %leave) {
    for my $h (Msgbus::Handlers->all) {
        for my $place ($h->{own} ? '/bus' : @places) {
            for my $at (qw( begun body whole held )) {
                next if $at eq 'held' && !$h->{held};

                my ($h2, $method, $uri, $body, $headers) = h2($h, $place);
                my $id = $h2->headers($method, $uri, $headers,
                                      $at eq 'whole' || $at eq 'held');

                $h2->data($id, substr($body // '{}', 0, 2), 0)
                    if $at eq 'body';
                select undef, undef, undef, $pause if $at eq 'held';

                $leave{$how}->($h2, $id);

                next if !$h2->{client}{sock};

                # it lives on, but for the request

                my $answer = $h2->answer($h2->headers(GET => '/health', [], 1));

                fail("$h->{name}: a connection is lost")
                    if !$answer || $answer->{status} != 200;

                $h2->leave('close');
            }
        }

        nothing_is_left("$h->{name}, HTTP/2: $how at any time");
    }

    for my $h (grep { $_->{held} } Msgbus::Handlers->all) {
        my %h = (%$h, path => '/none?wait=20&last-known-id=latest');
        my @kept;

        at_the_wake(sub {
            my ($h2, $method, $uri, undef, $headers) = h2(\%h, @_);

            push @kept, $h2;

            return [$h2, $h2->headers($method, $uri, $headers, 1)];
        }, sub { $leave{$how}->(@$_) for @_ });

        $_->leave('close') for @kept;
        nothing_is_left("$h->{name}, HTTP/2: $how while it is woken");
    }

    # with a window that the answer fills
    for my $accept ('*/*', 'text/event-stream') {
        for my $window (0, 1000, 65535) {
            for my $place (@places) {
                my $h2 = Msgbus::Http2->new(to => "127.0.0.1:$port",
                                            window => $window);
                my $id = $h2->headers(GET => "$place/long?last-known-id=0",
                                      [Accept => $accept], 1);

                $h2->until(5, sub {
                    $h2->{answers}{$id}{status}
                        && length $h2->{answers}{$id}{body} >= $window;
                });
                $leave{$how}->($h2, $id);
                $h2->leave('close');
            }
        }

        nothing_is_left("an answer of $accept, HTTP/2: $how within it");
    }
}


is(join(' ', $nginx->worker_pids), $worker, 'the worker is the same');

$nginx->quit;
$nginx->no_alerts;

done_testing;
