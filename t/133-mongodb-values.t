# The inner directives of msgbus_mongodb: what they are when nothing is said,
# and what other values do.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Mongodb;
use Msgbus::Proxy;


Msgbus::Nginx->limit(150);

my $mongodb = Msgbus::Mongodb->new(own => 1)->start;
my $proxy = Msgbus::Proxy->new(to => $mongodb->{port})->start;


sub node {
    my ($block, $zone) = @_;

    return Msgbus::Nginx->new(
        http     => "msgbus_mongodb main { $block }\n"
                    . 'msgbus_zone zone=bus:4m store=main '
                    . ($zone // 'ttl=120s') . ';',
        location => 'location / { msgbus bus; }',
    )->start;
}


# seconds until a POST is given up, and its answer

sub patience {
    my ($nginx) = @_;

    my $began = Msgbus::Law::now();
    my $r = $nginx->client(timeout => 20)->post('/a', '{}');

    return (Msgbus::Law::now() - $began, $r);
}


sub about {
    my ($took, $from, $to, $title) = @_;

    cmp_ok($took, '>=', $from, sprintf '%s: %.2f s', $title, $took);
    cmp_ok($took, '<=', $to * $Msgbus::Nginx::PATIENCE, 'and no more');

    return;
}


# --- all defaults: the database "rse", ten tries of half a second

my $port = $proxy->{port};
my $nginx = node("uri mongodb://127.0.0.1:$port/;");

$mongodb->wait_until_up($nginx);

is($nginx->client->post('/a', '{"n":1}')->status, 201, 'an event is stored');

{
    local $mongodb->{database} = 'rse';

    my $rse = $mongodb->for_child;

    is_deeply([map { $_->{data} }
               @{ $rse->ask(find => { query => { channel => '/a' } }) }],
              ['{"n":1}'], 'in the database "rse"');
    is($rse->ask('indexes')->{ttl}{expireAfterSeconds}, 120,
       "for as long as the zone's ttl");
    $rse->ask('drop');
    $rse->leave;
}

$nginx->quit;
$nginx = node("uri mongodb://127.0.0.1:$port/; database $mongodb->{database};");
$mongodb->wait_until_up($nginx);

is($nginx->client->post('/a', '{"n":2}')->status, 201, 'an event is stored');
is($mongodb->ask(count => { channel => '/a' }), 1, 'in the one that was named');

$proxy->tell('refuse');
$mongodb->until(5, 'the health to be down',
                sub { $nginx->client->get('/health')->status == 503 });

my ($took, $r) = patience($nginx);

is($r->status, 503, 'a POST without a database');
about($took, 4, 8, 'by default it is tried for 5 s');
like($r->header('Retry-After') // '', qr/^[1-9]\d*$/, 'when to come again');
unlike($r->json->{message}, qr/may have been stored/, 'it was not stored');

$proxy->tell('pass');
$nginx->quit;


# --- retry

$nginx = node("uri mongodb://127.0.0.1:$port/; database $mongodb->{database};"
              . 'retry tries=3 delay=300ms;');
$mongodb->wait_until_up($nginx);
$proxy->tell('refuse');
$mongodb->until(5, 'the health to be down',
                sub { $nginx->client->get('/health')->status == 503 });

($took, $r) = patience($nginx);
is($r->status, 503, 'with tries=3 delay=300ms');
about($took, 0.7, 3, 'it is tried for 0.9 s');

$proxy->tell('pass');
$nginx->quit;


# --- timeout: how long a command may take; the connection stays open

sub time_to_notice {
    my ($timeout) = @_;

    $nginx = node("uri mongodb://127.0.0.1:$port/;"
                  . "database $mongodb->{database}; $timeout"
                  . 'retry tries=1 delay=100ms; connect_timeout 300ms;');
    $mongodb->wait_until_up($nginx);

    my $done = $proxy->done;
    my $began = Msgbus::Law::now();

    $proxy->tell('drop');
    $mongodb->until(10, 'the health to be down',
                    sub { $nginx->client->get('/health')->status == 503 });

    my $took = Msgbus::Law::now() - $began;

    cmp_ok($proxy->done, '>', $done, "$timeout messages are lost");
    $proxy->tell('pass');
    $nginx->quit;

    return $took;
}

# one that is too slow may be the machine's, and is tried again

for (['timeout 600ms;', 0.4, 1.4], ['timeout 2s;', 1.5, 3.5]) {
    my ($timeout, $from, $to) = @$_;
    my $took;

    for (1 .. 3) {
        $took = time_to_notice($timeout);
        last if $took <= $to;
    }

    about($took, $from, $to, "$timeout: noticed");
}


# --- poll: how soon another's events come, from when they are stored; the
# latest of them, since some meet a poll at once, and the middle one, since a
# machine may stand still for a moment

for (['poll 400ms;', 0.1, 0.8], ['poll 20ms;', 0, 0.3], ['', 0, 0.3]) {
    my ($poll, $from, $to) = @$_;

    $nginx = node($mongodb->uri =~ s/.*/uri $&;/r
                  . "database $mongodb->{database}; $poll");
    $mongodb->wait_until_up($nginx);

    my @took;

    for (1 .. 11) {
        my $id = $mongodb->ask(rse_insert => {
            channel => '/there', data => '{}', user_agent => 'x',
            uuid => 'y' })->[0];
        my $began = Msgbus::Law::now();

        $mongodb->wait_for_id($id, $nginx);

        push @took, Msgbus::Law::now() - $began;
        sleep 0.037;
    }

    @took = sort { $a <=> $b } @took;
    $poll ||= 'by default';

    cmp_ok($took[-1], '>=', $from,
           sprintf '%s, at most: %.2f s', $poll, $took[-1]);
    cmp_ok($took[5], '<=', $to * $Msgbus::Nginx::PATIENCE,
           sprintf 'as a rule: %.2f s', $took[5]);
    $nginx->quit;
}

# a single writer needs none: its own events it knows

$nginx = node($mongodb->uri =~ s/.*/uri $&;/r
              . "database $mongodb->{database}; poll off;");
$mongodb->wait_until_up($nginx);

my $id = $nginx->client->post('/here', '{}')->id;

is($nginx->client->get('/here?echo=true&last-known-id=' . ($id - 1))
         ->events->[0]{id}, $id, 'poll off: an own event is there at once');

$mongodb->until(10, 'a look that is long ago', sub {
    return ($mongodb->health($nginx))[1]{mongodb}{behind_ms} > 500;
});
is($nginx->client->get('/health')->status, 200, 'poll off: health is well');

$nginx->quit;
$nginx->no_alerts;

done_testing;
