# A channel that is named by itself, in whatever way, is an error that is
# answered at once.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Nginx;


Msgbus::Nginx->limit(60);

my @strings = ('$msgbus_channel', '/x/$msgbus_operation', '$of_map',
               '$msgbus_channel$msgbus_operation$msgbus_channel');

my $nginx = Msgbus::Nginx->new(
    http     => 'msgbus_zone zone=bus:1m first_id=1;
                 map $msgbus_channel $of_map {
                     volatile;
                     default $msgbus_channel$msgbus_operation;
                 }',
    location => join("\n", 'msgbus_require_uuid off;',
                     map { "location /$_/ { msgbus bus;
                            msgbus_channel $strings[$_]; }" } 0 .. $#strings),
)->start;

my $client = $nginx->client;

STRING:
for my $i (0 .. $#strings) {
    for my $request ([GET => "/$i/a"], [POST => "/$i/a", '{}'],
                     [OPTIONS => "/$i/a"])
    {
        my $r = $client->request(@$request);

        ok(!$r->failure, "$request->[0], msgbus_channel $strings[$i]")
            || diag($r->error);

        if ($r->failure) {
            $nginx->kill_worker($nginx->worker_pids);
            last STRING;
        }
    }
}

$nginx->quit;
$nginx->no_alerts;

done_testing;
