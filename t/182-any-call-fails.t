# Whatever call fails in the middle of a request, for want of memory or otherwise,
# a client gets a right answer or none at all: what was acknowledged is there, what
# was refused is not, and a reader misses nothing unseen.  The worker goes on, and
# nothing is left behind.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Nginx;
use Msgbus::NthCall;
use Msgbus::Stream;


Msgbus::Nginx->limit(120);

my $calls = Msgbus::NthCall->new;
my $me = 'poster/1.0 uuid/poster';
my $n = 0;
my ($nginx, $worker, $reader, $sockets, $seen, %faults);


sub bus {
    my (%o) = @_;

    $nginx = Msgbus::Nginx->new(
        workers  => 1,
        http     => 'msgbus_require_uuid off; msgbus_jsonp on;
                     msgbus_scope exact parent all many;' . $o{http},
        location => 'location /         { msgbus bus; }
                     location /spilled/ { msgbus bus; client_body_buffer_size 1k; }
                     location /parked/  { msgbus bus; msgbus_park on after=1ms; }
                     location /page/    { msgbus bus; error_page 400 /at/page; }
                     location = /at/page { return 200 "a page\n"; }
                     location = /plain  { return 200; }
                     location = /status { msgbus_status; }
                     location = /channels { msgbus_channels bus; }
                     location = /health { msgbus_health bus; }',
    );

    $calls->start($nginx)
        or plan skip_all => 'no module is loaded whose calls could be made to fail';

    $nginx->until(10, 'the bus to be up', sub {
        return $nginx->client->get('/health')->status == 200;
    });

    ($worker) = $nginx->worker_pids;
    $sockets = $nginx->open_sockets($worker);
    $reader = $nginx->client(agent => 'reader/1.0 uuid/reader');
    $seen = 0;
    newer();

    return;
}


sub ended {
    $reader->close;

    is_deeply([$nginx->worker_pids], [$worker], 'the worker is the same');

    $nginx->wait_for_readers(0);
    ok($nginx->until(10, 'all connections to be closed', sub {
           return $nginx->open_sockets($worker) <= $sockets;
       }), '    and has no reader and no connection left');

    $nginx->quit;
    $nginx->no_alerts(qr/OpenSSL failed/, qr/no memory/);

    return;
}


# what the bus has, after an id; and how often each

sub newer {
    my @newer;

    for ( ;; ) {
        my $r = $reader->get("/?events=all&echo=true&last-known-id=$seen");

        die "the bus cannot be read: $r->{status} $r->{error}\n"
            if $r->status !~ /^20[04]$/;

        push @newer, @{ $r->events } if $r->status == 200;
        return @newer if $r->last_id == $seen;
        $seen = $r->last_id;
    }
}


# Runs something with each of its calls to fail, in the event loop or in a thread.
# What the module holds of memory is no more then: some blocks come and go with
# what was sent last, so that another time tells what is lost each time.

sub sweep {
    my ($what, $run, $thread, $once) = @_;

    $calls->fail(0, $worker);
    $run->();
    settle();

    my $before = $calls->live;
    my $posted = $n;
    my ($failing, $more);

    for my $time (1 .. 4) {
        $failing = $calls->each($worker, $run, $thread);
        settle();

        $more = $calls->live - $before;
        last if $more <= 0 || $thread || $once;
    }

    # a journal's index grows by what is posted
    $faults{"$more blocks of memory are lost"} = []
        if $more >= 4 && !$thread && ($n == $posted || $nginx->{http} !~ /_journal/);

    fault('the worker has ended') if "@{[$nginx->worker_pids]}" ne $worker;

    is(join('', map { "$_: @{ $faults{$_} }\n" } sort keys %faults), '',
       "$what: $failing calls fail" . ($thread ? ' in a thread' : ''));
    %faults = ();

    return;
}


sub fault {
    my ($what) = @_;

    push @{ $faults{$what} }, $calls->failed || 'no call';

    return;
}


# a post is what its answer says

