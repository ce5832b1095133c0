# Who comes back too late is told of the gap, and gets what is left.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Nginx;
use Msgbus::Stream;


Msgbus::Nginx->limit(30);

my $nginx = Msgbus::Nginx->new(
    http     => 'msgbus_zone zone=bus:1m first_id=1 max_events=10;',
    location => 'msgbus_require_uuid off; msgbus_ping 1h;
                 location / { msgbus bus; }
                 location /pinged/ { msgbus bus; msgbus_ping 200ms; }',
)->start;

my $poster = $nginx->client(agent => 'poster/1.0 uuid/p');

sub stream {
    my ($ids, @options) = @_;

    my $stream = Msgbus::Stream->new(to => "127.0.0.1:$nginx->{port}",
                                     uri => '/c', @options);
    $stream->open;
    Msgbus::Stream->read_until(5, sub { $stream->{body} =~ $ids }, $stream);

    return $stream;
}

sub blocks {
    return $_[0]{body} =~ s/^data: (\{"id").*\n/data: ...\n/mgr
                       =~ s/^retry: \d+$/retry: LOT/mr;
}

sub ping {
    my ($id) = @_;

    return qq(event: msgbus.ping\ndata: {"ping":$id}\nid: $id\n\n);
}

$poster->post('/c', "[$_]") for 1 .. 5;

# a cursor that is above all ids is of another life of the bus

my $other = stream(qr/id: 5/, headers => [ 'Last-Event-ID', 1000 ]);

is(join(' ', $other->posted), '[1] [2] [3] [4] [5]',
   'a cursor that the bus has not given out gets all that the bus has');
is(scalar $other->gaps, 1, '    and is told of a gap');
$other->close;

my ($told) = $other->gaps;

$other = stream(qr/id: 5/, headers => [ 'Last-Event-ID', $told->{id} ]);

is(join(' ', $other->posted), '[1] [2] [3] [4] [5]',
   '    who is cut off behind that comes back to it');
is(scalar $other->gaps, 0, '    and is not told again');
$other->close;

my $late = stream(qr/id: 3/, headers => [ 'Last-Event-ID', 2 ]);
$late->close;

is(scalar $late->gaps, 0, 'who has missed nothing is told of no gap');

$poster->post('/c', "[$_]") for 6 .. 20;

my $gap = qq(event: msgbus.gap\ndata: {"after":3,"oldest":11}\n)
          . "id: 10\n\n";

is(blocks(stream(qr/id: 20/, headers => [ 'Last-Event-ID', 3 ])),
   "retry: LOT\n" . ping(3) . $gap
   . join('', map { "data: ...\nid: $_\n\n" } 11 .. 20),
   'who has is told, and gets what is left');

is(blocks(stream(qr/id: 20/, uri => '/pinged/c', agent => 'uuid/p',
                 headers => [ 'Last-Event-ID', 3 ]))
       =~ s/(\Q${\ ping(20) }\E)+/$1/r,
   "retry: LOT\n" . ping(3) . $gap . ping(20),
   'also one who hides all of it');

is(scalar stream(qr/id: 20/)->gaps, 0, 'who begins at 0 is not');

# a quiet channel's reader, whom pings move on

my $quiet = stream(qr/id: 20/, uri => '/pinged/q');

$poster->post('/c', "[$_]") for 21 .. 60;

Msgbus::Stream->read_until(5, sub { $quiet->{body} =~ /id: 60/ }, $quiet);
$quiet->close;

# some may have come while it was posted

my $pings = join '|', map { quotemeta ping($_) } 20 .. 60;

like(blocks($quiet), qr/\Aretry: LOT\n(?:$pings)+\z/,
     'pings move a quiet stream on');

my @ids = map { $_->{id} // () } @{ $quiet->{events} };

is("@ids", join(' ', sort { $a <=> $b } @ids), 'and never back');

my $back = stream(qr/id: 60/, uri => '/q',
                  headers => [ 'Last-Event-ID', $quiet->{cursor} ]);

is(scalar $back->gaps, 0, 'so that it comes back to no gap');

# who begins with "latest" and is cut off before the first event

my $latest = stream(qr/id: 60/, uri => '/c?last-known-id=latest');
$latest->close;
$poster->post('/c', '[61]');

is(join(' ', stream(qr/id: 61/, uri => '/c?last-known-id=latest',
                    headers => [ 'Last-Event-ID', $latest->{cursor} ])
             ->posted),
   '[61]', 'comes back to it');

$nginx->quit;
$nginx->no_alerts;

done_testing;
