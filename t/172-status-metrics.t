# What Prometheus is given is what it reads: promtool has no complaint, names
# stay, and both formats say the same.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use IPC::Open2;
use Test::More;

use Msgbus::Nginx;


plan skip_all => 'no promtool' if system 'promtool --version >/dev/null 2>&1';
plan skip_all => 'this build of the module is without MongoDB'
    if $ENV{MSGBUS_WITHOUT_MONGODB};

Msgbus::Nginx->limit(30);

my $odd = "a b,c'{d}=%~";

my $nginx = Msgbus::Nginx->new(
    workers  => 2,
    http     => "msgbus_zone zone=bus:1m;
                 msgbus_journal disk { path journal; }
                 msgbus_zone \"zone=$odd:1m\" store=disk;
                 msgbus_mongodb main {
                     uri mongodb://127.0.0.1:1/; retry tries=2 delay=100ms;
                 }
                 msgbus_zone zone=away:1m store=main;
                 msgbus_require_uuid off;",
    location => "location / { msgbus bus; }
                 location /odd/ { msgbus \"$odd\"; }
                 location /away/ { msgbus away; }
                 location = /status { msgbus_status; }",
)->start;

my $client = $nginx->client(agent => 'test/1.0');

$nginx->until(10, 'the journal to be read', sub {
    return $client->get('/odd/none')->status == 204;
});

is($client->post("$_/c", '{"a":1}')->status, 201, 'stored') for '', '/odd';

is($client->post('/away/c', '{"a":1}')->status, 503, 'a store is away');

my $text = $client->get('/status?format=prometheus')->body;


# --- the text format 0.0.4

my $pid = open2(my $said, my $in, 'promtool check metrics 2>&1');

print {$in} $text;
close $in;

my $complaints = do { local $/; <$said> };

waitpid $pid, 0;
is($? >> 8, 0, 'promtool takes it');
is($complaints // '', '', 'without a word');

like($text, qr/\n\z/, 'it ends with a line feed');
unlike($text, qr/\r/, 'no line ends with another character');
unlike($text, qr/^\s/m, 'each line begins in its first column');
unlike($text, qr/^# TYPE \S+ (?!counter$|gauge$|histogram$)/m,
       'there are no types that Prometheus does not know');
like($text, qr/^\Qmsgbus_published_events_total{zone="$odd"} 1\E$/m,
     'a label is the name of the zone');
like($text, qr/^\Qmsgbus_store_up{zone="$odd",store="disk"} 1\E$/m,
     'a store has its own');
like($text, qr/^\Qmsgbus_store_up{zone="away",store="main"} 0\E$/m,
     'one that is away is a number, and the status is 200 all the same');
like($text,
     qr/^\Qmsgbus_refused_total{zone="away",reason="store_away"} 1\E$/m,
     'why a post was refused is another');
unlike($text, qr/^msgbus_store_\w+\{zone="bus"/m, 'a bus in memory has none');
like($text, qr/le="1\.0"/, 'the end of a bucket is a decimal number');


# a family stands together, and is told of once

my (%family, $last, @apart);

for my $line (split /\n/, $text) {
    if ($line =~ /^# TYPE (\S+)/) {
        push @apart, $1 if $family{$1}++;
        $last = $1;
        next;
    }

    my ($name) = $line =~ /^(\w+)/ or next;

    push @apart, $line
        if $name !~ /^\Q$last\E(?:_bucket|_sum|_count)?\z/;
}

is_deeply(\@apart, [], 'families stand together');


# the buckets of a histogram rise, and the last one is the count

my %bucket;

for my $line ($text =~ /^(msgbus_\w+_bucket\{.*)$/mg) {
    my ($name, $zone, $n) = $line =~ /^(\w+)_bucket\{zone="(.*)",le=".*"\} (\d+)$/;

    cmp_ok($bucket{"$name $zone"} // 0, '<=', $n, $line)
        if ($bucket{"$name $zone"} // 0) > $n;
    $bucket{"$name $zone"} = $n;
}

for my $histogram (sort keys %bucket) {
    my ($name, $zone) = split / /, $histogram, 2;

    like($text, qr/^\Q${name}_count{zone="$zone"} $bucket{$histogram}\E$/m,
         "$name counts all that its buckets do");
}

is($bucket{"msgbus_store_commit_seconds $odd"}, 1, 'a commit was timed');
is($bucket{"msgbus_store_batch_events $odd"}, 1, 'and its events counted');


# --- OpenMetrics 1.0

my $open = $client->get('/status?format=openmetrics')->body;

like($open, qr/\n# EOF\n\z/, 'OpenMetrics ends with a mark');
like($open, qr/^# TYPE msgbus_published_events counter\n/m,
     'a counter is named without _total');
like($open, qr/^# TYPE msgbus_build info\n/m, 'a build has a type of its own');

sub samples {
    my ($body) = @_;

    # the lock was taken, and time has gone on

    return join "\n", grep { !/^#|^msgbus_(?:lock|start|worker)_|(?:age|behind)_seconds/ }
                      split /\n/, $body;
}

is(samples($open), samples($text), 'its samples are the same');

is($client->head('/status')->status, 200, 'HEAD is answered, too');

$nginx->quit;
$nginx->no_alerts;

done_testing;
