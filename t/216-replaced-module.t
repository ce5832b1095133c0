# A replaced module is taken by a restart or a binary upgrade.  A reload does
# not see it: nginx goes on with the one that it has loaded, and its events.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use File::Copy qw(copy);
use File::Temp ();

use Msgbus::Nginx;


Msgbus::Nginx->limit(60);

my $dir = File::Temp->newdir;
my ($built) = Msgbus::Nginx::modules()
    or plan skip_all => 'the module is built into this nginx';

# the workers of a root's nginx are nobody

chmod 0755, "$dir";
copy($built, "$dir/module.so") or die "$built: $!\n";

local $ENV{TEST_NGINX_LOAD_MODULES} = "$dir/module.so";

my $nginx = Msgbus::Nginx->new(
    daemon   => 'on',
    http     => 'msgbus_zone zone=bus:1m;',
    location => 'location / { msgbus bus; msgbus_require_uuid off; }',
)->start;

my $client = $nginx->client;

sub version {
    my ($text) = $nginx->report->body =~ /"msgbus":"([^"]+)"/;
    return $text;
}

my $old = version();
(my $new = $old) =~ s/\d/9/g;

# another version of it, in a new file, as "make install" makes one

my $module = Msgbus::Nginx::slurp($built);

ok($module =~ s/\Q$old\E/$new/g, "the module tells its version, $old");

open my $out, '>:raw', "$dir/new.so" or die "$dir/new.so: $!\n";
print $out $module;
close $out or die "$dir/new.so: $!\n";

rename "$dir/new.so", "$dir/module.so" or die "rename: $!\n";

my $id = $client->post('/a', '[1]')->id;

$nginx->reload;
$client = $nginx->client;

is(version(), $old, 'a reload goes on with the module that is loaded');

my $r = $client->get('/a?echo=true&last-known-id=' . ($id - 1));

is(scalar @{ $r->events }, 1, 'and with its log');

$nginx->upgrade;
$client = $nginx->client;

is(version(), $new, 'a binary upgrade takes the new one');

$id = $client->post('/a', '[2]')->id;
$nginx->quit;

copy($built, "$dir/old.so") or die "$built: $!\n";
rename "$dir/old.so", "$dir/module.so" or die "rename: $!\n";

$nginx->start;
$client = $nginx->client;

is(version(), $old, 'and so does a restart');

$r = $client->get('/a?echo=true&last-known-id=' . ($id - 1));

is(scalar @{ $r->events }, 0, 'whose log begins empty');
ok($r->gap, 'which cursors are told');

$nginx->quit;
$nginx->no_alerts;

done_testing;
