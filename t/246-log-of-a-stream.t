# The end of a stream is one line of the access log, the same whether its reader
# was parked or held.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw( sleep );

use Msgbus::Nginx;
use Msgbus::Stream;


Msgbus::Nginx->limit(60);

my $nginx = Msgbus::Nginx->new(
    http     => q(
        msgbus_zone zone=bus:4m first_id=1;
        msgbus_require_uuid off;
        msgbus_ping 1h;

        map $http_cookie $mapped { ~id=(\w+) $1; default none; }
    ),
    location => q(
        msgbus_channel /c;
        msgbus_stream_buffer 64k;
        set_real_ip_from 127.0.0.1;
        real_ip_header X-Client;

        location ~ ^/on/(?<rest>.*)$ {
            msgbus bus;
            msgbus_park on;
            set $where "on $rest $1";
            auth_request /auth;
            auth_request_set $user $upstream_http_x_user;
            add_header X-Answer "yes $request_method";
            access_log logs/access all;
        }
        location ~ ^/off/(?<rest>.*)$ {
            msgbus bus;
            msgbus_park off;
            set $where "on $rest $1";
            auth_request /auth;
            auth_request_set $user $upstream_http_x_user;
            add_header X-Answer "yes $request_method";
            access_log logs/access all;
        }
        location ~ ^/re/(.*)$ { rewrite ^/re/(.*)$ /on/$1?new=1 last; }
        location ~ ^/ro/(.*)$ { rewrite ^/ro/(.*)$ /off/$1?new=1 last; }
        location = /auth {
            internal;
            proxy_pass http://127.0.0.1:PORT/user;
        }
        location = /user { add_header X-User "u-$http_cookie"; return 204; }
        location = /c { msgbus bus; }
        location = /stub { stub_status; }
    ),
);

mkdir "$nginx->{dir}/logs";
chmod 0777, "$nginx->{dir}/logs";

$nginx->{location} =~ s/PORT/$nginx->{port}/;
$nginx->{http} .= q(
        log_format all '$msec $request_time|$status|$bytes_sent|'
            '$body_bytes_sent|$request_length|$request|$request_uri|$uri|$args|'
            '$arg_x|$is_args|$request_method|$server_protocol|$host|$http_host|'
            '$server_name|$http_user_agent|$http_referer|$cookie_id|$mapped|'
            '$http_x_forwarded_for|$remote_addr|$realip_remote_addr|$where|'
            '$user|$rest|$sent_http_content_type|$sent_http_x_answer|'
            '$sent_http_connection|$request_completion|$pipe|'
            '$connection_requests|$msgbus_channel|$msgbus_operation|'
            '$msgbus_events|$msgbus_id';);

$nginx->start;

my $poster = $nginx->client(agent => 'poster');
my $log = "$nginx->{dir}/logs/access";

sub lines { return split /\n/, Msgbus::Nginx::slurp($log) }

sub stream {
    my ($uri, @more) = @_;

    my $stream = Msgbus::Stream->new(
        to => "127.0.0.1:$nginx->{port}", agent => 'reader/1.0 uuid/u',
        uri => "$uri?x=1&last-known-id=latest",
        headers => [ Cookie => 'a=b; id=7', Referer => 'http://a/b?c',
                     'X-Client' => '192.0.2.7', 'X-Forwarded-For' => '10.1.1.1',
                     @more ]);

    $stream->open;
    Msgbus::Stream->read_until(5, sub { $stream->{body} =~ /"ping"/ },
                               $stream);

    return $stream;
}

sub writing {
    return $nginx->client->get('/stub')->body =~ /Writing: (\d+)/ ? $1 : '';
}

my %end = (
    'it leaves'           => sub { $_[0]->close },
    'it is reset'         => sub { $_[0]->reset },
    'it leaves after events' => sub {
        my ($stream) = @_;

        for my $n (1 .. 3) {
            $poster->post('/c', "[$n]");
            Msgbus::Stream->read_until(5, sub { $stream->{n} == $n }, $stream);
        }

        $stream->close;
    },
    'it has half closed'  => sub {
        shutdown $_[0]{client}{sock}, 1;
    },
);

# both ways, and what they log

sub both {
    my ($title, $end, @uris) = @_;

    my @said;

    for my $uri (@uris) {
        my $n = lines();
        my $stream = stream($uri);

        if ($uri =~ /on|re/) {
            ok(eval { $nginx->until(5, 'it to be parked',
                                    sub { writing() == 1 }); 1 },
               "$title: it is parked");
        }

        sleep 0.1;
        $end->($stream);

        $nginx->until(5, "a line of $uri", sub { return lines() > $n });
        $nginx->wait_for_readers(0) if $nginx->{pid};

        my @new = lines();

        is(scalar @new, $n + 1, "$title, $uri: there is one line");
        push @said, $new[-1] // '';
        $stream->close;
    }

    my ($time) = map { / ([\d.]+)\|/ } $said[0];

    cmp_ok($time, '>=', 0.1, "$title: its time is that of all of it");
    cmp_ok($time, '<', 30, '    and not more');

    # which of the two it was, and when

    for (@said) {
        s/^[\d.]+ [\d.]+//;
        s{/(?:on|off|re|ro)/}{/x/}g;
        s/^(\|\d+\|\d+\|\d+)\|\d+/$1|/;
    }

    is($said[0], $said[1], "$title: it says the same as that of who was held");

    return $said[0];
}

for my $title (sort keys %end) {
    both($title, $end{$title}, '/on/a', '/off/a');
}

my $said = both('rewritten', sub { $_[0]->close }, '/re/a', '/ro/a');

like($said, qr{\|GET\ /x/a\?x=1&last-known-id=latest\ HTTP/1.1\|
               /x/a\?x=1&last-known-id=latest\|/x/a\|new=1&x=1&}x,
     'it has the URI as it came, and as it became');
like($said, qr{\|192\.0\.2\.7\|127\.0\.0\.1\|on\ a\ a\|u-a=b;\ id=7\|a\|}x,
     'it has addresses, and what was set');
like($said, qr{\|yes\ GET\|}, 'it has the headers of the answer');

# who does not read, and who meets the end of a worker

my $n = lines();
my $slow = stream('/on/slow');
my $large = '["' . 'x' x 100_000 . '"]';
my $from = $nginx->log_size;

$nginx->until(15, 'it to be closed', sub {
    $poster->post('/c', $large);
    return $nginx->log($from, 'info', 'closes a stream');
});

$nginx->until(5, 'its line', sub { return lines() == $n + 1 });

like((lines())[-1], qr/^[\d.]+ [\d.]+\|200\|\d{5,}\|/,
     'one that is closed because it does not read has its line');
$slow->close;

my @streams = map { stream("/on/$_") } 1 .. 20;

$n = lines();
$nginx->until(5, 'all to be parked', sub { return writing() == 1 });
$nginx->reload;
is(scalar(lines()), $n + 20, 'a reload ends streams with a line each');

Msgbus::Stream->read_until(5, sub { !grep { !$_->{ended} } @streams },
                           @streams);
is(scalar(grep { $_->{ended} eq 'whole' } @streams), 20, '    and whole');
is(scalar(grep { /\|200\|.*\|OK\|\.\|1\|/ } (lines())[-20 .. -1]), 20,
   '    which says so');

$nginx->quit;
$nginx->no_alerts;

done_testing;
