# While memcached is down nobody is let in, and the answer is 503.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Socket::IP;
use POSIX ();
use Test::More;

use Msgbus::Documented;
use Msgbus::Memcached;


Msgbus::Nginx->limit(60);

my $memcached = Msgbus::Memcached->new->start;
my $nginx = Msgbus::Documented->recipe('Tokens in memcached',
                                       memcached => $memcached)->start;
my $client = $nginx->client;
my @good = ('X-Auth-Token' => 'good');


sub is_unavailable {
    my ($title, $r) = @_;

    is($r->status, 503, "$title: 503");
    is($r->body, '{ "message": "Service Unavailable" }', '    as JSON');
    is($r->header('Content-Type'), 'application/json; charset=utf-8',
       '    that says so');
    is($r->header('Retry-After'), 1, '    with Retry-After');
}


sub come_back {
    $memcached->start;
    $memcached->set('token_good', '');

    is($client->get('/a?echo=true', @good)->status, 200,
       'when it is back, so are the clients');
    is($client->get('/a?echo=true', 'X-Auth-Token' => 'bad')->status, 401,
       'with the right token');
}


$memcached->set('token_good', '');
is($client->post('/a', '{"n":1}', @good)->status, 201, 'a good token');

# away: connections that were kept are closed, new ones are refused

$memcached->stop;

for my $time (1 .. 3) {
    is_unavailable('POST', $client->post('/a', '{"n":2}', @good));
    is_unavailable('GET', $client->get('/a?echo=true', @good));
    is_unavailable('a wrong token', $client->get('/a?echo=true',
                                                 'X-Auth-Token' => 'bad'));
}

is($client->head('/a?echo=true', @good)->status, 503, 'HEAD');
is($client->get('/a?echo=true')->status, 401,
   'without a token it is 401 as ever');
is($client->options('/a')->status, 204, 'OPTIONS is answered');
is($client->get('/health')->status, 200, 'and /health: the bus itself is well');
ok($client->{sock}, 'all on one connection');

come_back();

is(scalar @{ $client->get('/a?echo=true', @good)->events }, 1,
   'what was refused is not stored');

# there, but it does not answer

$memcached->stop;

my $silent = IO::Socket::IP->new(LocalHost => '127.0.0.1', Listen => 16,
                                 LocalPort => $memcached->{port},
                                 ReuseAddr => 1)
    or die "cannot listen: $@\n";

my $began = $client->now;

is_unavailable('memcached does not answer',
               $client->get('/a?echo=true', @good));
cmp_ok($client->now - $began, '<', 5 * $Msgbus::Nginx::PATIENCE,
       'that takes a second');

close $silent;
come_back();

# there, but it says something else

$memcached->stop;

my $pid = fork // die "cannot fork: $!\n";

if (!$pid) {
    $SIG{$_} = 'DEFAULT' for qw(ALRM TERM);

    my $strange = IO::Socket::IP->new(LocalHost => '127.0.0.1', Listen => 16,
                                      LocalPort => $memcached->{port},
                                      ReuseAddr => 1);

    alarm 20;

    while (my $peer = $strange->accept) {
        sysread $peer, my $command, 1000;
        syswrite $peer, "SERVER_ERROR out of memory\r\n";
        close $peer;
    }

    POSIX::_exit(0);
}

$nginx->until(5, 'a strange memcached', sub { $memcached->connect });
is_unavailable('memcached has an error', $client->post('/a', '{}', @good));

kill TERM => $pid;
waitpid $pid, 0;

come_back();

$nginx->quit;
$nginx->no_alerts;

done_testing;
