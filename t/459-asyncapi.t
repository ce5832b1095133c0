# docs/asyncapi.yaml is what streams are: each message that comes, by SSE and as
# NDJSON, is one that it describes: events, gaps, heartbeats.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Library;
use Msgbus::Nginx;


Msgbus::Library->need(qw( openapi/schemathesis openapi/spectral ));
Msgbus::Nginx->limit(60);

my $root = "$FindBin::Bin/..";
my $clients = "$root/.cache/clients/openapi";
my $file = "$root/docs/asyncapi.yaml";

is(`$clients/spectral/run lint --quiet $file 2>&1`, '',
   'docs/asyncapi.yaml has no lint');

my $nginx = Msgbus::Nginx->new(
    workers => 2,
    http => 'msgbus_zone zone=bus:8m;',
    location => 'location /bus/ {
                     msgbus bus;
                     msgbus_scope exact all many;
                     msgbus_ping 100ms;
                 }',
)->start;

my $url = "http://127.0.0.1:$nginx->{port}";

sub said {
    my ($file) = @_;

    my $said = `timeout 50 $clients/schemathesis/run streams $file $url 2>&1`;

    is($?, 0, 'streams are read') or diag($said);

    return $said;
}

my $said = said($file);

for my $message ('ndjson event', 'ndjson gap', 'ndjson ping', 'sse message',
                 'sse msgbus.gap', 'sse msgbus.ping')
{
    ok($said =~ s/^seen: \Q$message\E \d+\n//m, "$message has come");
}

is($said, '', 'each message is one that it describes');


# a description that is another one is found out

my $text = Msgbus::Nginx::slurp($file);

$text =~ s/required: \[after, oldest\]/required: [after, newest]/
    && $text =~ s/^          retry:\n.*?(?=^      payload:)//ms
    or die "asyncapi.yaml has no gaps, or no retry\n";

for (['asyncapi.yaml', $text],
     ['openapi.yaml', Msgbus::Nginx::slurp("$root/docs/openapi.yaml")])
{
    open my $out, '>', "$nginx->{dir}/$_->[0]" or die "$_->[0]: $!\n";
    print $out $_->[1];
    close $out or die "$_->[0]: $!\n";
}

$said = said("$nginx->{dir}/asyncapi.yaml");

like($said, qr/^$_/m, "a difference is found out: $_")
    for 'sse: msgbus.gap: .*"newest"', 'ndjson: gap: .*"newest"',
        'sse: msgbus.ping: .*retry';

$nginx->quit;
$nginx->no_alerts;

done_testing;
