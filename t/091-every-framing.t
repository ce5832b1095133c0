# Whatever framing the body of a request has, and whoever it is for: behind it
# the connection is in step, or closed.  Bytes of a body are no request.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Handlers;
use Msgbus::Http2;
use Msgbus::Nginx;


Msgbus::Nginx->limit(120);

my $port = Msgbus::Nginx::free_port();

my $nginx = Msgbus::Nginx->new(
    listen   => ["127.0.0.1:$port http2"],
    http     => 'msgbus_zone zone=bus:4m first_id=1;
                 msgbus_require_uuid off;
                 msgbus_jsonp on;
                 msgbus_scope exact parent all;
                 msgbus_ping 1h;',
    location => 'location /bus/     { msgbus bus; }
                 location /page/    { msgbus bus; error_page 400 /sorry; }
                 location /sorry    { return 200 sorry; }
                 location /smuggled { msgbus bus; msgbus_channel /smuggled; }
                 location = /health { msgbus_health bus; }
                 location = /step   { return 200 step; }',
)->start;

my $client = $nginx->client;
my ($worker) = $nginx->worker_pids;

$nginx->client(agent => 'poster/1.0 uuid/p')->post('/bus/full', '[0]');
$client->get('/step');

my $idle = $nginx->open_sockets;

my $smuggled = "POST /smuggled HTTP/1.1\r\nHost: bus\r\n"
               . "Content-Length: 2\r\n\r\n{}";
my $in_chunk = sprintf "%x\r\n%s\r\n0\r\n\r\n", length $smuggled, $smuggled;
my $chunked = "Transfer-Encoding: chunked\r\n";
my $length = 'Content-Length: ' . length($smuggled) . "\r\n";
my $soon = 5 * $Msgbus::Nginx::PATIENCE;


# Each is a name; what headers say; what comes with them; and what comes later,
# if anything.  "closed": no other answer may come on this connection.  "step":
# the next request is answered, and nothing in between.

my @closed = (
    [ 'no chunk', $chunked, "zz\r\n$smuggled" ],
    [ 'no chunk, later', $chunked, '', "zz\r\n$smuggled" ],
    [ 'a chunk of too many digits', $chunked, "fffffffffffffffff\r\n$smuggled" ],
    [ 'a negative chunk', $chunked, "-1\r\n$smuggled" ],
    [ 'an empty line for a chunk', $chunked, "\r\n$smuggled" ],
    [ 'a chunk with more than it said', $chunked, "2\r\n{}$smuggled" ],
    [ 'a good chunk and then none', $chunked, "2\r\n{}\r\nzz\r\n$smuggled" ],
    [ 'a good chunk and later none', $chunked, "2\r\n{}\r\n", "zz\r\n$smuggled" ],
    [ 'no chunk after a wish to be asked', "Expect: 100-continue\r\n$chunked",
      "zz\r\n$smuggled" ],
    [ 'no chunk later, after a wish', "Expect: 100-continue\r\n$chunked", '',
      "zz\r\n$smuggled" ],
    [ 'a length that is none', "Content-Length: 2x\r\n", $smuggled ],
    [ 'a negative length', "Content-Length: -1\r\n", $smuggled ],
    [ 'two lengths', "Content-Length: 0\r\nContent-Length: 2\r\n", $smuggled ],
    [ 'a length and chunks', "Content-Length: 2\r\n$chunked", "zz\r\n$smuggled" ],
    [ 'another coding', "Transfer-Encoding: gzip\r\n", $smuggled ],
    [ 'a coding twice', "Transfer-Encoding: chunked, chunked\r\n", $smuggled ],
    [ 'a length that is too small', "Content-Length: 1\r\n", "{}$smuggled" ],
);

