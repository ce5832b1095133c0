# Who asks for several channels is woken by each of them: as a long-poll, as SSE,
# as NDJSON, with a request that is held or without one.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Nginx;
use Msgbus::Stream;


Msgbus::Nginx->limit(60);

my $nginx = Msgbus::Nginx->new(
    workers  => 2,
    http     => 'msgbus_zone zone=bus:1m first_id=1;
                 msgbus_require_uuid off;
                 msgbus_scope exact all many;
                 msgbus_ping 1h;',
    location => '
        location / { msgbus bus; }
        location /held/ { msgbus bus; msgbus_park off; }
        location /parked/ { msgbus bus; msgbus_park on after=1ms; }
    ',
)->start;

my $to = "127.0.0.1:$nginx->{port}";
my $poster = $nginx->client(agent => 'poster/1.0 uuid/p');
my $n = 0;

sub post { return $poster->post($_[0], '{"n":' . ++$n . '}') }

# as "3/a 5/d/e": which event, and where it says that it is from

sub places {
    my @places;

    while ($_[0] =~ /"data":\{"n":(\d+)\},"channel":"(.*?)"/g) {
        push @places, "$1$2";
    }

    return "@places";
}

# where it is posted to, and whether a reader of /a,/b/c,/d/* is to get it

my @posts = (['/a', 1], ['/x', 0], ['/b/c', 1], ['/d', 1], ['/b', 0],
             ['/d/e/f', 1], ['/b/c/d', 0], ['/de', 0], ['/a', 1]);


for my $way (qw( held parked )) {

    my $list = "/$way/?channels=/a,/b/c,/d/*,/d/e/*,/a";
    my @streams;

    for my $sse (1, 0) {
        for my $uri ($list, "/$way/?channels=/d/*,/b/c,/a",
                     "/$way/?channels=/d/e/*", "/$way/?channels=/*")
        {
            push @streams, Msgbus::Stream->new(to => $to, sse => $sse,
                               uri => "$uri&last-known-id=$n");
        }
    }

    Msgbus::Stream->read_until(5, sub { !grep { !$_->{body} } @streams },
                               map { $_->open; $_ } @streams);

    my (%expected, $first);

    $first = $n + 1;

    for my $post (@posts) {
        my ($channel, $mine) = @$post;

        post($channel);

        push @{ $expected{list} }, "$n$channel" if $mine;
        push @{ $expected{below} }, "$n$channel" if $channel =~ m{^/d/e};
        push @{ $expected{whole} }, "$n$channel";
    }

    post('/d/e');
    push @{ $expected{$_} }, "$n/d/e" for qw( list below whole );

    Msgbus::Stream->read_until(5,
        sub { !grep { $_->{body} !~ /"n":$n\}/ } @streams }, @streams);

    for my $i (0 .. $#streams) {
        my $what = (qw( list list below whole ))[$i % 4];

        is(places($streams[$i]{body}), "@{ $expected{$what} }",
           "$way, " . ($streams[$i]{sse} ? 'SSE' : 'NDJSON')
           . ": $streams[$i]{uri}");
    }

    # it comes back with its cursor and gets what came meanwhile

    my $back = Msgbus::Stream->new(to => $to, uri => "/$way/?channels=/a,/d/*",
                                   cursor => $first);
    $back->open;
    Msgbus::Stream->read_until(5, sub { $back->{body} =~ /"n":$n\}/ }, $back);

    is(places($back->{body}),
       join(' ', grep { /^\d+\/[ad]/ && $_ !~ /^$first\// }
                      @{ $expected{list} }),
       "$way: it goes on where it was");

    $_->close for @streams, $back;

    # a wait ends with the first event of each

    for my $channel (qw( /a /b/c /d /d/e/f )) {
        my $poll = $nginx->client(agent => 'reader/1.0');

        is($poll->connect // $poll->send($poll->format(GET =>
               "/$way/?channels=/a,/b/c,/d/*&last-known-id=latest&wait=20")),
           undef, "$way: a wait");

        $nginx->wait_for_readers(1);

        post('/x');
        post('/b');
        post($channel);

        my $r = $poll->response(5);

        is($r->status, 200, "    ends by an event of $channel");
        is(places($r->body), "$n$channel", '    with it alone');
        is($r->last_id, $n, '    and its cursor');
        $poll->close;
    }

    $nginx->wait_for_readers(0);
}


# whose own are hidden

my $mine = Msgbus::Stream->new(to => $to, agent => 'reader/1.0 uuid/p',
                               uri => "/?channels=/a,/d/*&last-known-id=$n");
my $all = Msgbus::Stream->new(to => $to, agent => 'reader/1.0 uuid/p',
                              uri => '/?channels=/a,/d/*&echo=true'
                                     . "&last-known-id=$n");

Msgbus::Stream->read_until(5, sub { $mine->{body} && $all->{body} },
                           map { $_->open; $_ } $mine, $all);
post('/a');
$nginx->client(agent => 'x uuid/other')->post('/d/e', '{"n":' . ++$n . '}');

Msgbus::Stream->read_until(5, sub {
    $mine->{body} =~ /"n":$n\}/ && $all->{body} =~ /"n":$n\}/ }, $mine, $all);

is(places($mine->{body}), "$n/d/e", 'a poster does not see its own');
is(places($all->{body}), $n - 1 . "/a $n/d/e", '    but by echo=true');

# one that is away is told that it has missed something

my $far = $n + 1_000_000;

for my $sse (1, 0) {
    my $gap = Msgbus::Stream->new(to => $to, sse => $sse,
                                  uri => "/?channels=/a,/b/c&last-known-id=$far");
    $gap->open;
    Msgbus::Stream->read_until(5, sub { $gap->{body} =~ /"channel":"\/b/ },
                               $gap);
    like($gap->{body}, $sse ? qr/^event: msgbus\.gap$/m : qr/^\{"gap":\{/m,
         'a cursor above all ids is a gap');
    like(places($gap->{body}), qr{^1/a 3/b/c }, '    and then what there is');
}

# a stream refuses what has no order

my $r = $nginx->client->get('/?channels=/a&sort=-1', Accept =>
                            'text/event-stream');
is($r->status, 400, 'a stream with sort=-1 is refused');

$nginx->no_alerts;
$nginx->stop;

done_testing();
