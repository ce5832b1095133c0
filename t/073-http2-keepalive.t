# nginx ends an HTTP/2 connection after keepalive_requests, 1,000 by default; with
# the values that the documents name it does not.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Documented;
use Msgbus::Nginx;


plan skip_all => 'needs h2load (nghttp2-client)'
    if system('h2load --version > /dev/null 2>&1');

Msgbus::Nginx->limit(60);

# as it stands in the documents

my ($documented) = Msgbus::Documented::document('docs/examples/README.md')
    =~ /^```nginx\n(keepalive_requests .*?)^```/ms
    or die "the documents do not say how\n";

my %port = map { $_ => Msgbus::Nginx::free_port() } qw( default documented );

my $nginx = Msgbus::Nginx->new(
    http => "msgbus_zone zone=bus:16m;
             server {
                 listen 127.0.0.1:$port{default} http2;
                 location / { msgbus bus; }
             }
             server {
                 listen 127.0.0.1:$port{documented} http2;
                 $documented
                 location / { msgbus bus; }
             }",
    location => 'location / { msgbus bus; }',
)->start;

open my $event, '>', "$nginx->{dir}/event" or die "event: $!\n";
print $event '{"n":1}';
close $event or die "event: $!\n";

my $posts = 1500;
my %answered;

for my $name (sort keys %port) {
    my $said = `h2load -n $posts -c 1 -m 1 -d $nginx->{dir}/event http://127.0.0.1:$port{$name}/$name 2>&1`;

    ($answered{$name}) = $said =~ /status codes: (\d+) 2xx,/ or diag($said);
}

cmp_ok($answered{default}, '<=', 1000,
       'by default a connection ends after a thousand posts');
is($answered{documented}, $posts, 'as documented it does not');

$nginx->quit;
$nginx->no_alerts;

done_testing;
