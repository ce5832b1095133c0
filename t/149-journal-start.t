# A large journal does not make a start slow: what is read is what memory takes,
# from the newest on, however much is older.
#
# The time depends on the machine, and is told; what is read does not.
# JOURNAL_MB=1024 for a gigabyte.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Nginx;


my $mb = $ENV{JOURNAL_MB} || 192;
my $zone = $ENV{JOURNAL_MB} ? 64 : 8;
my $build = $ENV{BUILD} || 'build';
my $tool = ($build =~ m{^/} ? $build : "$FindBin::Bin/../$build")
           . '/msgbus-journal';

plan skip_all => "no $tool here: run \"make\"" if ! -x $tool;
plan skip_all => 'needs /proc/PID/io' if ! open my $io, '<', '/proc/self/io';

Msgbus::Nginx->limit(60 + $mb);

my $nginx = Msgbus::Nginx->new(
    http     => "msgbus_journal disk { path journal; segment 4m; }
                 msgbus_zone zone=bus:${zone}m store=disk ttl=1d;",
    location => 'location / { msgbus bus; } msgbus_require_uuid off;
                 location = /report { msgbus_health bus; }',
);

sub served {
    my $begin = Msgbus::Nginx::now();

    $nginx->start;
    $nginx->until(60, 'the journal to be read', sub {
        return $nginx->client->get('/c1?echo=true&max-events=1')->status
               =~ /\A20[04]\z/;
    });

    return Msgbus::Nginx::now() - $begin;
}

sub bytes_read {
    my $n = 0;

    for my $pid ($nginx->worker_pids) {
        my $file = "/proc/$pid/io";
        my $text = -r $file ? Msgbus::Nginx::slurp($file) : '';

        $n += $1 if $text =~ /^rchar: (\d+)/m;
    }

    return $n;
}

served();
$nginx->quit;
system("rm -f $nginx->{dir}/journal/*.journal $nginx->{dir}/journal/mark");

my $data = '{\"n\":\"' . 'x' x 4000 . '\"}';
my $many = int($mb * 1048576 / 4096);
my $wall = int(1000 * Time::HiRes::time()) - 60_000;

open my $import, '|-', "$tool import $nginx->{dir}/journal > /dev/null"
    or die "$tool: $!\n";

for my $n (1 .. $many) {
    printf $import qq({"_id":%d,"channel":"/c%d","data":"%s","uuid":"i",)
                   . qq("user_agent":"i/1.0",)
                   . qq("created_at":{"\$date":{"\$numberLong":"%d"}}}\n),
                   $n, $n % 100, $data, $wall;
}

ok(close $import, "a journal of $mb MB");

# An import leaves its files without an index.  The first start makes those,
# beside its work, of all that there is; a file is cut behind its own.

served();

$nginx->until(60, 'the indexes', sub {
    my @files = sort glob "$nginx->{dir}/journal/*.journal";

    pop @files;

    return !grep { -s == 4 * 1048576 } @files;
});

$nginx->quit;

my $seconds = served();
my $read = bytes_read();

is($nginx->client->get('/c' . $many % 100 . '?echo=true&sort=-1&max-events=1')
         ->header('Msgbus-Last-Id'), $many, 'its newest event is there');

my ($held) = $nginx->client->get('/report?verbose=true')->body
             =~ /"events":(\d+)/;

cmp_ok($held, '>', 0.5 * $zone * 1048576 / 4096, "    and memory is full: $held");
cmp_ok($held, '<', 1.2 * $zone * 1048576 / 4096, '    of its newest');
cmp_ok($read, '>', 0, 'what was read is known');
cmp_ok($read, '<', 10 * $zone * 1048576,
       "a start reads what memory takes, and not what is older: "
       . int($read / 1048576) . " MB for a zone of $zone");

diag(sprintf('%d MB, zone of %d MB: served in %.2f s', $mb, $zone, $seconds))
    if $ENV{JOURNAL_MB};

# the oldest is still there for who asks

my $old = $nginx->client->get('/c1?echo=true&last-known-id=0&max-events=1');

like($old->body, qr/"id":1,/, 'and the oldest is read when it is asked for');
is($old->header('Msgbus-Gap'), undef, '    without a gap');

$nginx->quit;
$nginx->no_alerts;

done_testing();
