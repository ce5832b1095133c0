# A page can include what is in a channel.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Documented;
use Msgbus::Nginx;


Msgbus::Nginx->limit(60);

# the recipe

my $nginx = Msgbus::Documented->recipe('Events in a page')->start;
my $client = $nginx->client(agent => 'test/1.0');

like($client->get('/page')->body, qr{<p></p>}, 'an empty channel is nothing');
is($client->post('/bus/a', '{"n":"<script>"}')->id, 1, 'an event');

my $r = $client->get('/page');

is($r->status, 200, 'a page');
like($r->body, qr/&quot;data&quot;:\{&quot;n&quot;:&quot;&lt;script&gt;&quot;\}/,
     'shows it as text');

my $large = '["' . 'x' x 500_000 . '"]';

is($client->post('/bus/a', $large)->id, 2, 'a large event');
like($client->get('/page')->body, qr/\[&quot;x+&quot;\]/, 'is shown too');
is(() = $client->get('/page')->body =~ /x/g, 500_000, 'as a whole');

$nginx->quit;
$nginx->no_alerts;


# pages of all kinds

my @includes = (
    '/bus/a',
    '/bus/a?max-events=1',
    '/bus/a?max-events=1&sort=-1',
    '/bus/a/empty',
    '/bus/?events=all',
    '/bus/large',
    '/bus/a?callback=f',
    '/bus/health',
    '/bus/a?wait=20&last-known-id=latest',
    '/bus/a?last-known-id=99999',
);

my %refused = (
    'a channel that cannot be'  => '/bus/a.b',
    'a bad number'              => '/bus/a?max-events=0',
    'a post by JSONP'           => '/bus/a?method=POST&post-data={}&callback=f',
);

my $n = 0;
my $pages = join '', map { $n++; <<"END" } @includes, values %refused;
location = /page/$n {
    return 200 'before<!--# include virtual="$_" -->after';
}
location = /twice/$n {
    return 200 '<!--# include virtual="$_" wait="yes" -->-<!--# include virtual="$_" -->';
}
END

$nginx = Msgbus::Nginx->new(
    http     => 'msgbus_zone zone=bus:16m first_id=1;
                 msgbus_scope exact parent all;
                 msgbus_jsonp on;
                 msgbus_require_uuid off;',
    location => "location /bus/ { msgbus bus; }
                 ssi on;
                 default_type text/html;
                 $pages
                 location = /stub {
                     return 200 '<!--# block name=\"none\" -->none<!--# endblock --><!--# include virtual=\"/bus/none\" stub=\"none\" -->';
                 }",
)->start;

$client = $nginx->client(agent => 'test/1.0');

is($client->post('/bus/a', "[$_]")->status, 201, 'an event') for 1 .. 3;
is($client->post('/bus/large', $large)->status, 201, 'a large event');

# the same a second later, too

sub page {
    my ($uri, @posted) = @_;

    my $r = @posted ? $client->post($uri, @posted) : $client->get($uri);

    return $r->body =~ s/"age":\d+/"age":0/gr;
}


$n = 0;

for my $uri (@includes) {
    $n++;

    my $began = $client->now;
    my $body = page($uri =~ s/wait=20&//r);

    $r = $client->get("/page/$n");

    is($r->status, 200, "a page that includes $uri");
    ok(page("/page/$n") eq "before${body}after", 'has what is there');
    is($r->header('Msgbus-Last-Id'), undef, 'and no header of it');
    is($r->header('Content-Type'), 'text/html', 'nor its type');

    ok(page("/twice/$n") eq "$body-$body", 'twice');
    ok($client->head("/page/$n")->status == 200, 'a HEAD');

    # the page's own body is nothing to an included read
    ok(page("/page/$n", '{"posted":1}') eq "before${body}after",
       'a POST of the page');
    cmp_ok($client->now - $began, '<', 5 * $Msgbus::Nginx::PATIENCE,
           'at once');
}

for my $what (keys %refused) {
    $n++;
    $r = $client->get("/page/$n");

    is($r->status, 200, "a page that includes $what");
    like($r->body, qr/^before.*after\z/s, 'is a page');
    is($client->post("/page/$n", '{"posted":1}')->status, 200, 'a POST too');
}

is($client->get('/stub')->body, 'none', 'a stub stands for an empty channel');
is($client->get('/bus/?events=all')->last_id, 4,
   'whatever was included, nothing was stored');

my @answers = $client->pipeline(map { [GET => '/page/1'] } 1 .. 100);

is(scalar grep({ $_->status == 200 } @answers), 100, 'a hundred pages');

is(() = $nginx->worker_pids, 1, 'the worker is alive');
$nginx->quit;
$nginx->no_alerts;

done_testing;
