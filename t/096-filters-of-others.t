# Filters of other modules see each answer, and may add to it: it keeps a framing
# that is right, and streams go on.  Headers have nginx's own places, where
# other modules look for them.
#
# The modules are Debian's: echo, headers-more, lua, subs_filter, njs.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Nginx;
use Msgbus::Stream;


my $folder = '/usr/lib/nginx/modules';
my @modules = map { "$folder/$_.so" }
              qw( ndk_http_module ngx_http_echo_module
                  ngx_http_headers_more_filter_module ngx_http_lua_module
                  ngx_http_subs_filter_module ngx_http_js_module );

if (my @missing = grep { !-e } @modules) {
    die "no @missing\n" if $ENV{CI};
    plan skip_all => "needs modules of others in $folder";
}

Msgbus::Nginx->limit(60);

my $nginx = Msgbus::Nginx->new(
    main     => join('', map { "load_module $_;\n" } @modules),
    http     => 'msgbus_zone zone=bus:1m first_id=1;
                 msgbus_require_uuid off;
                 msgbus_jsonp on;
                 msgbus_scope exact parent all;
                 js_import msgbus from filter.js;',
    location => <<'END_OF_LOCATION',
location /plain/ { msgbus bus; }

location /echo/ {
    msgbus bus;
    echo_before_body -n "before ";
    echo_after_body -n " after";
}

location /lua/ {
    msgbus bus;
    header_filter_by_lua_block { ngx.header.content_length = nil }
}

location /luabody/ {
    msgbus bus;
    header_filter_by_lua_block { ngx.header.content_length = nil }
    body_filter_by_lua_block { ngx.arg[1] = string.upper(ngx.arg[1]) }
}

location /njs/ {
    msgbus bus;
    js_header_filter msgbus.header;
    js_body_filter msgbus.body;
}

location /subs/ {
    msgbus bus;
    subs_filter_types *;
    subs_filter red blue;
}

location /cleared/ { msgbus bus; more_clear_headers Cache-Control Msgbus-*; }
location /set/     { msgbus bus; more_set_headers "Cache-Control: mine"; }
location /expires/ { msgbus bus; expires 1h; }
location /health   { msgbus_health bus; expires 1h; }

location /charset/ {
    msgbus bus;
    charset utf-8;
    charset_types application/json text/javascript;
}
END_OF_LOCATION
);

open my $js, '>', "$nginx->{dir}/filter.js" or die "filter.js: $!\n";
print $js 'function header(r) { delete r.headersOut["Content-Length"]; }
           function body(r, data, flags) { r.sendBuffer(data, flags); }
           export default { header, body };';
close $js;

$nginx->start;

my $client = $nginx->client(agent => 'test/1.0');

# right: the next request on the connection has its own answer

sub whole {
    my ($r) = @_;

    return $r->error if $r->failure;

    my $next = $client->get('/plain/next');

    return join ' ', $r->status, $r->body, $next->status == 204 ? () : 'lost';
}

my $post = '{ "message": "Invalid JSON" }';

is(whole($client->post('/plain/c', '["red"]')), '201 ', 'a POST');

my %way = (
    echo    => sub { "before $_[0] after" },
    lua     => sub { $_[0] },
    luabody => sub { uc $_[0] },
    njs     => sub { $_[0] },
    subs    => sub { $_[0] =~ s/red/blue/gr },
);

for my $name (sort keys %way) {
    my $becomes = $way{$name};

    for my $version ('1.1', '1.0') {
        my $to = sub {
            my ($method, $uri, $body) = @_;

            my $bytes = $client->format($method, $uri, $body);

            $bytes =~ s{HTTP/1\.1}{HTTP/$version};
            $client->connect;
            $client->send($bytes);

            my $r = $client->response($method);

            $r->{body} =~ s/"(age)":\d+/"$1":0/gi;
            $r->{body} =~ s/"(id)":\d+/"$1":0/gi;
            $r->{body} =~ s/\d\d\d\d-\d\d-\d\d.\d\d:\d\d:\d\d/T/gi;

            return $r;
        };

        my $page = $to->(GET => '/plain/c?max-events=1')->body;

        is(whole($to->(POST => "/$name/x", '[1]')),
           '201 ' . $becomes->(''), "$name, HTTP/$version: a POST");
        is(whole($to->(GET => "/$name/c?max-events=1")),
           '200 ' . $becomes->($page), 'a page');
        is(whole($to->(GET => "/$name/quiet")), '204 ', 'no page');
        is(whole($to->(POST => "/$name/x", '{')), '400 ' . $becomes->($post),
           'an error');
        is(whole($to->(OPTIONS => "/$name/x")), '204 ', 'OPTIONS');
        is(whole($to->(GET => "/$name/health")), '200 ' . $becomes->("OK\n"),
           'health');
        is(whole($to->(GET => "/$name/x?method=POST&post-data=[1]&callback=f")),
           '200 ' . $becomes->('f({});'), 'JSONP');
    }

    # a stream

    for my $sse (1, 0) {
        my $stream = Msgbus::Stream->new(to => "127.0.0.1:$nginx->{port}",
                                         uri => "/$name/c", sse => $sse);
        my $n = 0;

        $stream->open;

        my $come = sub {
            my ($what) = @_;

            Msgbus::Stream->read_until(5, sub { $stream->{body} =~ /$what/i },
                                       $stream);
            return scalar $stream->{body} =~ /$what/i;
        };

        ok($come->("red|blue"), "$name: a stream begins");
        like($stream->{body}, qr/\Abefore /, 'behind what comes before it')
            if $name eq 'echo';

        for my $word (qw( one two )) {
            $client->post('/plain/c', "[\"$word\"]");
            ok($come->($word), "and goes on with event $word");
        }

        $stream->close;
    }
}

# headers

sub caching { return "@{ $_[0]{headers}{'cache-control'} || ['none'] }" }

for my $request ([GET => 'c'], [GET => 'quiet'], [GET => 'c?callback=f'],
                 [GET => 'c?method=POST&post-data=[1]'])
{
    my ($method, $uri) = @$request;
    my $ask = sub { $client->request($method, "/$_[0]/$uri") };

    is(caching($ask->('cleared')), 'none', "/$uri: it can be cleared");
    is(caching($ask->('set')), 'mine', 'and set');
    is(caching($ask->('expires')), 'max-age=3600', 'and by "expires"');
}

is(caching($client->get('/health')), 'max-age=3600', 'that of health, too');
is($client->get('/cleared/c')->last_id, undef, 'other headers can be cleared');
is($client->get('/charset/c')->header('Content-Type'),
   'application/json; charset=utf-8', 'a charset is there once');

$nginx->quit;
$nginx->no_alerts;

done_testing;