sub post {
    my ($what, $count, $send, $thread) = @_;

    sweep($what, sub {
        my @data = map { "[$_]" } $n + 1 .. $n + $count;

        $n += $count;

        my $client = $nginx->client(agent => $me);
        my $r = $send->($client, @data);
        my $failed = $calls->failed;

        $calls->fail(0, $worker) if !$failed;

        my %got;

        $got{$_->{data} =~ /(\d+)/ ? $1 : ''}++ for newer();

        my @times = map { $got{$_} // 0 } $n - $count + 1 .. $n;
        my $stored = grep { $_ } @times;

        fault('it is stored twice') if grep { $_ > 1 } @times;

        if (!$r->status) {
            fault('no answer, though nothing failed') if !$failed;

        } elsif ($r->status =~ /^20[01]$/) {
            fault('an acknowledged event is not there') if $stored < $count;

        } elsif ($r->status < 500) {
            fault("it is the client's fault: $r->{status}");

        } else {
            my $said = $r->header('msgbus-stored') // 'none';

            fault("refused as stored: $said, and it is $stored of $count")
                if $said eq 'none' ? $stored
                 : $said eq 'all'  ? $stored < $count
                 : $said ne 'unknown' && $said != $stored;
        }
    }, $thread);

    return;
}


# A page is the same, or refused; and the same when nothing fails any more.

sub is_same {
    my ($what, $uri, $thread, @headers) = @_;

    my $client = $nginx->client(agent => $me);
    my $r;

    my $same = sub {
        $r = $client->get($uri, @headers);

        return $r->status if $uri =~ /status|health/;

        return join "\n", $r->status, $r->last_id // '', $r->gap // '',
                    $r->body =~ s/"age":\d+/"age":/gr;
    };

    my $right = $same->();

    sweep($what, sub {
        my $now = $same->();

        if (!$r->status) {
            fault('no answer, though nothing failed') if !$calls->failed;
            fault('no answer and no end') if $r->failure eq 'timeout';

        } elsif ($r->status < 500) {
            fault('it is another answer') if $now ne $right;
        }

        # a store that has failed is left alone for a while
        return if $r->status != 503 || !$calls->failed;

        $nginx->until(10, 'the same page', sub { return $same->() eq $right });
    }, $thread);

    return;
}


# A reader who waits, from a cursor on: the calls of the read, and of the post
# that comes, and of the answer fail.  He has it, or he knows that he has not.

sub reads {
    my ($what, $uri, @headers) = @_;

    newer();

    sweep($what, sub {
        my $from = $seen;
        my $client = $nginx->client(agent => 'reader/1.0 uuid/reader');

        $client->send($client->format(GET => "$uri&last-known-id=$from", undef,
                                      @headers));
        settle();
        $nginx->client(agent => $me)->post('/a', '[0]');
        $calls->fail(0, $worker) if !$calls->failed;
        settle();

        # so that the reader has something in any case
        $nginx->client(agent => $me)->post('/a', '[1]') while !newer();

        my $r = $client->response('GET', Msgbus::Client::now() + 2);

        if (!$r->status) {
            fault('no answer, though nothing failed') if !$calls->failed;
            fault('no answer and no end') if $r->failure eq 'timeout';

        } elsif ($r->status == 200) {
            fault('an event is passed by') if $r->events->[0]{id} != $from + 1;

        } elsif ($r->status == 204) {
            fault('an event is passed by') if $r->last_id != $from;

        } elsif ($r->status < 500) {
            fault("it is the client's fault: $r->{status}");
        }
    });

    return;
}


sub streams {
    my ($what, %o) = @_;

    newer();

    sweep($what, sub {
        my $from = $seen;
        my $stream = Msgbus::Stream->new(to => "127.0.0.1:$nginx->{port}",
                                         agent => 'reader/1.0', cursor => $from,
                                         %o);

        $stream->open;
        settle();
        $nginx->client(agent => $me)->post('/a', '[0]');
        settle();
        $calls->fail(0, $worker) if !$calls->failed;
        $nginx->client(agent => $me)->post('/a', '[1]') while !newer();

        Msgbus::Stream->read_until(1, sub {
            return $stream->{ended} || $stream->{head} =~ /^\S+ 5/
                || ($stream->{cursor} // 0) >= $seen;
        }, $stream);

        my @ids = map { $_->{id} } grep { defined $_->{data} }
                  @{ $stream->{events} };

        $stream->{ended} ||= 'refused' if $stream->{head} =~ /^\S+ 5/;

        fault('an event is passed by')
            if join(' ', @ids) ne join ' ', $from + 1 .. $from + @ids;
        fault('an event has not come')
            if !$stream->{ended} && $from + @ids < $seen;
        fault('it ends, though nothing failed')
            if $stream->{ended} && !$calls->failed;

        $stream->close;
    });

    return;
}


# A stream of old events only, which come from the store.

sub streams_of_history {
    my ($what, $uri) = @_;

    my @old = map { $_->{id} }
              @{ $reader->get("$uri?echo=true&last-known-id=0")->events };

    # of what failed once, a stream asks again after a second or two
    sweep($what, sub {
        my $stream = Msgbus::Stream->new(to => "127.0.0.1:$nginx->{port}",
                                         agent => 'reader/1.0', cursor => 0,
                                         uri => $uri);

        $stream->open;

        Msgbus::Stream->read_until(10, sub {
            return $stream->{ended} || $stream->{n} == @old
                || $stream->{head} =~ /^\S+ 5/;
        }, $stream);

        my @ids = map { $_->{id} } grep { defined $_->{data} && !$_->{event} }
                  @{ $stream->{events} };

        fault('an event is passed by')
            if "@ids" ne "@old[0 .. $#ids]" && !$stream->gaps;
        fault('an event has not come')
            if @ids != @old && !$stream->{ended} && $stream->{head} !~ /^\S+ 5/;

        $stream->close;
    }, 0, 1);

    return;
}


# what was sent before has been read

sub settle {
    sleep 0.003;
    $nginx->client->get('/plain') for 1 .. 2;

    return;
}


bus(http => 'msgbus_zone zone=bus:4m first_id=1;');

post('a post', 1, sub { $_[0]->post('/a', $_[1]) });
post('a post that is shown', 1,
     sub { $_[0]->post('/a', $_[1], Prefer => 'return=representation') });
post('a post in chunks', 1, sub { $_[0]->post('/a', [split //, $_[1]]) });
post('a post through a file', 1,
     sub { $_[0]->post('/spilled/a', '[' . ' ' x 5000 . substr $_[1], 1) });
post('a batch', 3, sub {
    my $client = shift;
    $client->post('/a', join("\n", @_), 'Content-Type' => 'application/x-ndjson');
});
post('a post with a key', 1,
     sub { $_[0]->post('/a', $_[1], 'Idempotency-Key' => qq("k$n")) });
post('a batch with a key', 3, sub {
    my $client = shift;
    $client->post('/a', join("\n", @_), 'Content-Type' => 'application/x-ndjson',
                  'Idempotency-Key' => qq("k$n"));
});
post('a post by JSONP', 1, sub {
    $_[0]->get("/a?method=POST&post-data=$_[1]&callback=f");
});

is_same('a page', '/a?echo=true&last-known-id=0');
is_same('the last page', '/a?echo=true&sort=-1');
is_same('a page of all', '/?echo=true&events=all&last-known-id=1');
is_same('a page of parents', '/a/b/c?echo=true&events=parent');
is_same('a page of channels', '/?channels=/a,/b/*&echo=true');
is_same('a page by JSONP', '/a?echo=true&callback=f');
is_same('an empty page', '/b?echo=true');
is_same('a page of a known tag', '/a?echo=true', 0, 'If-None-Match' =>
        $reader->get('/a?echo=true')->header('etag'));
is_same('a query that is wrong', '/a?max-events=0');
is_same('an error_page', '/page/a?max-events=0');
is_same('the list of channels', '/channels');
is_same('the status', '/status');
is_same('the status for Prometheus', '/status?format=prometheus');
is_same('the status as a page', '/status', 0, Accept => 'text/html');
is_same('health', '/health');
is_same('verbose health', '/health?verbose=true');

for my $at ('/a', '/parked/a') {
    reads("a long-poll of $at", "$at?wait=20");
    reads("a long-poll of all at $at", "$at?wait=20&events=all");
    streams("SSE of $at", uri => $at);
    streams("NDJSON of $at", uri => $at, sse => 0);
}

ended();

# with a journal, whose thread writes what is posted, and reads what has left
# memory: of segments that are closed, too

bus(http => 'msgbus_journal disk { path journal; segment 64k;
                                   retry tries=4 delay=50ms; }
             msgbus_zone zone=bus:1m store=disk ttl=1d max_events=10;');

$reader->post('/old', '["' . 'x' x 4000 . '"]') for 1 .. 20;
newer();

for my $thread (0, 1) {
    post('a post', 1, sub { $_[0]->post('/a', $_[1]) }, $thread);
    post('a batch', 3, sub {
        my $client = shift;
        $client->post('/a', join("\n", @_),
                      'Content-Type' => 'application/x-ndjson');
    }, $thread);
    post('a post with a key', 1,
         sub { $_[0]->post('/a', $_[1], 'Idempotency-Key' => qq("k$n")) },
         $thread);

    is_same('a page of history', '/old?echo=true&last-known-id=0', $thread);
}

streams_of_history('a stream of history', '/old');

is_same('the newest first', '/a?echo=true&last-known-id=0&sort=-1');
is_same('a page of all', '/?echo=true&events=all&last-known-id=1');

ended();

done_testing;
