# A reader who waits, and one who streams, get what is posted to another node,
# by every scope, each event once, in order; also those of a time without the
# database.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Law;
use Msgbus::Mongodb;
use Msgbus::Stream;


Msgbus::Nginx->limit(90);

my $mongodb = Msgbus::Mongodb->new(own => 1)->start;
my @nginx = map { $mongodb->node(workers => 2)->start } 1 .. 2;

$mongodb->wait_until_up(@nginx);

my %uri = (exact => '/a/b', parent => '/a/b?events=parent',
           all => '/a?events=all', whole => '/?events=all');

# on both nodes, several of each, so that each worker has some

my %streams;

for my $kind (sort keys %uri) {
    for my $n (0 .. 11) {
        my $and = $uri{$kind} =~ /\?/ ? '&' : '?';
        my $stream = Msgbus::Stream->new(
            to     => "127.0.0.1:$nginx[$n % 2]{port}",
            uri    => "$uri{$kind}${and}echo=true&last-known-id=latest",
            sse    => $n % 3,
        );

        $stream->open or die "cannot open $kind\n";
        push @{ $streams{$kind} }, $stream;
    }
}

my @all = map { @$_ } values %streams;

Msgbus::Stream->read_until(20, sub { !grep { $_->{head} eq '' } @all }, @all);

my @client = map { $_->client } @nginx;
my (%expected, $first);


# takes turns between the nodes and the channels

sub post {
    my ($n) = @_;

    my @channels = ('/a/b', '/a', '/a/b/c', '/x');
    my $channel = $channels[$n % 4];
    my $data = qq({"n":$n});
    my $r = $client[int($n / 4) % 2]->post($channel, $data);

    $first //= $r->id;

    push @{ $expected{exact} }, $data if $channel eq '/a/b';
    push @{ $expected{parent} }, $data if $channel =~ m{^/a(/b)?$};
    push @{ $expected{all} }, $data if $channel =~ m{^/a};
    push @{ $expected{whole} }, $data;

    return $r->status;
}


my $waiter = $nginx[1]->client;

$waiter->send($waiter->format(GET =>
    '/a/b?echo=true&wait=20&last-known-id=latest'));

# beside half of the streams
$nginx[1]->wait_for_readers(1 + @all / 2);

my $bad = grep { post($_) != 201 } 0 .. 63;

is($bad, 0, 'all posts are stored');

my $r = $waiter->response;

is($r->status, 200, 'who waits on the other node is woken');
is($r->events->[0]{id}, $first, 'by the first event');

# the streams stay over a time without the database

$mongodb->stall;
sleep 1;
$mongodb->resume;
$mongodb->wait_until_up(@nginx);

$bad = grep { post($_) != 201 } 64 .. 127;

is($bad, 0, 'all posts are stored after a stall');

for my $kind (sort keys %streams) {

    my $n = @{ $expected{$kind} };

    Msgbus::Stream->read_until(20, sub {
        !grep { $_->{n} < $n } @{ $streams{$kind} }
    }, @{ $streams{$kind} });

    my $want = join ' ', @{ $expected{$kind} };
    my @wrong = grep { $_ ne $want }
                map { join ' ', $_->posted }
                @{ $streams{$kind} };

    is("@wrong", '', "$kind: $n events, each once and in order");
}

for my $nginx (@nginx) {
    $nginx->quit;
    $nginx->no_alerts;
}

done_testing;
