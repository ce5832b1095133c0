# A long-poll that is parked is answered as one that is held: by the same bytes,
# through the same filters, with one line in the access log.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Uncompress::Gunzip qw( gunzip );
use Test::More;
use Time::HiRes qw( sleep );

use Msgbus::Nginx;


Msgbus::Nginx->limit(60);

# the first is found by an expression without groups, before there were any

my $location = q(
    location ~ ^/WAY-plain/ {
        msgbus bus;
        msgbus_channel /c;
        msgbus_park PARK;
        error_page 503 = /busy;
        msgbus_max_wait 20s;
        access_log logs/access all;
    }
    location ~ ^/(?<kind>WAY)/(.*)$ {
        msgbus bus;
        msgbus_channel /c;
        msgbus_jsonp on;
        msgbus_park PARK;
        msgbus_max_wait 20s;
        set $where "$kind $2";
        auth_request /auth;
        auth_request_set $user $upstream_http_x_user;
        add_header X-Set "$where $user";
        add_header X-Captured "$2";
        add_header X-Client $remote_addr;
        add_header X-Asked "$http_user_agent $cookie_id $arg_wait $host";
        gzip on; gzip_types *; gzip_min_length 0; gzip_http_version 1.0;
        sub_filter_types *; sub_filter red blue;
        access_log logs/access all;
    }
);

