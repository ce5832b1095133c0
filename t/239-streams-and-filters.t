# Streams go through what stands in between: HTTP/1.0, HTTP/2, TLS, filters.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw( sleep );

use Msgbus::Nginx;


plan skip_all => 'needs curl with HTTP/2 and openssl'
    if `curl --version 2>&1` !~ /\bHTTP2\b/ || `openssl version 2>&1` !~ /^Open/;

Msgbus::Nginx->limit(60);

my @ports = map { Msgbus::Nginx::free_port() } 1 .. 2;

my $nginx = Msgbus::Nginx->new(
    workers  => 2,
    http     => 'msgbus_zone zone=bus:4m first_id=1;
                 msgbus_require_uuid off;
                 msgbus_ping 1h;
                 charset_map windows-1251 koi8-r { C0 E1; }',
    location => '
        location / { msgbus bus; }
        location /gzip/ {
            msgbus bus;
            gzip on; gzip_types *; gzip_min_length 0; gzip_http_version 1.0;
        }
        location /sub/ {
            msgbus bus;
            sub_filter_types *; sub_filter_once off; sub_filter "red" "blue";
        }
        location /charset/ {
            msgbus bus;
            charset koi8-r; source_charset windows-1251;
            override_charset on; charset_types *;
        }
        location /rate/ {
            msgbus bus;
            limit_rate 100k; msgbus_stream_buffer 1m;
        }
        location /added/ {
            msgbus bus;
            add_before_body /before; addition_types *;
        }
        location /before { return 200 ": before\n\n"; }
        location /ssi/ {
            msgbus_channel $arg_of;
            msgbus bus;
        }
        location /page/ {
            ssi on; ssi_types *;
          
            return 200 "<!--#include virtual=\"/ssi/x?of=/c\" -->end";
        }
    ',
);

my $dir = $nginx->{dir};

system("openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=bus"
       . " -keyout $dir/key -out $dir/crt 2> /dev/null") == 0
    or die "openssl failed\n";

$nginx->{http} .= "ssl_certificate $dir/crt; ssl_certificate_key $dir/key;";
$nginx->{listen} = [ "127.0.0.1:$ports[0] http2",
                     "127.0.0.1:$ports[1] ssl http2" ];
$nginx->start;

my $poster = $nginx->client(agent => 'poster');

# a curl that runs, and what it has got

my $within = 40 * $Msgbus::Nginx::PATIENCE;

sub curl {
    my ($n, $options) = @_;

    my $file = "$dir/curl.$n";
    my $pid = fork // die "fork: $!\n";

    if (!$pid) {
        open STDOUT, '>', $file;
        open STDERR, '>', "$file.err";
        exec "exec curl -sSNik --noproxy '*' -m $within $options" or die;
    }

    return { pid => $pid, file => $file };
}

my $plain = "http://127.0.0.1:$nginx->{port}";
my $sse = '-H "Accept: text/event-stream"';
my $ndjson = '-H "Accept: application/x-ndjson"';

my %ways = (
    'HTTP/1.1'          => "$sse --http1.1 $plain/c",
    'HTTP/1.0'          => "$sse --http1.0 $plain/c",
    'NDJSON, HTTP/1.0'  => "$ndjson --http1.0 $plain/c",
    'HTTP/2'            => "$sse --http2-prior-knowledge"
                           . " http://127.0.0.1:$ports[0]/c",
    'NDJSON, HTTP/2'    => "$ndjson --http2-prior-knowledge"
                           . " http://127.0.0.1:$ports[0]/c",
    'TLS, HTTP/2'       => "$sse --http2 https://127.0.0.1:$ports[1]/c",
    'TLS, HTTP/1.1'     => "$sse --http1.1 https://127.0.0.1:$ports[1]/c",
    'gzip'              => "$sse -H 'Accept-Encoding: gzip' $plain/gzip/c",
    'gzip, HTTP/2'      => "$sse -H 'Accept-Encoding: gzip'"
                           . " --http2-prior-knowledge"
                           . " http://127.0.0.1:$ports[0]/gzip/c",
    'sub_filter'        => "$sse $plain/sub/c",
    'charset'           => "$sse $plain/charset/c",
    'limit_rate'        => "$sse $plain/rate/c",
    'add_before_body'   => "$sse $plain/added/c",
);

my %got = map { $_ => curl(s/\W/_/gr, $ways{$_}) } keys %ways;

sub bytes { return Msgbus::Nginx::slurp($_[0]{file}) }

$nginx->until(20, 'all streams to begin', sub {
    return !grep { bytes($_) !~ /id: 0\n\n|"ping":0/ } values %got;
});

# one by one, as they come, and one that takes many packets

my $large = '["' . 'red, ' x 60_000 . '"]';

for my $data ('["red"]', '[2]', $large, '["end"]') {
    $poster->post('/c', $data);
    sleep 0.05;
}

$nginx->until(20, 'all streams to have all', sub {
    return !grep { bytes($_) !~ /"end"/ } values %got;
});

for my $way (sort keys %ways) {
    my ($head, $body) = bytes($got{$way}) =~ /\A(.*?\r\n)\r\n(.*)\z/s;
    my $red = $way eq 'sub_filter' ? 'blue' : 'red';
    my $data = '\["' . $red . '"\]|\[2\]|\["(?:' . $red
             . ', ){60000}"\]|\["end"\]';
    my $event = $way =~ /NDJSON/
              ? qr/\{"id":(\d),.*?,"data":(?:$data)\}\n/
              : qr/data: \{"id":\d,.*?,"data":(?:$data)\}\nid: \d\n\n/;
    my $hello = $way =~ /NDJSON/ ? qr/\{"ping":0\}\n/
              : ($way =~ /before/ ? ": before\n\n" : '')
                . qr/retry: \d{4}\nevent: msgbus.ping\n/
                . qr/data: \{"ping":0\}\nid: 0\n\n/;

    ok($body =~ /\A$hello(?:$event){4}\z/,
       "$way: all events, as they are")
        or diag(substr $body, 0, 400);
    unlike($head, qr/^content-encoding/mi, 'nobody has packed them');
}

# who is included gets a page, and does not wait

my $r = $nginx->client->get('/page/', Accept => 'text/event-stream');

like($r->body, qr/"events":\[\{"id":1,.*\]\}end$/s,
     'a subrequest does not stream');

# the end

kill QUIT => $nginx->{pid};

my $begun = Msgbus::Client::now();
my %status;

for my $way (sort keys %got) {
    waitpid $got{$way}{pid}, 0;
    $status{$way} = $? >> 8;
}

is_deeply(\%status, { map { $_ => 0 } keys %ways },
          'a quit ends all of them as an answer ends');
cmp_ok(Msgbus::Client::now() - $begun, '<', 5 * $Msgbus::Nginx::PATIENCE,
       'at once');

$nginx->quit;
$nginx->no_alerts;

done_testing;
