# Whatever block of the configuration a request comes by, the bus answers it as
# in a plain location: each handler, in each block.
#
# A block is what a location of a bus has beside "msgbus", or how a request gets
# there.  All of them are in one configuration.  The modules of others are
# Debian's.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Handlers;
use Msgbus::Nginx;


Msgbus::Nginx->limit(120);

my $folder = '/usr/lib/nginx/modules';
my @modules = map { "$folder/$_.so" }
              qw( ndk_http_module ngx_http_echo_module
                  ngx_http_headers_more_filter_module ngx_http_lua_module
                  ngx_http_subs_filter_module );
my @missing = grep { !-e } @modules;

die "no @missing\n" if @missing && $ENV{CI};

# beside "msgbus bus", or "msgbus_health bus"

my %beside = (
    'an if'           => 'if ($request_method) { set $seen 1; }',
    'an if with a header' => 'if ($request_method) { add_header X-If 1; }',
    'two ifs'         => 'if ($request_method) { set $seen 1; }
                          if ($seen) { set $seen 2; }',
    'an if that does not match' => 'if ($arg_nothing) { return 500; }',
    'an if with break' => 'if ($request_method) { break; }',
    'limit_except, all of them' => 'limit_except GET { allow all; }',
    'limit_except of OPTIONS'   => 'limit_except OPTIONS { allow all; }',
    'limit_except and an if'    => 'limit_except GET { allow all; }
                                    if ($request_method) { set $seen 1; }',
    'an error_page for what does not come' => 'error_page 402 /elsewhere;',
    'an error_page with a code' => 'error_page 402 =200 /elsewhere;',
    'post_action'     => 'post_action @after;',
    'post_action, and an if' => 'post_action @after;
                                 if ($request_method) { set $seen 1; }',
    'auth_request'    => 'auth_request /allowed;',
    'mirror'          => 'mirror /mirrored;',
    'mirror without the body' => 'mirror /mirrored; mirror_request_body off;',
    'satisfy'         => 'satisfy any; allow all; auth_request /denied;',
    'ssi'             => 'ssi on; ssi_types *;',
    'sub_filter'      => 'sub_filter_types *; sub_filter nowhere here;',
    'gzip'            => 'gzip on; gzip_types *; gzip_min_length 0;',
    'charset'         => 'charset utf-8;
                          charset_types application/json text/javascript;',
    'expires'         => 'expires off;',
    'chunks off'      => 'chunked_transfer_encoding on;',
    'a body in a file' => 'client_body_in_file_only clean;',
    'a small buffer'  => 'client_body_buffer_size 1;',
    'no keep-alive of idle ones' => 'keepalive_timeout 75s;',
    'a rate'          => 'limit_rate 1m;',
    'addition'        => 'add_after_body "";',
    'real_ip'         => 'set_real_ip_from 127.0.0.1;',
);

if (!@missing) {
    %beside = (%beside,
        'lua: access' => 'access_by_lua_block { return }',
        'lua: body read' => 'access_by_lua_block { ngx.req.read_body() }',
        'lua: filters' => 'header_filter_by_lua_block { return }
                           body_filter_by_lua_block { return }',
        'lua: rewrite' => 'rewrite_by_lua_block { ngx.ctx.seen = 1 }',
        'lua: log'     => 'log_by_lua_block { ngx.ctx.seen = 1 }',
        'echo'         => 'echo_after_body -n "";',
        'headers-more' => 'more_set_headers "X-More: 1";
                           more_set_input_headers "X-Even-More: 1";',
        'subs_filter'  => 'subs_filter_types *; subs_filter nowhere here;',
    );
}

# how a request gets to a location that is named otherwise: %s is its own name

my %by = (
    'a regex location'  => 'location ~ ^/%s(?<%s_channel>/.*|)$ {
                                msgbus bus; msgbus_channel $%s_channel; }',
    'a named location'  => 'location /%s/ { try_files /nothing @%s; }
                            location @%s { msgbus bus;
                                msgbus_channel $channel_below; }',
    'error_page to a named one' => 'location /%s/ {
                                recursive_error_pages on;
                                error_page 418 = @%s; return 418; }
                            location @%s { msgbus bus;
                                msgbus_channel $channel_below; }',
    'a rewrite'         => 'location /%s/ {
                                rewrite ^/%s/(.*)$ /plain/$1 last; }',
    'a rewrite that breaks' => 'location /%s/ { msgbus bus;
                                rewrite ^/(%s/.*)$ /$1 break; }',
    'a location inside' => 'location /%s { return 500;
                                location /%s/ { msgbus bus; } }',
);

my ($n, %name, $locations) = (0);

for my $what (sort keys %beside) {
    my $name = 'b' . ++$n;

    $name{$what} = $name;
    $locations .= "location /$name/ { msgbus bus; $beside{$what} }\n"
                  . "location = /h$name { msgbus_health bus; $beside{$what} }\n";
}