my $nginx = Msgbus::Nginx->new(
    http     => q(
        msgbus_zone zone=bus:4m first_id=1;
        msgbus_require_uuid off;
        log_format all '$status|$bytes_sent|$body_bytes_sent|$request_length|'
                       '$request|$where|$user|$request_completion|'
                       '$connection_requests|$msgbus_events|$request_time';
    ),
    location => ($location =~ s/WAY/on/gr =~ s/PARK/on after=1ms/gr)
                . ($location =~ s/WAY/off/gr =~ s/PARK/off/gr) . q(
        set_real_ip_from 127.0.0.1;
        real_ip_header X-Client;
        location = /auth { internal; proxy_pass http://127.0.0.1:PORT/user; }
        location = /user {
            add_header X-User "u-$http_cookie";
            access_log logs/asked;
            return 204;
        }
        location / { msgbus bus; }
        location = /stub { stub_status; }
    ),
);

mkdir "$nginx->{dir}/logs";
chmod 0777, "$nginx->{dir}/logs";
$nginx->{location} =~ s/PORT/$nginx->{port}/;
$nginx->start;

my $log = "$nginx->{dir}/logs/access";
my $poster = $nginx->client(agent => 'poster uuid/p');
my $id = 0;

sub lines { return split /\n/, Msgbus::Nginx::slurp($_[0] // $log) }

sub post {
    my $r = $poster->post('/c', shift);

    $id = $r->id // die 'not posted: ' . $r->status . "\n";
}

sub parked {
    return eval {
        $nginx->until(5, 'it to be parked', sub {
            return $nginx->client->get('/stub')->body =~ /Writing: 1 /;
        });
        1;
    };
}

my @headers = (Cookie => 'a=b; id=7', 'X-Client' => '192.0.2.7');

# the bytes of an answer, without what the moment makes of them

sub ask {
    my ($client, $uri, @more) = @_;

    $client->connect;
    $client->send($client->format(GET => $uri, undef, @headers, @more));
}

sub answer {
    my ($client) = @_;
    my $r = $client->response('GET', Msgbus::Client::now() + 20);
    my $body = $r->body;

    if ($r->header('Content-Encoding')) {
        gunzip(\$r->body, \$body) or die "gunzip\n";
    }

    return ($r->failure // '') . $r->status . "\n"
           . join('', map { my $name = lc;
                            map { "$name: $_\n" } $r->header($name) // () }
                      qw( Content-Type Content-Encoding Connection ETag Vary
                          Cache-Control X-Set X-Captured X-Client X-Asked
                          Msgbus-Last-Id Preference-Applied ))
           . $body;
}

# both ways: asked, parked or held, ended, answered

sub both {
    my ($title, $path, $args, $end, @more) = @_;

    my (@said, @logged);
    my $since = $id;

    for my $way ('on', 'off') {
        my $client = $nginx->client(agent => 'reader uuid/r');
        my $n = lines();
        my $after = $args =~ s/LAST/$id/r;

        ask($client, "/$way$path?$after", @more);
        $nginx->wait_for_readers(1);

        if ($way eq 'on') {
            ok(parked(), "$title: it is parked");
        }

        $end->($client);

        push @said, answer($client) =~ s/\b(?:on|off)\b/WAY/gr
                    =~ s/"id":\d+/"id":N/gr =~ s/"age":\d+/"age":0/gr
                    =~ s/\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ/TIME/gr
                    =~ s/^(etag|msgbus-last-id): .*$/$1/gmr;

        $nginx->until(5, 'a line', sub { return lines() > $n });
        is(lines() - $n, 1, "    one line in the access log ($way)");

        push @logged, (lines())[-1] =~ s/\b(?:on|off)\b/WAY/gr
                      =~ s/\|[\d.]+$//r =~ s/^(\d+)\|\d+\|\d+\|\d+/$1/r
                      =~ s/last-known-id=\d+//r;
    }

    is($said[0], $said[1], '    and the answer is that of who was held');
    is($logged[0], $logged[1], '    so is the line');

    return $said[0];
}

my $event = sub { post('["red"]') };
my $wait = 'last-known-id=LAST&wait=20';

like(both('an event', '/x', $wait, $event),
     qr/^200\n.*x-set:\ WAY\ x\ u-a=b;\ id=7\nx-captured:\ x
        \nx-client:\ 192\.0\.2\.7\nx-asked:\ reader\ uuid\/r\ 7\ 20\ bus\n
        .*"data":\["blue"\]/xs,
     '    by the filters, with the variables');
like(both('gzip', '/x', $wait, $event, 'Accept-Encoding' => 'gzip'),
     qr/^content-encoding: gzip\n/m, '    as small as it may be');
both('plain', '-plain/x', $wait, $event);
like(both('JSONP', '/x', "$wait&callback=f", $event), qr/^f\(\{/m, '    as JS');
like(both('Prefer', '/x', 'last-known-id=LAST', $event, Prefer => 'wait=20'),
     qr/^preference-applied: wait=20$/m, '    and what was applied');
like(both('nothing', '/x', 'last-known-id=LAST&wait=1', sub { }),
     qr/^204\n/, '    204 at the end of the wait');
like(both('close', '/x', $wait, $event, Connection => 'close'),
     qr/^connection: close$/m, '    and it says so');

# the next request of the connection is not served before, and then it is

both('a request behind it', '/x', $wait, sub {
    my ($client) = @_;

    $client->send($client->format(GET => '/c?last-known-id=0'));
    sleep 0.05;
    $event->();
});

# what was asked once is not asked again

my $client = $nginx->client(agent => 'reader uuid/r');
my $asked = lines("$nginx->{dir}/logs/asked");

ask($client, "/on/x?last-known-id=$id&wait=20");
ok(parked(), 'one is parked');
is(lines("$nginx->{dir}/logs/asked"), $asked + 1, 'auth_request has asked once');
post('[1]');
like(answer($client), qr/^200/, '    it is answered');
is(lines("$nginx->{dir}/logs/asked"), $asked + 1, '    and not asked again');

# what is kept of a crowd is each one's own: more headers than others have, fewer,
# longer, empty ones, another line

my @asks = ([ 'r0 uuid/r', 1, 'Cookie', 'a=b; id=10' ],
            [ 'r1 uuid/r', 2, 'Cookie', 'id=11', 'X-Client', '192.0.2.8' ],
            [ 'r2 uuid/r', 3, 'X-Client', '192.0.2.99', 'Cookie', 'id=2; c=d' ],
            [ 'r3 uuid/r', 4, 'X-More', '', 'Cookie', 'id=' . 'x' x 900 ],
            [ 'r uuid/r', 5 ]);

my @crowd = map {
    my ($agent, $n, @own) = @$_;
    my $one = $nginx->client(agent => $agent);

    $one->connect;
    $one->send($one->format(GET => "/on/$n?last-known-id=$id&wait=1$n", undef,
                            @own));
    $one;
} @asks;

$nginx->wait_for_readers(5);
ok(parked(), 'a crowd is parked');
post('["red"]');

for (@asks) {
    my ($agent, $n, %own) = @$_;
    my ($cookie) = ($own{Cookie} // '') =~ /id=(\w+)/;
    my $said = answer(shift @crowd) =~ s/^x-set: on /x-set: WAY /mr;
    my $client = $own{'X-Client'} // '127.0.0.1';
    my @other = grep { $said !~ /^\Q$_\E$/m }
                "x-set: WAY $n u-" . ($own{Cookie} // ''), "x-captured: $n",
                "x-client: $client",
                "x-asked: $agent " . ($cookie // '') . " 1$n bus";

    is("@other", '', "    and $agent is answered as itself");
}

# events that are hidden from it are no answer

ask($client, "/on/x?last-known-id=$id&wait=20");
parked();
$nginx->client(agent => 'me uuid/r')->post('/c', '["hidden"]') for 1 .. 3;
$nginx->wait_for_readers(1);
ok(parked(), 'after an event of its own it is parked again');
post('["shown"]');
like(answer($client), qr/^200\n(?!.*hidden).*shown/s, '    and waits for others');

# many in a row on one connection, and nothing grows

my ($worker) = $nginx->worker_pids;
my $memory = 0;
my $good = 0;

for my $n (1 .. 300) {
    ask($client, "/on-plain/x?last-known-id=$id&wait=20");
    $nginx->wait_for_readers(1);
    sleep 0.003;
    post("[$n]");
    $good += answer($client) =~ /"data":\[$n\]/;
    $memory = $nginx->memory($worker, 'RssAnon') if $n == 100;
}

is($good, 300, '300 on one connection');

SKIP: {
    skip 'ASan keeps what was freed', 1 if $ENV{CHECKED_REPORTS};

    cmp_ok($nginx->memory($worker, 'RssAnon') - $memory, '<', 200,
           '    do not grow');
}

# its client leaves; its worker does

# the line of the last, the 302nd of its connection, comes behind its answer

$nginx->until(5, 'the last line of it', sub {
    return (lines())[-1] =~ m{/on-plain/x\?.*\|302\|1\|[\d.]+$};
});

my $n = lines();

ask($client, "/on/x?last-known-id=$id&wait=20");
parked();
$client->close;
$nginx->until(5, 'its line', sub { return lines() > $n });
like((lines())[-1], qr/^499\|0\|.*\|\|303\|-\|/, 'who leaves is logged as 499');

for my $end ('reload', 'quit') {
    my @all = map { $nginx->client(agent => 'reader uuid/r') } 1 .. 20;

    ask($_, "/on/x?last-known-id=$id&wait=20") for @all;
    $nginx->wait_for_readers(20);
    parked();

    $n = lines();
    $end eq 'reload' ? $nginx->reload(wait => 0) : kill QUIT => $nginx->{pid};

    is(scalar(grep { answer($_) =~ /^204\n/ } @all), 20,
       "$end: they are told that there is nothing");
    $nginx->until(5, 'their lines', sub { return lines() >= $n + 20 });
    is(scalar(lines()), $n + 20, '    a line each');
}

$nginx->quit;
$nginx->no_alerts;

done_testing;
