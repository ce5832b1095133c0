# sub_filter leaves answers alone, unless it is told to change JSON too.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Nginx;


Msgbus::Nginx->limit(60);

my $nginx = Msgbus::Nginx->new(
    http     => 'msgbus_zone zone=bus:16m first_id=1;
                 msgbus_scope exact parent all;
                 msgbus_require_uuid off;
                 sub_filter secret public;
                 sub_filter_once off;',
    location => <<'END',
location /bus/ {
    msgbus bus;
}

location /changed/ {
    msgbus bus;
    sub_filter_types application/json;
}

location /added/ {
    msgbus bus;
    add_before_body /bus/a;
    add_after_body  /text;
    addition_types  application/json;
}

location /text {
    return 200 text;
}
END
)->start;

my $client = $nginx->client(agent => 'test/1.0');
my $text = 'secret' x 10_000;

is($client->post('/bus/a', '["secret"]')->id, 1, 'an event');
is($client->post('/changed/large', qq(["$text"]))->id, 2, 'a large one');

is($client->get('/bus/a')->events->[0]{data}, '["secret"]',
   'JSON is left alone');

my $r = $client->get('/changed/a');

is($r->events->[0]{data}, '["public"]', 'or changed on demand');
is($r->header('Content-Length'), undef, 'then its length is not known');
ok($client->get('/changed/large')->events->[0]{data}
   eq '["' . 'public' x 10_000 . '"]', 'a large one too');
is($client->get('/changed/?events=all')->body =~ /secret/, '', 'all of it');
is($client->get('/changed/none')->status, 204, 'an empty one');
is($client->post('/changed/b', '["secret"]')->id, 3, 'a POST');
is($client->get('/bus/b')->events->[0]{data}, '["secret"]',
   'is stored as it came');
like($client->post('/changed/b', '[')->body, qr/Invalid JSON/, 'an error');
is($client->head('/changed/a')->status, 200, 'a HEAD');

# other filters that add to an answer

$r = $client->get('/added/a');

is($r->status, 200, 'text before and behind it');
is(() = $r->body =~ /\{"channel":"\/a","events":\[/g, 2, 'the bus among them');
like($r->body, qr/text\z/, 'as it is configured');
is($client->get('/added/none')->status, 204, 'an empty one');
is($client->post('/added/c', '[1]')->status, 201, 'a POST');

ok($client->{sock}, 'all on one connection');

$nginx->quit;
$nginx->no_alerts;

done_testing;
