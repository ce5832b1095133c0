# Whoever waits costs no more memory than a request that nginx holds open; and a
# parked reader, little more than a connection that nginx keeps open.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw( sleep );

use Msgbus::Nginx;
use Msgbus::Stream;


Msgbus::Nginx->limit(60);

my $agent = 'reader/1.0 uuid/6ba7b811-9dad-11d1-80b4-00c04fd430c8';

# of one who waits, when the first ones have paid for what is there once

sub bytes {
    my ($pools, $open) = @_;

    # what is parked is little, beside what has been a request before

    my $n = $pools =~ /park/ ? 2_000 : 500;
    my $first = 400;

    my $nginx = Msgbus::Nginx->new(
        http     => 'msgbus_zone zone=bus:1m;' . ($pools =~ /park/ ? $pools
                    : "$pools msgbus_park off;"),
        connections => 4_000,
        location => 'location / { msgbus bus; msgbus_max_wait 1h;
                                  msgbus_ping 1h; }',
    )->start;

    my ($worker) = $nginx->worker_pids;
    my $memory = sub { $nginx->memory($worker, 'RssAnon') * 1024 };

    # they come at once, as many as ever have a request at a time, which the
    # allocator does not give back

    $nginx->stop_worker($worker);

    my @held = map { $open->($nginx) } 1 .. $first;

    kill CONT => $worker;
    $nginx->wait_for_readers($first);
    sleep 0.1;

    my $before = $memory->();

    push @held, map { $open->($nginx) } 1 .. $n;
    $nginx->wait_for_readers($first + $n);
    sleep 0.1;

    my $took = ($memory->() - $before) / $n;

    $_->close for @held;
    $nginx->quit;
    $nginx->no_alerts;

    return $took;
}

sub stream {
    my ($nginx) = @_;

    my $stream = Msgbus::Stream->new(to => "127.0.0.1:$nginx->{port}",
                                     agent => $agent,
                                     uri => '/c?last-known-id=latest');
    $stream->open;

    return $stream;
}

# with all that a browser sends, and has in its cookies

sub browser {
    my ($nginx) = @_;

    my $stream = Msgbus::Stream->new(
        to => "127.0.0.1:$nginx->{port}", agent => $agent,
        uri => '/c?last-known-id=latest',
        headers => [ 'Accept-Language' => 'en', Cookie => 'x' x 1_400 ]);

    $stream->open;

    return $stream;
}

sub poll {
    my ($nginx, @headers) = @_;

    my $client = $nginx->client(agent => $agent);

    $client->connect(Msgbus::Client::now() + 5);
    $client->send($client->format(GET => '/c?last-known-id=latest&wait=3600',
                                  undef, @headers),
                  Msgbus::Client::now() + 5);

    return $client;
}

# a browser's, with a session of its own

sub browsers_poll {
    my ($nginx) = @_;

    return poll($nginx, Accept => '*/*', 'Accept-Language' => 'en',
                'Accept-Encoding' => 'gzip, deflate, br',
                Cookie => 'theme=' . 'x' x 1_300 . '; session='
                          . join('', map { ('a' .. 'z')[rand 26] } 1 .. 32));
}

# what nginx itself needs for a request that it holds, the reader, and what the
# allocator rounds up to; 9.9 and 6.5 KB.  Large buffers for a header leave
# something in the connection's pool, which is not to need a second block.

my $small = 'connection_pool_size 256; client_header_buffer_size 256;';

my $parked = 'msgbus_park on after=1ms;';

for my $case ([ 'a parked stream', $parked, \&stream, 750 ],
              [ 'a browser, parked', "$parked connection_pool_size 640;",
                \&browser, 900 ],
              [ 'a parked long-poll', $parked, \&poll, 900 ],
              [ 'a browser\'s, parked', "$parked connection_pool_size 640;",
                \&browsers_poll, 1_100 ],
              [ 'a stream', '', \&stream, 10_000 ],
              [ 'a long-poll', '', \&poll, 10_000 ],
              [ 'a stream, small pools', "$small request_pool_size 1k;",
                \&stream, 6_900 ],
              [ 'a long-poll, small pools', "$small request_pool_size 512;",
                \&poll, 6_900 ])
{
    my ($what, $pools, $open, $limit) = @$case;
    my $bytes = bytes($pools, $open);

    diag(sprintf '%s: %.0f bytes', $what, $bytes);
    cmp_ok($bytes, '<', $limit, "$what costs no more than it should");
}

done_testing;
