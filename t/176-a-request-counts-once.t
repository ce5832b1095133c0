# A request counts once, by what its client has got, wherever an error_page has
# led it: in the last zone that refused it, unless another one has answered it.
# What nginx itself refuses counts, too.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Nginx;
use Msgbus::Status;


Msgbus::Nginx->limit(30);

my $port = Msgbus::Nginx::free_port();

my $nginx = Msgbus::Nginx->new(
    workers  => 1,
    http     => "msgbus_zone zone=bus:1m; msgbus_zone zone=other:1m;
                 msgbus_zone zone=full:1m max_events=1 full=reject;
                 msgbus_zone zone=fuller:1m max_events=1 full=reject;
                 msgbus_require_uuid off; msgbus_jsonp on;
                 limit_req_zone \$arg_limit zone=limit:1m rate=1r/m;
                 client_max_body_size 1k;
                 server {
                     listen 127.0.0.1:$port;
                     location / { msgbus other; }
                     location /silent/ { return 200 'well\n'; }
                 }",
    location => <<"END",
location / { msgbus bus; }
location = /status { msgbus_status; }

location /sorry/ {
    msgbus bus;
    limit_req zone=limit;
    limit_req_status 429;
    error_page 400 403 405 413 429 = \@sorry;
    if (\$arg_deny) { return 403; }
}

location \@sorry { return 200 "sorry\\n"; }

location /file/ {
    msgbus bus;
    error_page 400 403 413 /sorry.txt?why=\$status;
    if (\$arg_deny) { return 403; }
}

location /constant/ {
    msgbus bus;
    error_page 400 413 /answer?with=arguments;
}

location = /answer { return 200 "\$args\\n"; }
location = /sorry.txt { return 200 "sorry\\n"; }

location /moved/ {
    msgbus bus;
    deny all;
    error_page 403 http://example.org/;
}

location /elsewhere/ {
    msgbus bus;
    return 301 /a;
    error_page 301 /answer?with=status;
}

location /login/ {
    msgbus bus;
    auth_request /no;
    error_page 401 = /answer?for=\$arg_who;
}

location /asked/ {
    msgbus bus;
    auth_request /refused;
    error_page 401 403 = \@sorry;
}

location = /no      { return 401; }
location = /refused { msgbus other; msgbus_channel /asked; return 403;
                      error_page 403 = \@sorry; }

location /denied/   { msgbus bus; deny all; }

location /round/    { msgbus bus; deny all; recursive_error_pages on;
                      error_page 403 = \@round; }
location \@round    { msgbus other; msgbus_channel /round; deny all;
                      recursive_error_pages on; error_page 403 = \@round; }

location /text/ {
    msgbus bus;
    return 403 "no\\n";
}

location /in/ { msgbus bus; deny all; }

location /well/ {
    msgbus bus;
    return 200 "well\\n";
}

location /full/   { msgbus full; error_page 507 = \@fuller; }
location \@fuller { msgbus fuller; msgbus_channel /spare; }

location /again/  { msgbus full; error_page 507 = \@again; }
location \@again  { msgbus full; msgbus_channel /spare; }

location /spare/  { msgbus full; error_page 507 = \@spare; }
location \@spare  { msgbus bus; msgbus_channel /spare; }

location /deny/   { msgbus full; deny all; error_page 403 = \@spare; }

location /far/    { msgbus full; error_page 507 = \@far; }
location \@far    { rewrite ^/far(.*)\$ \$1 break;
                    proxy_pass http://127.0.0.1:$port; }

location /away/   { msgbus bus; deny all; error_page 403 = \@away; }
location \@away   { rewrite ^/away(.*)\$ \$1 break;
                    proxy_pass http://127.0.0.1:$port; }

location /page/   { msgbus full; error_page 507 =200 /other/read; }
location /other/  { msgbus other; }
location /to/     { msgbus bus; error_page 400 403 = \@to;
                    if (\$arg_deny) { return 403; } }
location \@to     { msgbus other; msgbus_channel /read; }
location /badly/  { msgbus bus; error_page 400 = \@badly; }
location \@badly  { msgbus other; msgbus_channel /no.\$uri; }

location /after/  { msgbus bus; post_action \@after; }
location \@after  { msgbus other; msgbus_channel /after; }

location /mirror/ { msgbus bus; mirror /copy; }
location = /copy  { internal; msgbus other; msgbus_channel /copy; }
END
)->start;

my $client = $nginx->client(agent => 'test/1.0');
my %status = map { $_ => Msgbus::Status->new(nginx => $nginx, zone => $_) }
             qw( bus other full fuller );


# what a request changes, in all zones: "bus:refused.invalid" => 1

sub counts {
    my ($title, $request, @more) = @_;

    my $counts = $request;

    while (my ($zone, $more) = splice @more, 0, 2) {
        my ($inner, $of) = ($counts, $zone);

        $counts = sub {
            $status{$of}->counts("$title, $of,", $inner, %$more);
        };
    }

    return $counts->();
}

my @zones = sort keys %status;

sub only {
    my ($title, $zone, $more, $request, $status) = @_;

    counts($title, sub { is($request->()->status, $status, $title) },
           map { $_ => $_ eq $zone ? $more : {} } @zones);
}

is($client->post("/$_/a", '[]')->status, 201, 'all there is room for')
    for 'full';
is($client->post('/full/a', '[]')->status, 201, 'and there');
is($client->post('/other/read', '[1]')->status, 201, 'something to read');

my $large = '["' . 'x' x 2000 . '"]';

# of the events in an answer, whose age is told: so it is that answer's

my $bytes = 0;

sub of_events {
    my ($answer) = @_;

    my ($events) = $answer->body =~ /"events":\[(.*)\]\}\z/s;

    $bytes = length($events // '');

    return $answer;
}


# --- posts that nginx refuses, and an error_page takes away

for my $of (['a large one', '/sorry/a', $large, 'too_large', 200],
            ['one in chunks', '/sorry/a', [$large], 'too_large', 200],
            ['one by a rule', '/sorry/a?deny=1', '{}', 'unauthorized_origin',
             200],
            ['what the bus refuses', '/sorry/a', '{', 'invalid', 200],
            ['a large one, to a file', '/file/a', $large, 'too_large', 413],
            ['one by a rule, to a file', '/file/a?deny=1', '{}',
             'unauthorized_origin', 403],
            ['what the bus refuses, to a file', '/file/a', '{', 'invalid', 400],
            ['one to another address', '/moved/a', '{}', 'unauthorized_origin',
             302],
            ['one with an answer of its own', '/text/a', '{}',
             'unauthorized_origin', 403])
{
    my ($title, $uri, $body, $reason, $code) = @$of;

    only($title, 'bus', { "refused.$reason" => 1 },
         sub { $client->post($uri, $body) }, $code);
}

# by GET, of which nginx knows nothing

for my $of (['/sorry/a?deny=1&', 200], ['/file/a?deny=1&', 403],
            ['/text/a?', 403], ['/in/a?', 403])
{
    my ($uri, $code) = @$of;

    only("one by GET, at $uri", 'bus', { 'refused.unauthorized_origin' => 1 },
         sub { $client->get("${uri}method=POST&post-data=[]") }, $code);
}

is($client->get('/sorry/a?limit=1')->status, 204, 'what the limit allows');
only('a post beyond a limit', 'bus', { 'refused.other' => 1 },
     sub { $client->post('/sorry/a?limit=1', '{}') }, 200);
only('a read beyond it', 'bus', { 'reads.refused' => 1 },
     sub { $client->get('/sorry/a?limit=1') }, 200);
only('what is answered without the bus', 'bus', {},
     sub { $client->post('/well/a', '{}') }, 200);
only('what is told to go elsewhere', 'bus', {},
     sub { $client->post('/elsewhere/a', '{}') }, 301);

for my $of (['a post', sub { $client->post("/$_[0]/a?who=me", '{}') },
             'refused.unauthorized_origin'],
            ['a post by a GET',
             sub { $client->get("/$_[0]/a?method=POST&post-data=[]&who=me") },
             'refused.unauthorized_origin'],
            ['a read', sub { $client->get("/$_[0]/a?who=me") },
             'reads.refused'])
{
    my ($what, $request, $counter) = @$of;

    only("$what that a rule refuses", 'bus', { $counter => 1 },
         sub { $request->('denied') }, 403);
    only("$what that needs a login", 'bus', { $counter => 1 },
         sub { $request->('login') }, 200);
    only("$what that is led in a circle", 'other', { $counter => 1 },
         sub { $request->('round') }, 500);
}

is($client->post('/login/a?who=me', '{}')->body, "for=me\n",
   'an error_page may have variables');
only('a request to ask whether a post is allowed', 'bus',
     { 'published.events' => 1, 'published.bytes' => 2 },
     sub { $client->post('/asked/a', '[]') }, 201);

is($client->post('/constant/a', '{')->body, "with=arguments\n",
   'arguments of an error_page stay');
is($client->post('/constant/a', $large)->body, "with=arguments\n",
   '    for what nginx refuses, too');


# --- from one bus to another one

only('one that no zone has room for', 'fuller', { 'refused.full' => 1 },
     sub { $client->post('/full/a', '[]') }, 507);
only('one that a zone refuses twice', 'full', { 'refused.full' => 1 },
     sub { $client->post('/again/a', '[]') }, 507);
only('one that another zone stores', 'bus',
     { 'published.events' => 1, 'published.bytes' => 2 },
     sub { $client->post('/spare/a', '[]') }, 201);
only('one by a GET', 'bus',
     { 'published.events' => 1, 'published.bytes' => 2 },
     sub { $client->get('/spare/a?method=POST&post-data=[]') }, 201);
only('one that nginx refuses, and another zone stores', 'bus',
     { 'published.events' => 1, 'published.bytes' => 2 },
     sub { $client->post('/deny/a', '[]') }, 201);
only('one that a server behind stores', 'other',
     { 'published.events' => 1, 'published.bytes' => 2 },
     sub { $client->post('/far/a', '[]') }, 201);
only('one of which a server behind does not say so', 'full',
     { 'refused.full' => 1 },
     sub { $client->post('/far/silent/a', '[]') }, 200);

# nginx makes a GET of it, which is answered: to who has posted

counts('a post that gets a page', sub {
    is(of_events($client->post('/page/a', '[]'))->status, 200, 'of another zone');
}, full => { 'refused.full' => 1 }, bus => {}, fuller => {},
   other => { 'delivered.events' => 1, 'delivered.bytes' => sub { $bytes } });

for my $why ('deny=1', 'max-events=0') {
    only("a read that is led to another zone: $why", 'other',
         $why eq 'deny=1' ? { 'reads.page' => 1, 'delivered.events' => 1,
                              'delivered.bytes' => sub { $bytes } }
                          : { 'reads.refused' => 1 },
         sub { of_events($client->get("/to/a?last-known-id=0&$why")) },
         $why eq 'deny=1' ? 200 : 400);
}

only('a read that another nginx answers', 'other',
     { 'reads.page' => 1, 'delivered.events' => 1,
       'delivered.bytes' => sub { $bytes } },
     sub { of_events($client->get('/away/read?max-events=1')) }, 200);
only('one that finds nothing there', 'other', { 'reads.empty' => 1 },
     sub { $client->get('/away/none') }, 204);

for my $of (['text/event-stream', 'sse'], ['application/x-ndjson', 'ndjson']) {
    my ($type, $form) = @$of;

    only("a stream of it, $form", 'other', { "reads.$form" => 1 },
         sub { $client->head('/away/read', Accept => $type) }, 200);
}

counts('one that is refused there, too', sub {
    is($client->get('/away/read?max-events=0')->status, 400, 'its client got 400');
}, bus => { 'reads.refused' => 1 }, full => {}, fuller => {},
   other => { 'reads.refused' => 1 });
only('one that no bus answers', 'bus', { 'reads.refused' => 1 },
     sub { $client->get('/away/silent/read') }, 200);

only('a read that is refused in two', 'other', { 'reads.refused' => 1 },
     sub { $client->get('/badly/a?max-events=0') }, 400);


# --- what nginx does beside an answer is no request of a client

only('a post with an action after it', 'bus',
     { 'published.events' => 1, 'published.bytes' => 2 },
     sub { $client->post('/after/a', '[]') }, 201);
only('a read with one', 'bus', { 'reads.empty' => 1 },
     sub { $client->get('/after/none') }, 204);
only('a refused post with one', 'bus', { 'refused.invalid' => 1 },
     sub { $client->post('/after/a', '{') }, 400);
only('a post with a mirror', 'bus',
     { 'published.events' => 1, 'published.bytes' => 2 },
     sub { $client->post('/mirror/a', '[]') }, 201);

$nginx->quit;
$nginx->no_alerts;

done_testing;
