# HTTP/2 carries all that HTTP/1.1 does.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Nginx;


plan skip_all => "needs a curl with HTTP/2" if `curl --version 2>&1` !~ /\bHTTP2\b/;

Msgbus::Nginx->limit(60);

my $port = Msgbus::Nginx::free_port();

my $nginx = Msgbus::Nginx->new(
    listen   => ["127.0.0.1:$port http2"],
    http     => 'msgbus_zone zone=bus:2m first_id=1;
                 msgbus_require_uuid on;',
    location => 'location /       { msgbus bus; }
                 location /small/ { msgbus bus; client_max_body_size 10; }',
);

$nginx->start;

my $agent = "Name/1.0 uuid/w";


# --- publish

my $r = h2('/c', '-d', '{"n":1}');
is($r->{status}, "HTTP/2 201", "an event is posted");
is($r->{header}{'msgbus-id'}, 1, "its id is told");
is($r->{header}{'content-length'}, 0, "the answer says that it is empty");
is($r->{body}, "", "and it is");
ok(!exists $r->{header}{connection}, "no Connection header in HTTP/2");

$r = h2('/c', '-d', '{"n":', '-H', 'Content-Type: application/json');
is($r->{status}, "HTTP/2 400", "bad JSON is refused");
is($r->{body}, '{ "message": "Invalid JSON" }', "as JSON");
is($r->{header}{'content-type'}, "application/json; charset=utf-8", "that says so");

$r = h2('/c', '-X', 'POST', '-A', 'nobody');
is($r->{status}, "HTTP/2 400", "a poster must say who it is");
is($r->{body}, '{ "message": "Missing UUID in User-Agent header" }', "and is told");

my $large = '{"n":2,"x":"' . 'x' x 100_000 . '"}';
$r = h2('/c', '-d', $large);
is($r->{status}, "HTTP/2 201", "a long body comes in many frames");

$r = h2('/c', '-T', file('{"n":3}'), '-X', 'POST', '-H', 'Content-Length:');
is($r->{status}, "HTTP/2 201", "a body without Content-Length");


# --- read

$r = h2('/c?echo=true');
is($r->{status}, "HTTP/2 200", "events are read");
is($r->{header}{'msgbus-last-id'}, 3, "with the cursor to use next");
is($r->{header}{'cache-control'}, "private, no-cache", "not to be cached");
is(join(" ", $r->{body} =~ /"n":(\d)/g), "1 2 3", "all of them");
like($r->{body}, qr/\Q"data":$large}\E/, "byte for byte");

$r = h2('/c?echo=true', '-I');
is($r->{status}, "HTTP/2 200", "HEAD");
is($r->{header}{'msgbus-last-id'}, 3, "has the cursor");
is($r->{body}, "", "and no body");

$r = h2('/c?echo=true&last-known-id=3');
is($r->{status}, "HTTP/2 204", "nothing newer");
is($r->{header}{'msgbus-last-id'}, 3, "has the cursor too");
ok(!exists $r->{header}{'content-length'}, "no length");

$r = h2('/c?echo=true&last-known-id=x');
is($r->{status}, "HTTP/2 400", "a bad cursor");
like($r->{body}, qr/\A\{ "message": "[^"]+" \}\z/, "is refused as JSON");

$r = h2('/c', '-X', 'PUT');
is($r->{status}, "HTTP/2 405", "a method that the bus does not know");
like($r->{header}{allow} // '', qr/GET/, "is told what it does");

$r = h2('/c', '-X', 'OPTIONS');
is($r->{status}, "HTTP/2 204", "OPTIONS");

$r = h2('/health');
is($r->{body}, "OK\n", "health");


# --- one connection, ten requests at a time

SKIP: {
    skip "needs h2load", 3 if system("h2load --version >/dev/null 2>&1") != 0;

    like(load(200, '/many', '{}'), qr/200 2xx/, "two hundred events");

    $r = h2('/many?echo=true');
    is(join(" ", $r->{body} =~ /\{"id":(\d+)/g), join(" ", 4 .. 203), "all stored, in order");

    # what is refused before its body is read; curl would not tell
    like(load(20, '/small/c', '{"n":12345678}'), qr/20 4xx/, "20 over client_max_body_size");
}


# --- the end

$nginx->quit;
$nginx->no_alerts;

done_testing();


sub h2 {
    my ($uri, @args) = @_;

    my $text = curl('-A', $agent, @args, "http://127.0.0.1:$port$uri");
    my ($head, $body) = split /\r\n\r\n/, $text, 2;
    my ($status, @lines) = split /\r\n/, $head;

    $status =~ s/\s+\z//;

    return {
        status => $status,
        header => { map { /^([^:]+):\s*(.*)$/ ? (lc $1, $2) : () } @lines },
        body   => $body // '',
    };
}


sub curl {
    open my $out, '-|', 'curl', '--http2-prior-knowledge', '-si', '-m', 10, @_ or die "curl: $!";
    local $/;
    return scalar <$out>;
}


sub load {
    my ($n, $uri, $json) = @_;

    open my $out, '-|', 'h2load', '-n', $n, '-c', 1, '-m', 10, '-d', file($json),
        '-H', "user-agent: $agent", "http://127.0.0.1:$port$uri" or die "h2load: $!";
    local $/;
    return scalar <$out>;
}


sub file {
    my ($text) = @_;

    open my $out, '>', "$nginx->{dir}/body" or die $!;
    print {$out} $text;
    close $out;

    return "$nginx->{dir}/body";
}
