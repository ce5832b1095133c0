# A stream with "latest" has what is posted after its answer began, whenever its
# client takes the first bytes.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Http2;
use Msgbus::Nginx;


Msgbus::Nginx->limit(60);

my $port = Msgbus::Nginx::free_port();

my $nginx = Msgbus::Nginx->new(
    listen   => ["127.0.0.1:$port http2"],
    http     => 'msgbus_zone zone=bus:1m first_id=1;
                 msgbus_require_uuid off;
                 msgbus_ping 200ms;',
    location => 'location / { msgbus bus; }
                 location /slow/ { msgbus bus; limit_rate 200; }',
)->start;

my $poster = $nginx->client(agent => 'poster/1.0');

$poster->post('/c', '["before"]');

for my $accept ('text/event-stream', 'application/x-ndjson') {
    my $h2 = Msgbus::Http2->new(to => "127.0.0.1:$port", window => 0);
    my $id = $h2->headers(GET => '/c?last-known-id=latest',
                          [Accept => $accept], 1);
    my $answer = $h2->{answers}{$id};

    $h2->until(5, sub { $answer->{status} });
    is($answer->{status}, 200, "$accept over HTTP/2, with no window: 200");

    $poster->post('/c', '["after"]');
    $h2->window($id, 10_000);
    $h2->until(5 * $Msgbus::Nginx::PATIENCE,
               sub { $answer->{body} =~ /after.*ping|after.*id: /s });

    like($answer->{body}, qr/"after"/, 'what was posted then comes');
    unlike($answer->{body}, qr/"before"/, 'and nothing older');

    $h2->leave('close');

    my $slow = $nginx->client(agent => 'reader/1.0');

    $slow->send($slow->format(GET => '/slow/c?last-known-id=latest', undef,
                              Accept => $accept));
    $nginx->until(5, 'the head of the answer', sub {
        $slow->read_some;
        return $slow->{in} =~ m{^HTTP/1.1 200};
    });

    $poster->post('/c', '["after"]');
    $nginx->until(10, 'what was posted then',
                  sub { $slow->read_some; $slow->{in} =~ /"after"/ });
    pass("$accept with limit_rate: likewise");
    unlike($slow->{in}, qr/"before"/, 'and nothing older');
    $slow->close;
}

$nginx->quit;
$nginx->no_alerts;

done_testing;
