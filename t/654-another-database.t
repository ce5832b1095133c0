# A reload that names another database for a zone is refused, and the bus goes
# on with the one it has; other options of the same one are taken.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Mongodb;
use Msgbus::Proxy;


Msgbus::Nginx->limit(120);

my $mongodb = Msgbus::Mongodb->new(own => 1)->start;
my $proxy = Msgbus::Proxy->new(to => $mongodb->{port})->start;
my $nginx = $mongodb->node->start;

$mongodb->wait_until_up($nginx);

my $client = $nginx->client;
my $refusal = qr/the store of msgbus zone "bus" can not change .* in \S+:\d+$/;
my $refused = 0;
my $last = 0;


sub goes_on {
    my ($title) = @_;

    my $r = $client->post('/a', qq({"is":"$title"}));

    is($r->status, 201, "$title: a POST");
    cmp_ok($r->id, '>', $last, 'its id is higher');
    is($mongodb->ask(count => { data => qq({"is":"$title"}) }), 1,
       'it is in the database');

    $last = $r->id;

    return;
}


sub is_refused {
    my ($title, $http) = @_;

    $nginx->configure(http => $http);
    kill HUP => $nginx->{pid};
    $refused++;

    $mongodb->until(10, "$title to be refused", sub {
        return $refused == $nginx->log(0, 'emerg', $refusal);
    });

    goes_on($title);

    return;
}


sub is_taken {
    my ($title, $http) = @_;

    $nginx->reload(http => $http);
    goes_on($title);

    return;
}


my $http = $mongodb->http;
my $port = $mongodb->{port};

goes_on('before');

is_refused('another name', $http =~ s/database \w+;/database other;/r);
is_refused('another server', $mongodb->http(port => $proxy->{port}));
is_refused('a replica set instead', $mongodb->http(
    uri => "mongodb://127.0.0.1:$proxy->{port}/?replicaSet=one"));

is_taken('other options', $mongodb->http(
    uri => $mongodb->uri . '?appname=other', more => 'poll 100ms;'));
is_taken('one server more', $mongodb->http(
    uri => "mongodb://127.0.0.1:$port/?appname=third"));

is(scalar $nginx->log(0, 'emerg', $refusal), $refused,
   'only what is another database was refused');

$nginx->quit;

done_testing;
