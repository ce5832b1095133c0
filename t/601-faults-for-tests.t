# The proxy by which the tests spoil connections to the database: each of its
# faults, as a plain driver sees it.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Socket::IP;
use Test::More;
use Time::HiRes qw(time);

use Msgbus::Mongodb;
use Msgbus::Proxy;


Msgbus::Nginx->limit(120);

my $mongodb = Msgbus::Mongodb->new(own => 1)->start;
my $proxy = Msgbus::Proxy->new(to => $mongodb->{port})->start;

my $through = $mongodb->for_child;

# one try, and little patience
$through->{port} = "$proxy->{port}";
$through->{uri_options} = '?retryWrites=false&socketTimeoutMS=1500'
                          . '&serverSelectionTimeoutMS=1500';

my $n = 0;


# inserts a document through the proxy; what the driver says, and whether it
# is there

sub insert {
    my $id = ++$n;
    my $began = time;
    my $said = eval {
        $through->ask(insert => { events => [{ _id => $id, x => 'y' x 200 }] });
        'stored';
    } // $@ =~ s/:.*//sr;

    # as PyMongo calls it from 3.12 on
    $said =~ s/NotMasterError/NotPrimaryError/;

    my $took = time - $began;

    return [$said, $mongodb->ask(count => { _id => $id })], $took;
}


is_deeply((insert())[0], ['stored', 1], 'without a fault');

my @faults = (
    # what, how, said, stored, tells it
    ['cut request', 0, 'AutoReconnect', 0],
    ['cut request', 100, 'AutoReconnect', 0],
    ['cut reply', 0, 'AutoReconnect', 1],
    ['cut reply', 20, 'AutoReconnect', 1],
    ['lose request', 0, 'NetworkTimeout', 0],
    ['lose reply', 0, 'NetworkTimeout', 1],
    ['late request', 100, 'stored', 1],
    ['answer error', 10107, 'NotPrimaryError', 0],
    ['answer error', 50, 'ExecutionTimeout', 0],
    ['answer concern', 64, 'BulkWriteError', 1],
    ['spoil reply', 'short', 'ProtocolError', 1],
    ['spoil reply', 'code', 'ProtocolError', 1],
    ['spoil reply', 'failed', 'KeyError', 1],
);

for (@faults) {
    my ($what, $with, $said, $stored) = @$_;
    my $done = $proxy->done;

    $proxy->tell($what, insert => $with);
    is_deeply((insert())[0], [$said, $stored], "$what $with");
    is($proxy->done, $done + 1, 'which happened once');
    is_deeply((insert())[0], ['stored', 1], 'the next one is fine');
}

# later than the driver waits

$proxy->tell('late request', insert => 4000);
is_deeply((insert())[0], ['NetworkTimeout', 0], 'late request 4000');
$mongodb->until(15, 'what is late to come',
                sub { $mongodb->ask(count => { _id => $n }) });
pass('it is stored when the driver has given up');

# all bytes

$proxy->tell('delay', 100);

my ($answer, $took) = insert();

is_deeply($answer, ['stored', 1], 'delay 100');
cmp_ok($took, '>=', 0.2, 'each way takes its time');

$proxy->tell('drop');
is_deeply((insert())[0], ['NetworkTimeout', 0], 'drop');
$proxy->tell('pass');
is_deeply((insert())[0], ['stored', 1], 'pass');

$proxy->tell('refuse');
is_deeply([(insert())[0][1], (insert())[0][1]], [0, 0], 'refuse');
$proxy->tell('pass');
is_deeply((insert())[0], ['stored', 1], 'pass');

# several connections at once

my $done = $proxy->done;

for my $how (qw(drop refuse)) {
    my @sockets = map { IO::Socket::IP->new(PeerHost => '127.0.0.1',
                                            PeerPort => $proxy->{port}) } 1 .. 5;

    # the proxy has taken them all
    $proxy->tell('done') for 1 .. 5;

    $proxy->tell($how);
    syswrite $_, 'x' x 20 for @sockets;
    $mongodb->until(10, 'all bytes to be dropped', sub {
        return $how eq 'refuse' || $proxy->done >= $done + 5;
    });
    $proxy->tell('pass');

    is(scalar(grep { defined sysread $_, my $bytes, 1 } @sockets), 5,
       "$how, of five connections, and pass");
}

done_testing;
