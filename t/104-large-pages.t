# Where the machine's pages are of 64 KB, a zone takes some of them, and what is
# smaller is refused with how much it needs.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Nginx;


Msgbus::Nginx->limit(60);

sub nginx {
    my ($size, $made) = @_;

    my $nginx = Msgbus::Nginx->new(
        workers  => 1,
        http     => "msgbus_zone zone=bus:$size;",
        location => 'location / { msgbus bus; msgbus_require_uuid off; }',
    );

    my $pages = "$nginx->{dir}/pages";

    $$made = $nginx if $made;

    open my $out, '>', "$pages.c" or die "$pages.c: $!\n";
    print $out "int getpagesize(void) { return 65536; }\n";
    close $out;

    system(split(' ', $ENV{CC} || 'cc'), qw(-shared -fPIC -O1 -o), "$pages.so",
           "$pages.c") == 0 or die "cannot compile\n";

    local $ENV{LD_PRELOAD} = "$pages.so";

    return eval { $nginx->start };
}

my $nginx = nginx('512k');

ok($nginx, 'nginx starts with a zone of 512 KB') or diag($@);
is($nginx->client->post('/a', '[1]')->status, 201, 'which takes events');

$nginx->quit;
$nginx->no_alerts;

my $refused;

ok(!nginx('256k', \$refused), 'and not with one of 256 KB');
like($refused->said(0), qr/zone "zone=bus:256k" is too small, it needs 512k/,
     'and says why');

done_testing;