my @step = (
    [ 'a length', $length, $smuggled ],
    [ 'a length, later', $length, '', $smuggled ],
    [ 'a length, in two parts', $length, substr($smuggled, 0, 20),
      substr($smuggled, 20) ],
    [ 'chunks', $chunked, $in_chunk ],
    [ 'chunks, later', $chunked, '', $in_chunk ],
    [ 'chunks, in two parts', $chunked, substr($in_chunk, 0, 20),
      substr($in_chunk, 20) ],
    [ 'a chunk with an extension', $chunked, "2;x=y\r\n{}\r\n0\r\n\r\n" ],
    [ 'chunks with a trailer', $chunked, "2\r\n{}\r\n0\r\nX-Y: z\r\n\r\n" ],
    [ 'no body', '', '' ],
);


# --- what comes back

# All that comes until the connection ends, or what shows that it is in step.

sub bytes {
    my ($c, $until) = @_;

    $c->{in} = '' if !defined $c->{in};

    while ($c->{in} !~ /\r\n\r\nstep\z/) {
        my $why = $c->more($until) or next;

        return "$c->{in}<closed>" if $why eq 'lost';
        return "$c->{in}<open>";
    }

    return $c->{in};
}


sub statuses {
    my ($bytes) = @_;

    return [grep { $_ != 100 } $bytes =~ m{HTTP/1\.1 (\d\d\d) }g];
}


# Sends all the framings of a handler, each on a connection of its own, and then
# asks what has become of them.  Returns sentences about those that were
# mistaken.

