# A worker stands still while its post is on its way, for longer than a post
# may take: others have given the post up by then.  What has been sent may be
# stored, and whoever posted it is told so.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Mongodb;
use Msgbus::Proxy;


Msgbus::Nginx->limit(60);

my $mongodb = Msgbus::Mongodb->new(own => 1)->start;
my $proxy = Msgbus::Proxy->new(to => $mongodb->{port})->start;
my $nginx = $mongodb->node(workers => 2, port => $proxy->{port},
                           more => 'poll 50ms; retry tries=2 delay=200ms;')
                    ->start;

$mongodb->wait_until_up($nginx);

my $port = sprintf ':%04X ', $proxy->{port};


# does a worker have the connection to the database?

sub commits {
    my ($pid) = @_;

    my %sockets = map { $_ => 1 } map { readlink($_) // () }
                  glob "/proc/$pid/fd/*";

    for (split /\n/, Msgbus::Nginx::slurp('/proc/net/tcp')) {
        my ($remote, $inode) = (split ' ')[2, 9];

        return 1 if "$remote " =~ /\Q$port\E$/ && $sockets{"socket:[$inode]"};
    }

    return 0;
}


my ($committer, $other);

$mongodb->until(10, 'a committer', sub {
    ($committer) = grep { commits($_) } $nginx->worker_pids;
    ($other) = grep { !commits($_) } $nginx->worker_pids;

    return $committer && $other;
});

# a connection that the other worker has accepted, for it alone could

$nginx->stop_worker($committer);

my $client = $nginx->client(timeout => 30);

is($client->get('/health')->status, 200, 'the other worker answers');

kill CONT => $committer;

$mongodb->until(10, 'events to be stored',
                sub { $client->post('/before', '{}')->status == 201 });

# longer than the time-out of 2 s, after which it is looked for

my $done = $proxy->done;

$proxy->tell('late request', insert => 9000);

$client->send($client->format('POST', '/late', '{}'),
              Msgbus::Client::now() + 10);

$mongodb->until(10, 'the insert to be on its way',
                sub { $proxy->done > $done });

$nginx->stop_worker($other);
sleep 4;

is($mongodb->ask(count => { channel => '/late' }), 0, 'it is not stored yet');

kill CONT => $other;

my $r = $client->response('POST');

is($r->status, 503, 'a POST whose worker stood still');
like($r->body, qr/may have been stored/, 'may have been stored');

$mongodb->until(20, 'what is late to come',
                sub { $mongodb->ask(count => { channel => '/late' }) });

is($mongodb->ask(count => { channel => '/late' }), 1, 'and then it was, once');

$nginx->quit;
$nginx->no_alerts;

done_testing;
