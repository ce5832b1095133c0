# Whose own events are hidden has an ETag of his own: it brings 304 for what he
# has seen, and for nothing else.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Nginx;


Msgbus::Nginx->limit(60);

my $nginx = Msgbus::Nginx->new(
    http     => 'msgbus_zone zone=bus:1m first_id=1;
                 msgbus_zone zone=other:1m first_id=1;
                 msgbus_require_uuid off;',
    location => 'location /bus/    { msgbus bus; if ($http_x) { msgbus other; } }
                 location /other/  { msgbus other; }
                 location = /named { msgbus bus; msgbus_channel /$http_x; }',
)->start;

my %client = map { $_ => $nginx->client(agent => "$_/1.0 uuid/$_") }
             qw( writer one two );
my $nobody = $nginx->client(agent => 'nobody/1.0');

$client{$_}->post('/bus/c', "[\"$_\"]") for qw( writer one two writer );

my $one = $client{one}->get('/bus/c');
my $two = $client{two}->get('/bus/c');

isnt($one->body, $two->body, 'each sees what the other does not');
isnt($one->header('ETag'), $two->header('ETag'), 'and has a tag of his own');

for my $r ($one, $two) {
    my @since = ('If-None-Match' => $r->header('ETag'));

    is($client{one}->get('/bus/c', @since)->status, $r == $one ? 304 : 200,
       'one of them: 304 for his own');
    is($client{two}->get('/bus/c', @since)->status, $r == $two ? 304 : 200,
       'the other: likewise');
    is($nobody->get('/bus/c', @since)->status, 200,
       'and nobody else has seen that');
}

is($client{one}->get('/bus/c?echo=true')->header('ETag'),
   $client{two}->get('/bus/c?echo=true')->header('ETag'),
   'what is the same for both has one tag');

# a header may decide on the channel, and on the bus

$nobody->post("/bus/$_", '{}') for qw( a b );
$client{writer}->post('/other/c', '[]') for 1 .. 4;

isnt($nobody->get('/named', X => 'a')->header('ETag'),
     $nobody->get('/named', X => 'b')->header('ETag'),
     'channels that a header names have their own');
isnt($client{two}->get('/bus/c?max-events=1')->header('ETag'),
     $client{two}->get('/bus/c?max-events=1', X => 1)->header('ETag'),
     'and buses that it chooses');
isnt($nobody->get('/bus/c?max-events=1')->header('ETag'),
     $nobody->get('/bus/c?max-events=1', X => 1)->header('ETag'),
     'for those without a uuid, too');

$nginx->quit;
$nginx->no_alerts;

done_testing;
