# Over TLS, by HTTP/1.1 and HTTP/2, the bus is what it is without.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Documented;


Msgbus::Nginx->limit(60);

my $nginx = Msgbus::Documented->recipe('TLS and HTTP/2')->start;
my $url = 'https://127.0.0.1:' . $nginx->port(8443);
my $curl = "curl -sS --cacert $nginx->{dir}/bus.crt --noproxy '*' -m 20";

my @versions = ('--http1.1');

push @versions, '--http2' if `curl --version` =~ /^Features:.*\bHTTP2\b/m;


# status, version and body; headers are in "headers"

sub ask {
    my ($arguments) = @_;

    my $write = "-w '\n%{http_code} %{http_version}'";

    return scalar `$curl -D $nginx->{dir}/headers $write $arguments 2>&1`;
}


sub header {
    my ($name) = @_;

    return Msgbus::Nginx::slurp("$nginx->{dir}/headers")
           =~ /^$name: ([^\r\n]*)\r?$/mi ? $1 : undef;
}


my $id = 0;

for my $option (@versions) {
    my $version = $option eq '--http2' ? '2' : '1.1';
    my $channel = $version eq '2' ? '/two' : '/one';
    my $data = qq({"version":"$version"});

    is(ask("$option $url$channel -d '$data'"), "\n201 $version",
       "HTTP/$version: a POST");
    is(header('Msgbus-Id'), ++$id, '    has an id');

    like(ask("$option $url$channel"), qr/,"data":\Q$data\E}]}\n200 $version$/,
         'a GET');
    is(header('Msgbus-Last-Id'), $id, '    has a cursor');

    is(ask("$option '$url$channel?last-known-id=$id'"), "\n204 $version",
       'an empty one');
    is(ask("$option -X OPTIONS $url$channel"), "\n204 $version", 'OPTIONS');
    is(ask("$option -I $url$channel -o /dev/null"), "\n200 $version", 'a HEAD');
    is(ask("$option $url/health"), "OK\n\n200 $version", '/health');

    is(ask("$option $url$channel -d '{'"),
       qq({ "message": "Invalid JSON" }\n400 $version), 'an error of the bus');
    is(ask("$option -X PUT $url$channel -d '{}'"),
       qq({ "message": "Method Not Allowed" }\n405 $version), 'a 405');
    is(header('Allow'), 'GET, HEAD, POST, OPTIONS', '    with Allow');

    # larger than what the socket takes at once

    open my $large, '>', "$nginx->{dir}/large" or die;
    print $large '["', 'x' x 900_000, '"]';
    close $large;

    is(ask("$option $url$channel --data-binary \@$nginx->{dir}/large"),
       "\n201 $version", 'a large POST');
    $id++;

    my $body = ask("$option '$url$channel?max-events=1&sort=-1'");

    like($body, qr/\A\{"channel":"$channel",.*"\]\}\]\}\n200 $version\z/s,
         'a large GET');
    is($body =~ tr/x//, 900_000, '    is whole');

    open $large, '>>', "$nginx->{dir}/large" or die;
    print $large ' ' x 300_000;
    close $large;

    is(ask("$option $url$channel --data-binary \@$nginx->{dir}/large"),
       qq({ "message": "Request Entity Too Large" }\n413 $version),
       'what is too large');

    # a reader who waits

    my $pid = fork // die "cannot fork: $!\n";

    if (!$pid) {
        open STDOUT, '>', "$nginx->{dir}/waited";
        exec split ' ', "curl -sS --cacert $nginx->{dir}/bus.crt -m 20"
                        . " $option $url$channel?last-known-id=$id&wait=15";
    }

    $nginx->until(15, 'a reader to wait', sub {
        ask("$option '$url/.report/bus?verbose=true'")
            =~ /"waiting_readers":1\b/;
    });
    is(ask("$option $url$channel -d '[\"waited for\"]'"), "\n201 $version",
       'a POST');
    $id++;
    waitpid $pid, 0;

    like(Msgbus::Nginx::slurp("$nginx->{dir}/waited"),
         qr/"data":\["waited for"\]\}\]\}\z/, 'wakes a reader who waits');
}

# one connection for many

for my $option (@versions) {
    my $uris = "'$url/one?max-events=1&n=[1-100]'";
    my $write = "-w '%{http_code}\n' -o /dev/null";
    my $answers = `$curl $option -Z $write $uris 2> /dev/null`;

    is($answers, "200\n" x 100, "$option: 100 reads at once");
}

# without TLS there is nothing

my $plain = Msgbus::Client->new(to => '127.0.0.1:' . $nginx->port(8443));
my $r = $plain->post('/one', '["plain"]');

is($r->status, 400, 'plain HTTP to the port is refused');
unlike(ask("$url/one"), qr/plain/, 'and stores nothing');

$nginx->quit;
$nginx->no_alerts;

done_testing;
