# A page of an origin that is let in can post, read, and see why it may not.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Copy qw(copy);
use Test::More;

use Msgbus::Browser;
use Msgbus::Documented;


Msgbus::Nginx->limit(60);

my $nginx = Msgbus::Documented->recipe('Browsers')->start;
my $client = $nginx->client(agent => 'Mozilla/5.0');
my @origin = (Origin => 'https://example.org');


sub is_open_to {
    my ($title, $r, $status, $origin) = @_;

    is($r->status, $status, $title);
    is($r->header('Access-Control-Allow-Origin'), $origin,
       '    is open to ' . ($origin // 'nobody'));
    is($r->header('Access-Control-Expose-Headers'),
       'Idempotency-Replayed, Msgbus-Id, Msgbus-Stored, Msgbus-Last-Id,'
       . ' Msgbus-Gap, Retry-After', '    with its headers');
    is(join(', ', @{ $r->{headers}{vary} || [] }),
       $status == 200 || $status == 204 && $r->last_id
       ? 'Accept, User-Agent, Origin' : 'Origin', '    and varies by origin');
}


my $r = $client->options('/a', @origin,
                         'Access-Control-Request-Method' => 'POST',
                         'Access-Control-Request-Headers' => 'x-auth-token');

is_open_to('a preflight', $r, 204, 'https://example.org');
is($r->header('Allow'), 'GET, HEAD, POST, OPTIONS', 'tells what is allowed');
is($r->header('Access-Control-Allow-Methods'), 'GET, POST',
   'which methods a page may use');
is($r->header('Access-Control-Allow-Headers'),
   'Authorization, Cache-Control, Content-Type, Idempotency-Key,'
   . ' If-None-Match, Last-Event-ID, Prefer, X-Auth-Token', 'which headers');
is($r->header('Access-Control-Allow-Credentials'), 'true',
   'that cookies may go along');
is($r->header('Access-Control-Max-Age'), 3600, 'and how long that holds');
is($r->body . ($r->header('Content-Length') // ''), '', 'and has no body');

is_open_to('a POST', $client->post('/a', '{}', @origin), 201,
           'https://example.org');
is_open_to('a GET', $client->get('/a', @origin), 200, 'https://example.org');
is_open_to('an empty one', $client->get('/b', @origin), 204,
           'https://example.org');
is_open_to('a HEAD', $client->head('/a', @origin), 200, 'https://example.org');

# errors, whoever raises them

my @too_large = ('[' . ' ' x 1_100_000 . ']', @origin);

for my $error ([400, $client->post('/a', '{', @origin)],
               [400, $client->get('/a?max-events=0', @origin)],
               [405, $client->request('PUT', '/a', '{}', @origin)],
               [413, $client->post('/a', @too_large)],
               [413, $client->post('/a', [unpack '(a100000)*', $too_large[0]],
                                   @origin)])
{
    is_open_to("an error $error->[0]", $error->[1], $error->[0],
               'https://example.org');
    like($error->[1]->body, qr/^\{ "message": "[^"]+" \}$/, '    is JSON');
}

# other origins

is_open_to('a name below one', $client->get('/a', Origin =>
                                            'https://www.example.org'),
           200, 'https://www.example.org');

for my $origin ('https://example.com', 'http://example.org', 'null',
                'https://example.org.example.com',
                'https://www.example.org:8443', 'https://wwwexample.org')
{
    is_open_to($origin, $client->get('/a', Origin => $origin), 200, undef);
}

is_open_to('no origin', $client->get('/a'), 200, undef);
is($client->get('/a', Origin => 'https://example.com')
          ->header('Access-Control-Allow-Credentials'), undef,
   'cookies of others do not');

$nginx->quit;
$nginx->no_alerts;

# --- a page that streams by fetch, as libraries do, and what it sends when it
# comes back

my $library = "$FindBin::Bin/../.cache/clients/fetch-event-source/node_modules/"
              . '@microsoft/fetch-event-source/lib/esm';

SKIP: {
    if (!-d $library) {
        fail('fetch-event-source has been made, by tools/clients setup')
            if $ENV{CI};
        skip 'needs fetch-event-source: make test-deps', 1;
    }

    my $port = Msgbus::Nginx::free_port();

    $nginx = Msgbus::Documented->recipe('Browsers');
    $nginx->{text} =~ s{https://example\.org\b}{http://127.0.0.1:$port}
        or die "no https://example.org in the recipe\n";

    # a connection that a browser opens in advance must not hold up a reload

    $nginx->{text} .= "client_header_timeout 1s;
        server { listen 127.0.0.1:$port;
            root $nginx->{dir}/page;
            types { text/html html; }
            default_type text/javascript;
        }
    ";

    mkdir "$nginx->{dir}/$_" or die "$_: $!\n" for qw( page page/esm );

    # they import each other without a suffix

    for my $name (qw( index fetch parse )) {
        copy("$library/$name.js", "$nginx->{dir}/page/esm/$name")
            or die "$name.js: $!\n";
    }

    open my $page, '>', "$nginx->{dir}/page/index.html" or die "page: $!\n";
    print $page <<'END';
<!DOCTYPE html>
<script type="module">
    import { fetchEventSource } from '/esm/index';

    const lines = window.lines = [];

    fetchEventSource(location.hash.slice(1), {
        credentials: 'include',
        openWhenHidden: true,
        headers: { 'Cache-Control': 'no-cache', 'X-Auth-Token': 'x',
                   'Authorization': 'Basic eA==' },
        onmessage: ({ event, id }) => lines.push(event || id),
        onclose() { throw new Error('the stream has ended'); },
        onerror: error => { lines.push(String(error)); return 100; },
    });
</script>
END
    close $page or die "page: $!\n";

    $nginx->start;
    $client = $nginx->client(agent => 'poster/1.0');
    $client->post('/a', '{}');

    my $browser = Msgbus::Browser->new;
    my $tab = $browser->open("http://127.0.0.1:$port/index.html"
                             . "#http://127.0.0.1:$nginx->{port}/a");

    for my $id (1 .. 2) {
        my $came = eval {
            $nginx->until(20, "event $id", sub {
                return grep { $_ eq $id } split / /,
                       $tab->evaluate('(window.lines ?? []).join(" ")');
            });
        };

        ok($came, $id == 1 ? 'a page streams by fetch'
                           : '    and comes back after a reload')
            or diag($tab->evaluate('(window.lines ?? []).slice(-5).join(" ")'));

        if ($id == 1) {
            $nginx->reload;
            $client->post('/a', '{}');
        }
    }

    $browser->close;
    $nginx->quit;
}

done_testing;