for my $what (sort keys %by) {
    my $name = 'b' . ++$n;

    $name{$what} = $name;
    $locations .= $by{$what} =~ s/%s/$name/gr . "\n";
}

my $nginx = Msgbus::Nginx->new(
    main     => @missing ? '' : join('', map { "load_module $_;\n" } @modules),
    http     => 'msgbus_zone zone=bus:8m first_id=1;
                 msgbus_require_uuid off;
                 msgbus_jsonp on;
                 msgbus_scope exact parent all;
                 msgbus_ping 1h;
                 map $uri $channel_below { ~^/\w+(?<below>/.*)$ $below; }',
    location => "location /plain/   { msgbus bus; }
                 location = /health { msgbus_health bus; }
                 location \@after   { return 200; }
                 location /allowed  { return 204; }
                 location /denied   { return 403; }
                 location /mirrored { return 200; }
                 location /included {
                     ssi on; ssi_types *; default_type text/plain;
                     return 200 '<!--#include virtual=\"/plain/full\" -->';
                 }
                 $locations",
)->start;

my ($worker) = $nginx->worker_pids;

$nginx->client(agent => 'poster/1.0 uuid/p')->post('/plain/full', '[0]');


# --- what each handler answers

# A request that is held is answered when its event comes: so all of them are
# sent, and then the event.  A stream is cut behind it.

sub answers {
    my ($h, @places) = @_;

    my %h = %$h;
    my $all = $h{held} ? '/none?last-known-id=latest' : $h{path};

    $all .= '&wait=20' if $h{held} eq 'wait';
    $h{path} = $all;

    my @clients;

    for my $place (@places) {
        my $client = $nginx->client(agent => 'reader/1.0 uuid/r');

        $client->send($client->format(
            Msgbus::Handlers->request(\%h, "/$place", "/h$place")));
        push @clients, $client;
    }

    if ($h{held}) {
        $nginx->wait_for_readers(scalar @places);
        $nginx->client(agent => 'poster/1.0 uuid/p')->post('/plain/none', '[1]');
    }

    my @shapes;

    for my $i (0 .. $#places) {
        my ($client, $place) = ($clients[$i], $places[$i]);

        if ($h{held} eq 'stream') {
            $nginx->until(5, 'a stream', sub {
                $client->read_some;
                return $client->{in} =~ /"data":\[1\]/;
            });

            my $in = $client->{in};

            $in =~ s/\d\d\d\d-\d\d-\d\d.\d\d:\d\d:\d\d/T/g;
            $in =~ s/^(?:Date|X-(?:If|More)|Server): .*\r\n//mg;
            $in =~ s/^retry: \d+/retry: N/mg;
            $in =~ s/("(?:id|ping|age)":|^id: )\d+/$1N/mg;
            $in =~ s/\r\n[0-9a-f]+\r\n/\r\n/g;
            push @shapes, join "\n", sort grep { /\S/ } split /\s*\n/, $in;
            $client->close;
            next;
        }

        my $r = $client->response($h{method});

        $r->{head} =~ s/^X-(?:If|More): 1\r\n//m if !$r->failure;
        push @shapes, Msgbus::Handlers->shape($r, $place);
        $client->close;
    }

    $nginx->wait_for_readers(0) if $h{held};

    return @shapes;
}

my @beside = sort keys %beside;
my @by = sort keys %by;

for my $h (Msgbus::Handlers->all) {
    my @what = $h->{own} ? @beside : (@beside, @by);

    my ($plain, @shapes) = answers($h, $h->{own} ? () : 'plain',
                                   map { $name{$_} } @what);

    if ($h->{own}) {
        unshift @shapes, $plain;
        ($plain) = Msgbus::Handlers->shape($nginx->client->request(
            Msgbus::Handlers->request($h, '', '/health')));
    }

    my $status = $h->{held} ? qr/200/ : qr/\A$h->{status}\b/;

    like($plain, $status, "$h->{name}: as it should be");

    if ($h->{name} eq 'a POST by JSONP') {

        # what keeps a POST away keeps this one away, too, in an "if" as well

        for my $i (grep { ($beside{$what[$_]} // '') =~ /limit_except GET/ }
                   0 .. $#what)
        {
            like($shapes[$i], qr/\A405\b/, "$h->{name}: not past $what[$i]");
            $shapes[$i] = $plain;
        }
    }

    my @wrong = grep { $shapes[$_] ne $plain } 0 .. $#what;

    is(join("\n", map { "$what[$_]:\n$shapes[$_]" } @wrong), '',
       "$h->{name}: the same in each block") || diag("plain:\n$plain");
}

like($nginx->client->get('/included')->body,
     qr/\A\{"channel":"\/full","events":\[\{.*\}\]\}\z/,
     'what includes a page has that of a plain location');

is(join(' ', $nginx->worker_pids), $worker, 'the worker is the same');

$nginx->quit;
$nginx->no_alerts;

done_testing;
