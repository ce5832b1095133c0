# A stream beyond msgbus_max_waiters is told when to come back, and from where,
# if that has "retry".

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Nginx;
use Msgbus::Stream;


Msgbus::Nginx->limit(60);

my $h2 = Msgbus::Nginx::free_port();

my $nginx = Msgbus::Nginx->new(
    workers  => 2,
    http     => 'msgbus_zone zone=bus:1m first_id=1;
                 msgbus_require_uuid off; msgbus_ping 1h;',
    listen   => [ "127.0.0.1:$h2 http2" ],
    location => 'msgbus_max_waiters 1 retry=40s;
        location / { msgbus bus; msgbus_max_waiters 0; }
        location /full/ { msgbus bus; }
        location /own/ { msgbus bus; msgbus_max_waiters 1; }
        location /if/ { msgbus bus; if ($arg_x) { set $y 1; } }
        location /short/ { msgbus bus; msgbus_max_waiters 1 retry=1ms; }',
)->start;

my $client = $nginx->client(agent => 'test/1.0');
my @sse = (Accept => 'text/event-stream');

my $held = Msgbus::Stream->new(to => "127.0.0.1:$nginx->{port}", uri => '/c');

$held->open;
Msgbus::Stream->read_until(5, sub { $held->{body} =~ /\n\n/ }, $held);

$client->post('/full/c', "[$_]") for 1 .. 3;

sub is_told {
    my ($r, $id, $title) = @_;

    is($r->status, 200, $title);
    is($r->body =~ s/\Aretry: \d+\n//r,
       qq(event: msgbus.ping\ndata: {"ping":$id}\nid: $id\n\n),
       '    to come back to that place');

    return $r->body =~ /(\d+)/ ? $1 : 0;
}

my @retry = map { is_told($client->get('/full/c', @sse), 0,
                          'who is one too many is told to wait') } 1 .. 10;

is(scalar(grep { $_ >= 40_000 && $_ <= 54_000 } @retry), 10,
   'for as long as it says, or up to a third longer');
cmp_ok(scalar(keys %{{ map { $_ => 1 } @retry }}), '>', 5, '    by lot');

my $r = $client->get('/full/c', @sse, 'Last-Event-ID' => 2);

is_told($r, 2, 'a cursor stays where it is');
is_told($client->get('/full/c?last-known-id=latest', @sse), 3,
        '"latest" is the newest event of that moment');
is_told($client->get('/if/c?x=1', @sse), 0, 'an "if" has it too');
is(is_told($client->get('/short/c', @sse), 0, 'it can be short'), 1,
   '    as short as can be');

is($r->header('Content-Type'), 'text/event-stream; charset=utf-8',
   'it is a stream');
is($r->header('Content-Length'), length $r->body, '    of a known length');
is($r->header('Cache-Control'), 'no-cache, no-transform',
   '    that nobody keeps');
is($r->header('ETag'), undef, '    nor compares');
is($r->header('Retry-After'), undef, '    and no error');
is($client->{opened} // 1, 1, '    and the connection goes on');

is($client->get('/full/c', Accept => 'application/x-ndjson')->status, 503,
   'NDJSON has no "retry": 503');
is($client->get('/full/c?last-known-id=latest&wait=1')->status, 503,
   'nor has a long-poll');
is($client->head('/full/c', @sse)->status, 200, 'HEAD is not concerned');
is($client->get('/own/c', @sse)->status, 503,
   'who says another number says "retry" anew');

SKIP: {
    skip 'needs curl with HTTP/2', 1
        if `curl --version 2>&1` !~ /\bHTTP2\b/;

    my $got = `curl -sS --noproxy '*' -m 10 --http2-prior-knowledge \\
               -H 'Accept: text/event-stream' http://127.0.0.1:$h2/full/c`;

    like($got, qr/\Aretry: \d{5}\nevent: .*\nid: 0\n\n\z/s,
         'over HTTP/2 it is the same');
}

# the one who was there leaves

$held->close;
$nginx->wait_for_readers(0);

my $back = Msgbus::Stream->new(to => "127.0.0.1:$nginx->{port}",
                               uri => '/full/c', cursor => 2);

$back->open;
Msgbus::Stream->read_until(5, sub { $back->{n} }, $back);

is(join(' ', $back->posted), '[3]', 'who comes back gets what has come');
like($back->{body}, qr/\Aretry: [234]\d{3}\n/, '    and a short "retry" again');
$back->close;

# what is refused

my $binary = $ENV{TEST_NGINX_BINARY} || 'nginx';

for my $wrong ('retry=', 'retry=0', 'retry=soon', 'retry=25h', 'again=1s') {
    $nginx->configure(location => "msgbus_max_waiters 1 $wrong;");

    like(scalar `$binary -t -c $nginx->{dir}/nginx.conf 2>&1`,
         qr/\[emerg\].* invalid (?:value of|parameter) "\Q$wrong\E"/,
         "$wrong is refused");
}

$nginx->quit;
$nginx->no_alerts;

done_testing;
