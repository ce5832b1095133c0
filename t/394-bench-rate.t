# The load of bench/quick holds its rate, and counts what is not answered as it
# should be: what two servers are compared by is the same for both.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP ();
use Test::More;

use Msgbus::Load;
use Msgbus::Nginx;


Msgbus::Nginx->limit(60);

my $program = Msgbus::Load::program('paced');
my $nginx = Msgbus::Nginx->new(location => <<'END')->start;
    location /ok/ { return 200 "0123456789"; }
    location /none/ { return 204; }
    location /gone/ { return 444; }
    location /slow/ { limit_rate 10; return 200 "0123456789"; }
END


# what it says of so many requests a second, for a second, on 8 connections

sub paced {
    my ($path, $rate, $status) = @_;

    my $to = "127.0.0.1:$nginx->{port}";

    open my $out, '-|', 'sh', '-c', 'printf "GET %s HTTP/1.1\r\n'
         . 'Host: %s\r\n\r\n" "$1" "$2" | "$3" "$2" 8 "$4" 1 "$5"',
         'sh', $path, $to, $program, $rate, $status
        or die "sh: $!\n";

    my $said = do { local $/; <$out> };

    close $out or die "$program failed: $?\n";

    return JSON::PP::decode_json($said);
}


my $ok = paced('/ok/', 400, 200);

cmp_ok($ok->{requests}, '>', 100, 'a rate is held');
cmp_ok($ok->{requests}, '<=', 408, '    and not outrun');
cmp_ok(abs($ok->{us} - 1e6), '<', 500_000, 'for as long as was asked');
is("@$ok{qw(status socket)}", '0 0', 'and all is well');

my $other = paced('/none/', 400, 200);

is($other->{status}, $other->{requests}, 'another status is a fault');

is(paced('/gone/', 400, 200)->{socket}, 8, 'so is an end of a connection');

my $slow = paced('/slow/', 400, 200);

cmp_ok($slow->{late}, '>', 100, 'a server that is too slow is seen to be');
cmp_ok($slow->{requests}, '<', 100, '    and is asked no more than it can do');

$nginx->quit;
$nginx->no_alerts;

done_testing;
