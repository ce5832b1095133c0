# A list of many channels is whole, in order, and in no page twice, while events
# are posted and its readers leave in the middle of it.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use List::Util qw( shuffle );
use Test::More;
use Time::HiRes qw( sleep );

use Msgbus::Channels;
use Msgbus::Nginx;


Msgbus::Nginx->limit(60);

my $many = 9_000;

my $nginx = Msgbus::Nginx->new(
    workers  => 2,
    http     => 'msgbus_zone zone=bus:64m; msgbus_require_uuid off;',
    location => 'location / { msgbus bus; }
                 location = /channels { msgbus_channels bus; }
                 location = /page { ssi on; default_type text/html;
                     return 200 \'<!--#include virtual="/channels?after=/z" -->\'; }',
)->start;

my @names = shuffle(map { sprintf '/%s%d/%s', $_ % 3 ? 'house' : 'h-', $_ % 90,
                                  substr $_ * 7919, -4 . '' } 1 .. $many);
my %number;

$number{$_}++ for @names;

# several at a time on one connection

my $client = $nginx->client(agent => 'poster/1.0');
my $stored = 0;

$client->connect and die "connect\n";

for (my $n = 0; $n < @names; $n += 100) {
    my @some = @names[$n .. $n + 99];

    $client->send(join '', map { $client->format(POST => $_, '{}') } @some);
    $stored += $client->response('POST')->status == 201 for @some;
}

is($stored, $many, "events of $many are stored");

my @sorted = sort keys %number;
my $list = Msgbus::Channels->new(nginx => $nginx, limit => 700);

# name and events, page by page

sub pages {
    my (@args) = @_;

    my (@found, $next);

    do {
        my $page = $list->page(@args, defined $next ? "after=$next" : ());

        push @found, map { "$_->{channel} $_->{events}" } @{ $page->{channels} };
        $next = $page->{next};
    } while defined $next;

    return join "\n", @found;
}

my $all = join "\n", map { "$_ $number{$_}" } @sorted;

cmp_ok(scalar @sorted, '>', 6_000, scalar(@sorted) . ' channels');
ok(pages() eq $all, 'all are listed, in order, each once');

my $begun = Msgbus::Nginx::now();

$list->page('limit=100') for 1 .. 10;
note(sprintf 'a page of 100 takes %.1f ms', 100 * (Msgbus::Nginx::now() - $begun));
ok(pages('prefix=/house7')
   eq join("\n", map { "$_ $number{$_}" } grep { m{^/house7(/|$)} } @sorted),
   'those below one');

my $r = $nginx->client->get('/page');

is($r->body, '{"channels":[]}', 'as a part of another answer, a page of none');


# --- readers leave, and events are posted

my $poster = $nginx->client(agent => 'poster/1.0');
my ($posted, $left) = (0, 0);

for my $n (1 .. 200) {
    my $leaver = $nginx->client(agent => 'who/1.0');

    $leaver->connect and die "connect\n";
    $leaver->send($leaver->format(GET => '/channels?limit=1000&after=/h'));
    sleep rand 0.003;
    $n % 2 ? $leaver->reset : $leaver->close;
    $left++;

    $posted += $poster->post($names[$n], '{}')->status == 201;
    $number{$names[$n]}++;
}

is($posted, 200, "while $left readers leave in the middle of a list, events are posted");

$all = join "\n", map { "$_ $number{$_}" } @sorted;

ok(pages() eq $all, '    and are in the next list');


# --- to the end of a worker: lists that take turns are in the middle of it

my @busy = map { $nginx->client(agent => 'who/1.0', timeout => 20) } 1 .. 200;

$_->connect && die "connect\n" for @busy;
$_->send($_->format(GET => '/channels?limit=1000')) for @busy;

my @old = $nginx->worker_pids;

kill QUIT => @old;
$nginx->wait_for_end_of(\@old, 20);
$nginx->until(10, 'workers', sub { $nginx->worker_pids == 2 });
$nginx->no_alerts;

cmp_ok(scalar(grep { $_->response('GET')->status == 200 } @busy), '>', 0,
       'lists that have begun are ended before a worker ends');

# --- to the end of a worker

my @clients = map { $nginx->client(agent => 'who/1.0', timeout => 20) } 1 .. 20;

$_->connect && die "connect\n" for @clients;
$_->send($_->format(GET => '/channels?limit=1000')) for @clients;
$nginx->reload;

my @whole = grep { $_->status == 200 && @{ $_->json->{channels} } == 1_000 }
            map { $_->response('GET') } @clients;

is(scalar @whole, 20, 'a list that has begun is ended before a reload ends');

$nginx->quit;
$nginx->no_alerts;

done_testing;
