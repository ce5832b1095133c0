# docs/openapi.yaml is what the server does: schemathesis sends what it allows
# and what it forbids, and each answer is one that it describes.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Library;
use Msgbus::Nginx;


Msgbus::Library->need(qw( openapi/schemathesis openapi/spectral ));
Msgbus::Nginx->limit(120);

my $root = "$FindBin::Bin/..";
my $clients = "$root/.cache/clients/openapi";
my $file = "$root/docs/openapi.yaml";

is(`$clients/spectral/run lint --quiet $file 2>&1`, '',
   'docs/openapi.yaml has no lint');

# all that can be asked for is on, and nobody waits for long

my $nginx = Msgbus::Nginx->new(
    workers => 2,
    http => 'msgbus_zone zone=bus:8m;',
    location => 'location /bus/ {
                     msgbus bus;
                     msgbus_scope exact parent all many;
                     msgbus_jsonp on;
                     msgbus_max_wait 10ms;
                 }
                 location = /channels { msgbus_channels bus; }
                 location = /status { msgbus_status; }',
)->start;

my $seconds = 60 * $Msgbus::Nginx::PATIENCE;

my $said = do {
    local @ENV{qw( no_proxy HOME )} = ('*', $nginx->{dir});

    `cd $nginx->{dir} && timeout $seconds $clients/schemathesis/run run $file \\
         --url http://127.0.0.1:$nginx->{port} 2>&1`;
};

is($?, 0, 'each answer is one that it describes') or diag($said);

my ($generated, $passed) = $said =~ /(\d+) generated, (\d+) passed/;

cmp_ok($passed // 0, '>=', 300, '    of some hundred requests');
is($passed, $generated, '    all of them');

like($said, qr/Selected: 16\/16$/m, '    of each operation') or diag($said);

$nginx->quit;
$nginx->no_alerts;

done_testing;
