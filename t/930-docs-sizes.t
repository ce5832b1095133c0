# The sizes that docs/journal.md and docs/mongodb.md tell are those that nginx has:
# bytes of an event in the journal, with a key and in a batch, and the largest
# event that a zone with a database takes.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Fake;
use Msgbus::Nginx;


Msgbus::Nginx->limit(90);

chdir "$FindBin::Bin/.." or die "no project folder: $!\n";


# "| what | number |" of a page's section

sub told {
    my ($page, $what) = @_;

    my ($cell) = Msgbus::Nginx::slurp("docs/$page")
                 =~ /^\| \Q$what\E \| (.*) \|$/m
        or die "docs/$page does not tell \"$what\"\n";

    return map { tr/,//dr } $cell =~ /(\d[\d,]*)/g;
}

my $posts = 50;
my $data = '{"s":"' . 'x' x 492 . '"}';
my $agent = 'sensor/1.0 uuid/6ba7b810-9dad-11d1-80b4-00c04fd430c8';
my $own = length($data) + length('/house') + length($agent) + 36;

my $nginx = Msgbus::Nginx->new(
    http     => 'msgbus_journal disk { path journal; segment 16m; sync off; }
                 msgbus_zone zone=bus:16m store=disk;',
    location => 'location / { msgbus bus; }',
)->start;

$nginx->until(10, 'the journal to be read', sub {
    return $nginx->client->get('/health')->status == 200;
});

my $client = $nginx->client(agent => $agent);


# How far the journal has got: behind its last frame there are zeros.

sub written {
    my ($file) = glob "$nginx->{dir}/journal/*.journal";

    return length(Msgbus::Nginx::slurp($file) =~ s/\0+\z//r);
}


# The bytes of a post, but for what its events are themselves.

sub cost {
    my ($n, $body, @headers) = @_;

    my $from = written();

    for my $i (1 .. $posts) {
        my $r = $client->post('/house', $body, map { s/N\b/$i/r } @headers);

        die $r->status . "\n" if $r->status != 201;
    }

    return (written() - $from) / $posts - $n * $own;
}


# a record and a frame are multiples of 8, and the ends of records are padded

sub about {
    my ($bytes, $expected, $n, $name) = @_;

    ok($bytes >= $expected - 8 * $n && $bytes <= $expected + 8 * $n, $name)
        or diag("$bytes, and not $expected");
}

my ($event) = told('journal.md', 'an event');
my ($batch) = told('journal.md', 'a batch');
my ($key) = told('journal.md', 'an event with a key');

about(cost(1, $data), $event + $batch, 1, 'an event, in a batch of its own');
about(cost(1, $data, 'Idempotency-Key' => '"N"'), $event + $key + $batch, 1,
      'an event with a key');
about(cost(50, "$data\n" x 50, 'Content-Type' => 'application/x-ndjson'),
      50 * $event + $batch, 50, 'a batch of 50');

my ($size, $millions) = Msgbus::Nginx::slurp('docs/journal.md')
    =~ /So `size (\d+)g` holds some (\d+) million events of 500 bytes/
    or die "docs/journal.md tells no number of events\n";

my $mean = $size * 2 ** 30 / (500 + $event + $batch) / 1e6;

cmp_ok(abs($mean - $millions), '<', 1, 'how many a journal holds');

$nginx->quit;
$nginx->no_alerts;


# a row of the table is what "nginx -t" takes, and one byte more is not

sub tested {
    my ($zone, $bytes) = @_;

    my $tried = Msgbus::Nginx->new(
        http     => "msgbus_mongodb main { uri mongodb://127.0.0.1:1/; }
                     msgbus_zone zone=bus:$zone store=main max_event_size=$bytes;",
        location => 'location / { msgbus bus; }',
    );

    $tried->configure;

    my $binary = $ENV{TEST_NGINX_BINARY} || 'nginx';

    return scalar `'$binary' -t -p '$tried->{dir}' -c '$tried->{dir}/nginx.conf' 2>&1`;
}

my @rows = Msgbus::Nginx::slurp('docs/mongodb.md')
           =~ /^\| (\d+[km])(?: and more)? \| (\d[\d,]*) \|$/mg;

cmp_ok(scalar @rows, '>=', 12, 'docs/mongodb.md has the table');

while (my ($zone, $bytes) = splice @rows, 0, 2) {
    $bytes =~ tr/,//d;

    like(tested($zone, $bytes), qr/test is successful/, "$zone takes $bytes");
    like(tested($zone, $bytes + 1), qr/\[emerg\]/, '    and not a byte more');
}


# how many posts wait while the database is away

my ($waiting) = Msgbus::Nginx::slurp('docs/mongodb.md')
    =~ /With 64m that is\s+some ([\d,]+) events of 300 bytes/
    or die "docs/mongodb.md does not tell how many events wait\n";

$waiting =~ tr/,//d;

my $fake = Msgbus::Fake->new->start;
my $store = $fake->node(workers => 1, size => '64m',
                        more => 'poll 20ms; retry tries=2 delay=500ms;')->start;

$fake->wait_until_up($store);
$fake->set(away => 1);

my $lines = ('{"s":"' . 'x' x 292 . "\"}\n") x 500;

my @clients = map {
    my $client = $store->client(agent => $agent);

    $client->connect(Msgbus::Client::now() + 10);
    $client->send($client->format('POST', '/house/kitchen', $lines,
                                  'Content-Type' => 'application/x-ndjson'));
    $client;
} 1 .. 50;

my $full = grep { $_->response->body =~ /Too many events wait/ } @clients;
my $taken = 500 * (@clients - $full);

cmp_ok(abs($taken - $waiting), '<=', $waiting / 20,
       "some $waiting events wait, $taken");

$store->quit;
$store->no_alerts(qr/ \[(?:crit|error)\] /);

done_testing;
