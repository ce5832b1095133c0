# Streams of 32 channels each get exactly their events, in order: bench/many in
# short, held and parked; and its load notices where they do not.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use IPC::Open2;
use JSON::PP ();
use Test::More;

use Msgbus::Load;
use Msgbus::Nginx;


Msgbus::Nginx->limit(90);

my $program = Msgbus::Load::program('many');
my $nginx = Msgbus::Nginx->new(
    workers     => 4,
    connections => 1024,
    http        => 'msgbus_zone zone=bus:16m;
                    msgbus_require_uuid off;
                    msgbus_scope exact all many;
                    msgbus_ping 1h;',
    location    => '
        location / { msgbus bus; }
        location /held/ { msgbus bus; msgbus_park off; }
        location /parked/ { msgbus bus; msgbus_park on after=1ms; }
        location /more/ { set $args "channels=/*&last-known-id=latest"; msgbus bus; }
    ',
)->start;

# streams, channels of each, of how many; where; how they are posted to

sub load {
    my ($streams, $each, $channels, $path, $rate, $seconds) = @_;

    my $pid = open2(my $out, my $in, $program, "127.0.0.1:$nginx->{port}",
                    $streams, $each, $channels, $path, 1 + int rand 1e6);
    my $begun = JSON::PP::decode_json(scalar(<$out>) // '{}');

    is($begun->{streams}, $streams, "$path: all streams begin");
    is($begun->{wrong}, 0, '    with nothing');

    print {$in} "$rate $seconds\n";
    close $in;

    my $said = JSON::PP::decode_json(scalar(<$out>) // '{}');

    waitpid $pid, 0;

    return $said;
}


for my $path ('/held/', '/parked/') {
    my $said = load(200, 32, 2000, $path, 500, 1);

    cmp_ok($said->{deliveries}, '>', 2 * $said->{posts},
           '    each event is for several of them');
    is($said->{wrong}, 0, '    none gets what is not its');
    is($said->{missing}, 0, '    none misses anything');
}

my $one = load(200, 0, 60, '/', 500, 0.5);

cmp_ok($one->{deliveries}, '>', $one->{posts}, 'so do those of one channel');
is("$one->{wrong} $one->{missing}", '0 0', '    exactly');

my $more = load(5, 1, 50, '/more/', 100, 0.5);

cmp_ok($more->{wrong}, '>', 0, 'what is too much is noticed');

$nginx->quit;
$nginx->no_alerts;

done_testing;
