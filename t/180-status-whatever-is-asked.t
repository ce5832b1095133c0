# msgbus_status answers 200, and whole, whatever headers a scrape has, and
# whatever goes on: reloads, killed workers, no zone at all or 32 of them.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Socket::INET;
use IO::Uncompress::Gunzip qw( gunzip );
use MIME::Base64 qw( encode_base64 );
use Test::More;

use Msgbus::Http2;
use Msgbus::Nginx;


Msgbus::Nginx->limit(60);

# each zone takes 129 descriptors

my ($limit) = `sh -c 'ulimit -n'` =~ /(\d+)/;
my $zones = defined $limit ? int(($limit - 100) / 129) : 32;

$zones = 32 if $zones > 32;

my $port = Msgbus::Nginx::free_port();
my $http = join '', map { "msgbus_zone zone=z$_:128k;\n" } 1 .. $zones;
my $nginx = Msgbus::Nginx->new(
    workers  => 2,
    listen   => ["127.0.0.1:$port http2"],
    http     => "$http msgbus_require_uuid off;
                 gzip on; gzip_types text/plain application/json
                 application/openmetrics-text; gzip_min_length 1;
                 gzip_http_version 1.0; gzip_proxied any;",
    location => 'location / { msgbus z1; }
                 location = /status { msgbus_status; }
                 location = /secret { msgbus_status; auth_basic numbers;
                                      auth_basic_user_file passwords; }',
);

open my $out, '>', "$nginx->{dir}/passwords" or die "passwords: $!\n";
print $out "scraper:{PLAIN}secret\n";
close $out;

$nginx->start;

my $client = $nginx->client(agent => 'test/1.0');


# is it all of an answer?

sub whole {
    my ($text) = @_;

    return $text =~ /\A# HELP .*^msgbus_rebuilds_total\{zone="z$zones"\} \d+$/ms
           && $text =~ /\n# EOF\n\z/;
}

sub scrape {
    my ($uri, @headers) = @_;

    return $client->get("$uri?format=openmetrics", @headers);
}


# --- headers that make something else of other answers

for (['If-None-Match', '*'], ['If-Match', '"x"'], ['Range', 'bytes=0-9'],
     ['If-Modified-Since', 'Sun, 29 Nov 2037 00:00:00 GMT'],
     ['If-Unmodified-Since', 'Sat, 29 Nov 2008 00:00:00 GMT'],
     ['Expect', '100-continue'], ['Prefer', 'wait=5'],
     ['Last-Event-ID', '7'], ['Idempotency-Key', '"k"'],
     ['Origin', 'https://example.com'])
{
    my $answer = scrape('/status', @$_);

    is($answer->status, 200, "$_->[0]: 200");
    ok(whole($answer->body), '    and all of it');
}

my $packed = scrape('/status', 'Accept-Encoding', 'gzip');

is($packed->header('Content-Encoding'), 'gzip', 'it may be compressed');
gunzip(\(my $body = $packed->body), \my $unpacked);
ok(whole($unpacked), '    and is the same then');

is(scrape('/secret')->status, 401, 'a location may want a password');
is(scrape('/secret', 'Authorization',
          'Basic ' . encode_base64('scraper:secret', ''))->status, 200,
   '    and gives it to who has that');

for my $method (qw( POST PUT DELETE PATCH )) {
    my $answer = $client->request($method, '/status', 'x' x 10_000);

    is($answer->status, 405, "$method is refused");
    is($answer->header('Allow'), 'GET, HEAD, OPTIONS', '    with what is allowed');
}

is($client->get("/status?format=$_")->status, 400, "format=$_ is none")
    for '', 'JSON', 'json%00', 'prometheus2';


# --- HTTP/1.0

my $sock = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$nginx->{port}")
    or die "connect: $@\n";

print $sock "GET /status?format=openmetrics HTTP/1.0\r\n\r\n";

my $answer = do { local $/; <$sock> };
my ($head, $text) = split /\r\n\r\n/, $answer, 2;

like($head, qr{^HTTP/1\.1 200 }, 'HTTP/1.0 gets 200');
like($head, qr/^Content-Length: \Q${\ length $text}\E\r?$/mi, '    with a length');
ok(whole($text), '    and all of it');


# --- HTTP/2, with a window that is open at first, and one that opens late

my $h2 = Msgbus::Http2->new(to => "127.0.0.1:$port", window => 2**24);

$h2->window(0, 2**24);

my $id = $h2->headers(GET => '/status?format=openmetrics', [], 1);
my $of = $h2->answer($id);

is($of->{status}, 200, 'HTTP/2 gets 200');
ok(whole($of->{body}), '    and all of it');

$h2 = Msgbus::Http2->new(to => "127.0.0.1:$port", window => 100);
$id = $h2->headers(GET => '/status?format=openmetrics', [], 1);

is($nginx->client->get('/status')->status, 200, 'who reads slowly');

$h2->window($_, 2**24) for 0, $id;
ok(whole($h2->answer($id)->{body}), '    gets all of it, too');


# --- while workers come and go

my ($answered, $broken, $kills) = (0, 0, 0);

for my $n (1 .. 60) {
    $nginx->reload if $n % 20 == 10;

    if ($n % 20 == 0) {
        $nginx->kill_worker(($nginx->worker_pids)[0]);
        $kills++;
    }

    my $answer = $nginx->client->get('/status?format=openmetrics');

    if ($answer->failure) {
        $broken++;

    } else {
        $answered++ if $answer->status == 200 && whole($answer->body);
    }
}

is($answered + $broken, 60, 'each answer is 200 and whole');
cmp_ok($broken, '<=', $kills, '    but for those that a killed worker had');

my $all = $nginx->client->get('/status?format=json')->json;

is(scalar keys %{ $all->{zones} }, $zones, "all $zones zones are told of");

$nginx->quit;
$nginx->no_alerts(@Msgbus::Nginx::KILLED);


# --- no zone at all

my $none = Msgbus::Nginx->new(
    location => 'location = /status { msgbus_status; }',
)->start;

$client = $none->client;
is_deeply($client->get('/status?format=json')->json->{zones}, {},
          'without a zone there are no numbers of one');
like($client->get('/status?format=prometheus')->body,
     qr/^msgbus_build_info\{.*\} 1$/m, '    but what the module is');
is($client->get('/status?format=html')->status, 200, '    and a page');

$none->quit;
$none->no_alerts;

done_testing;
