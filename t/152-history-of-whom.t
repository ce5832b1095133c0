# Whatever way a page is asked for, what has left memory is in it: by a
# long-poll, by JSONP, in a subrequest, through an error_page, over HTTP/1.0, by
# one of many on a connection.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Nginx;


Msgbus::Nginx->limit(60);

my $nginx = Msgbus::Nginx->new(
    http     => 'msgbus_journal disk { path journal; segment 256k; }
                 msgbus_zone zone=bus:1m store=disk ttl=1d max_events=10;
                 msgbus_require_uuid off; msgbus_jsonp on;
                 msgbus_scope exact parent all;',
    location => 'location / { msgbus bus; }
                 location /held/ { msgbus bus; msgbus_park off; }
                 location /fresh/ { msgbus bus; msgbus_fresh_reads on; }
                 location /include {
                     ssi on; ssi_types *; default_type text/html;
                     return 200 \'<!--# include virtual="/in?last-known-id=0&echo=true" -->|<!--# include virtual="/in?last-known-id=0&echo=true&max-events=2" -->|<!--# include virtual="/in?echo=true" -->\';
                 }
                 location = /in { msgbus bus; msgbus_channel /a; }
                 location /guard/ { auth_request /may; return 200 "in\n"; }
                 location = /may { internal; msgbus bus; msgbus_channel /a;
                                   set $args last-known-id=0&echo=true; }
                 location /lost/ { error_page 404 = @a; return 404; }
                 location @a { msgbus bus; msgbus_channel /a; }',
)->start;

my $client = $nginx->client(agent => 'reader/1.0');

$nginx->until(10, 'the journal to be read', sub {
    return $client->get('/x?echo=true')->status == 204;
});

my @ids = map { $client->post('/a', "[$_]")->id } 1 .. 40;
my $all = join ' ', map { "[$_]" } 1 .. 40;

sub in_text { return join ' ', $_[0] =~ /"data":(\[\d+\])/g }

my $old = '/a?echo=true&last-known-id=0';

# a long-poll: what is there at once, else what comes

my $t0 = Msgbus::Client::now();

is(in_text($client->get("$old&wait=20")->body), $all,
   'a long-poll has history to show, and does not wait');
cmp_ok(Msgbus::Client::now() - $t0, '<', 5 * $Msgbus::Nginx::PATIENCE,
       '    not at all');

my $waits = $nginx->client(agent => 'reader/1.0');

$client->post('/quiet', '[0]');
$client->post('/a', "[$_]") for 41 .. 60;
$all = join ' ', map { "[$_]" } 1 .. 60;

my $quiet = $client->get('/quiet?echo=true&last-known-id=0')->last_id;

$waits->connect;
$waits->send($waits->format(GET => "/quiet?wait=20&echo=true"
                                   . "&last-known-id=$ids[3]"));

my $r = $waits->response('GET');

is(in_text($r->body), '[0]', 'the only event of a channel is found');

$waits->send($waits->format(GET => "/never?wait=20&echo=true"
                                   . "&last-known-id=$ids[3]"));
$nginx->wait_for_readers(1);
$client->post('/never', '[7]');

is(in_text($waits->response('GET')->body), '[7]',
   'where history has nothing a long-poll waits for what comes');

# the wait ends as any other

$t0 = Msgbus::Client::now();
$r = $client->get("/none?wait=1&echo=true&last-known-id=$ids[3]");

is($r->status, 204, 'or until its time is over');
is($r->gap, 0, '    without a gap');

# forms and ways

like($client->get("$old&callback=f")->body, qr/\Af\(\{.*\[60\].*\}\);\z/s,
     'JSONP');

is(in_text($client->get("/fresh$old")->body), $all, 'a fresh read');

is(in_text($client->get('/lost/x?echo=true&last-known-id=0')->body), $all,
   'behind an error_page');

my ($page, $two, $now) = split /\|/, $client->get('/include')->body;

is(in_text($page), $all, 'a subrequest');
is(in_text($two), '[1] [2]', '    two of them at once');
is(in_text($now) =~ s/.* //r, '[60]', '    beside one that memory serves');
is($client->get('/guard/x')->body, "in\n", 'an auth_request');

my $old_client = $nginx->client(agent => 'reader/1.0');
my $request = $old_client->format(GET => $old) =~ s/HTTP\/1\.1/HTTP\/1.0/r;

$old_client->connect;
$old_client->send($request);
is(in_text($old_client->response('GET')->body), $all, 'HTTP/1.0');

my @many = $client->pipeline(map { [GET => $_] }
                             $old, '/a?echo=true', "$old&max-events=3", $old);

is(join(', ', map { scalar(my @n = $_->body =~ /"data"/g) } @many)
       =~ s/, \d+,/, N,/r,
   '60, N, 3, 60', 'requests in a row');

# more comes at once than memory keeps: what has left it again is there, too

my $newest = $client->get('/burst?echo=true&last-known-id=latest')->last_id;

for my $way ('', '/held') {
    my $burst = $nginx->client(agent => 'reader/1.0');

    $burst->connect;
    $burst->send($burst->format(GET => "$way/burst?wait=20&echo=true"
                                       . "&last-known-id=$newest"));
    $nginx->wait_for_readers(1);

    $r = $client->post('/burst', join('', map { "[$_]\n" } 1 .. 50),
                       'Content-Type' => 'application/x-ndjson');
    $newest = $r->json->{ids}[-1];
    $r = $burst->response('GET');

    like(in_text($r->body), qr/\A\[1\] \[2\] \[3\]/,
         'a long-poll begins with the first of a burst'
         . ($way ? ', held' : ''));
    is($r->gap, 0, '    without a gap');

    my $rest = $client->get('/burst?echo=true&last-known-id=' . $r->last_id);
    my $all = in_text($r->body)
              . ($rest->status == 200 ? ' ' . in_text($rest->body) : '');

    is($all, join(' ', map { "[$_]" } 1 .. 50), '    and misses none');
}

$nginx->no_alerts;

done_testing;