sub probe {
    my ($h, $location, $version, $framings, $step) = @_;

    my ($method, $uri, undef, @headers) =
        Msgbus::Handlers->request($h, $location, '/health');
    my $head = "$method $uri HTTP/$version\r\nHost: bus\r\n"
               . "Connection: keep-alive\r\n";

    # what waits waits for a second
    $uri =~ s/wait=20/wait=1/;
    $head =~ s/wait=20/wait=1/;

    while (my ($name, $value) = splice @headers, 0, 2) {
        $head .= "$name: $value\r\n";
    }

    my @connections = map {
        my ($name, $said, $body) = @$_;
        my $c = $nginx->client;

        $c->send("$head$said\r\n$body");
        $c;
    } @$framings;

    # what is sent later is not sent with the headers: those have been seen

    select undef, undef, undef, 0.05;

    my $next = "GET /step HTTP/1.1\r\nHost: bus\r\n\r\n";
    my @wrong;

    for my $i (0 .. $#connections) {

        # as they are: a client would open a connection that has been closed

        local $SIG{PIPE} = 'IGNORE';
        syswrite $connections[$i]{sock}, ($framings->[$i][3] // '') . $next;
    }

    for my $i (0 .. $#connections) {
        my ($c, $name) = ($connections[$i], $framings->[$i][0]);
        my $is_stream = $step && $h->{held} eq 'stream';

        my $bytes = bytes($c, Msgbus::Client::now()
                              + ($is_stream ? 0.05 : $soon));
        my @statuses = @{ statuses($bytes) };
        my $is_right = $is_stream ? "@statuses" =~ /^[245]\d\d$/
                     : $bytes =~ /<closed>\z/ ? @statuses <= ($step ? 1 : 2)
                     : $step ? $bytes =~ /step\z/ && @statuses == 2 : 0;

        # a length that is too small leaves a second request, of garbage
        $is_right &&= $statuses[1] == 400 if !$step && @statuses == 2;

        push @wrong, "$name: @statuses " . ($bytes =~ /(<\w+>|step)\z/)[0]
            if !$is_right;
        $c->reset if $c->{sock};
    }

    return @wrong;
}

for my $h (Msgbus::Handlers->all) {
    for my $location ('/bus', '/page') {
        next if $h->{own} && $location eq '/page';

        for my $version ('1.1', '1.0') {

            # 1.0 has no chunks
            my $said = qr/chunked|Expect/;
            my @in_step = grep { $version eq '1.1' || $_->[1] !~ $said } @step;

            my @mistaken = @closed;

            # a stream does not come to what is behind it, or comes later

            if ($h->{held} eq 'stream') {
                push @in_step, grep { $_->[3] || $_->[1] =~ /: 1\r/ } @mistaken;
                @mistaken = grep { !$_->[3] && $_->[1] !~ /: 1\r/ } @mistaken;
            }

            my @wrong = (probe($h, $location, $version, \@mistaken, 0),
                         probe($h, $location, $version, \@in_step, 1));

            is(join("\n", @wrong), '',
               "$h->{name} at $location, HTTP/$version: in step, or closed");
        }
    }
}


# --- HTTP/2

my $said_length = ['content-length' => length $smuggled];

my @frames = (
    [ 'more than the length', ['content-length' => 1],
      sub { $_[0]->data($_[1], $smuggled, 1) } ],
    [ 'less than the length', ['content-length' => 999],
      sub { $_[0]->data($_[1], $smuggled, 1) } ],
    [ 'another length as well', [@$said_length, 'content-length' => 1],
      sub { $_[0]->data($_[1], $smuggled, 1) } ],
    [ 'a length that is none', ['content-length' => '2x'],
      sub { $_[0]->data($_[1], $smuggled, 1) } ],
    [ 'a coding', ['transfer-encoding' => 'chunked'],
      sub { $_[0]->data($_[1], $smuggled, 1) } ],
    [ 'no end, but a reset', $said_length,
      sub { $_[0]->data($_[1], $smuggled, 0); $_[0]->reset($_[1]) } ],
    [ 'data behind the end', $said_length,
      sub { $_[0]->data($_[1], $smuggled, 1);
            $_[0]->data($_[1], $smuggled, 1) } ],
    [ 'more padding than there is', [],
      sub { $_[0]->frame('DATA', 1 | 8, $_[1], pack 'Ca*', 200, $smuggled) } ],
    [ 'headers behind the body', [],
      sub { $_[0]->data($_[1], $smuggled, 0);
            $_[0]->frame('HEADERS', 5, $_[1],
                         Msgbus::Http2::block('x-y', 'z')) } ],
    [ 'pseudo headers behind the body', [],
      sub { $_[0]->data($_[1], $smuggled, 0);
            $_[0]->frame('HEADERS', 5, $_[1],
                         Msgbus::Http2::block(':path', '/smuggled')) } ],
    [ 'a body, as it should be', $said_length,
      sub { $_[0]->data($_[1], $smuggled, 1) } ],
);

for my $h (Msgbus::Handlers->all) {
    my ($method, $uri, undef, @headers) =
        Msgbus::Handlers->request($h, '/bus', '/health');
    my @wrong;

    for (@frames) {
        my ($name, $fields, $send) = @$_;
        my $h2 = Msgbus::Http2->new(to => "127.0.0.1:$port");
        my $id = $h2->headers($method, $uri, [@headers, @$fields], 0);

        $send->($h2, $id);

        my $step = $h2->headers(GET => '/step', [], 1);
        my $answer = $h2->answer($step, $soon);

        if ($answer ? $answer->{body} ne 'step' : !$h2->{over}) {
            push @wrong, "$name: neither in step nor closed";
        }

        $h2->leave('close');
    }

    is(join("\n", @wrong), '', "$h->{name}, HTTP/2: in step, or closed");
}


# --- what has come of it

my $r = $client->get('/smuggled');

is($r->status . $r->body, '204', 'no byte of a body was taken for a request');

$nginx->until(10, 'all connections to be closed',
              sub { $nginx->open_sockets <= $idle });
pass('no connection is left');
like($client->get('/health?verbose=true')->body, qr/"waiting_readers":0\b/,
     'nor a reader who waits');
is(join(' ', $nginx->worker_pids), $worker, 'the worker is the same');

$nginx->quit;
$nginx->no_alerts;

done_testing;
