# What is no event is refused whatever way its bytes come: with a message,
# nothing is stored, and the connection goes on.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Nginx;


Msgbus::Nginx->limit(90);

my $nginx = Msgbus::Nginx->new(
    http     => 'msgbus_zone zone=bus:4m first_id=1;
                 msgbus_jsonp on;
                 msgbus_require_uuid on;',
    location => 'location /         { msgbus bus; }
                 location /spilled/ { msgbus bus; client_body_buffer_size 1k; }
                 location /in-file/ { msgbus bus; client_body_in_file_only clean; }
                 location /single/  { msgbus bus; client_body_in_single_buffer on; }
                 location /limited/ { msgbus bus; client_max_body_size 10; }',
)->start;

my $client = $nginx->client;

my %bad = (
    'a truncated body'   => ['{"a":[1,2', 'Invalid JSON'],
    'a NUL byte'         => ["{\"a\":\"\0\"}", 'Invalid JSON'],
    'an overlong slash'  => ["[\"\xc0\xaf\"]", 'Invalid JSON'],
    'a body too deep'    => ['[' x 513 . ']' x 513, 'JSON is nested too deep'],
    'a long body that ends badly' => ['["' . 'x' x 20_000 . '"]]', 'Invalid JSON'],
);

my %way = (
    'one byte a packet' => sub {
        my ($uri, $body) = @_;

        $client->trickle($client->format(POST => $uri, $body), 0);
    },
    'chunks'            => sub {
        my ($uri, $body) = @_;

        $client->send($client->format(POST => $uri, [unpack '(a7)*', $body]));
    },
    'a byte a chunk'    => sub {
        my ($uri, $body) = @_;

        $client->send($client->format(POST => $uri, [split //, $body]));
    },
    'two packets'       => sub {
        my ($uri, $body) = @_;

        my $bytes = $client->format(POST => $uri, $body);
        my $half = length($bytes) - int(length($body) / 2);

        $client->send(substr $bytes, 0, $half);
        sleep(0.01);
        $client->send(substr $bytes, $half);
    },
    'after a 100'       => sub {
        my ($uri, $body) = @_;

        my $bytes = $client->format(POST => $uri, $body, Expect => '100-continue');

        $client->send(substr $bytes, 0, length($bytes) - length $body);
        $client->wait_for('read', $client->now + 5) or die "no 100 came\n";
        $client->send($body);
    },
);

$client->connect;

my $sock = $client->{sock};

for my $where ('', '/spilled', '/in-file', '/single') {
    for my $way (sort keys %way) {
        for my $what (sort keys %bad) {
            my ($body, $message) = @{ $bad{$what} };

            # 20,000 packets say no more than the few of the others
            next if $way eq 'one byte a packet' && length $body > 2000;

            $way{$way}->("$where/bad", $body);
            my $r = $client->response('POST');

            is($r->status . $r->body, "400{ \"message\": \"$message\" }",
               "$what is refused at $where/, by $way") || diag($r->error);
        }
    }

    is($client->get("$where/bad?echo=true")->status, 204, 'nothing is stored');
}


# Refused before the body is there: nobody is asked for it, and as it may come
# or not, nothing else comes on this connection.

my @early = (
    ['/limited/a', 413, 'Request Entity Too Large', 'a body that is too large'],
    ['/a.b', 400, 'Invalid channel name', 'a bad channel'],
    ['/a?method=PUT', 415, 'Unsupported Media Type', 'a coding', undef,
     'Content-Encoding' => 'gzip'],
    ['/a?callback=%2B', 400, 'Invalid callback name', 'a bad callback'],
    ['/a', 400, 'Missing UUID in User-Agent header', 'who does not say who it is',
     'nobody/1.0'],
);

for (@early) {
    my ($uri, $status, $message, $what, $agent, @headers) = @$_;

    my $asker = $nginx->client($agent ? (agent => $agent) : ());
    my $body = '["0123456789"]';
    my $bytes = $asker->format(POST => $uri, $body, Expect => '100-continue',
                                @headers);

    $asker->send(substr $bytes, 0, -length $body);

    my $r = $asker->response('POST');

    is($r->status . $r->body, "$status\{ \"message\": \"$message\" }",
       "$what is refused before the body came") || diag($r->error);
    is($r->header('Content-Type'), 'application/json; charset=utf-8', 'as JSON');

    is("@{ $r->{interim} }", '', 'without a 100');
    is($r->header('Connection'), 'close', 'and the connection ends');
}

is($client->{sock}, $sock, 'all those of one connection have left it open');
is($client->post('/a', '{}')->id, 1, 'and no id was taken');

is(scalar(() = glob "$nginx->{dir}/client_body/*"), 0,
   'no temporary file is left behind');

$nginx->quit;
$nginx->no_alerts;

done_testing;
