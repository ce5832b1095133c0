# The page of msgbus_status shows a bus to people, in a real browser: what is
# published and who subscribes, a store that is away, and a server that is. It
# loads nothing from elsewhere and runs nothing but its own script.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Digest::SHA qw( sha256_base64 );
use Test::More;

use Msgbus::Fake;
use Msgbus::StatusPage;
use Msgbus::Stream;


Msgbus::Nginx->limit(120);

chdir "$FindBin::Bin/.." or die "no project folder: $!\n";

my $fake = Msgbus::Fake->new->start;

is(system('tools/status-page', '--check'), 0,
   'the page in C is that of src/http/status/');

my $odd = '<b/onload=alert(1)>&%41';
my $nginx = $fake->node(
    workers => 2,
    more => 'poll 50ms; retry tries=1 delay=200ms;',
    location => "msgbus_require_uuid off;
                 location / { msgbus bus; }
                 location /odd/ { msgbus $odd; }
                 location /proto/ { msgbus __proto__; }
                 location /bus-status { msgbus_status; }",
);

$nginx->{http} .= "\nmsgbus_zone zone=$odd:1m; msgbus_zone zone=__proto__:1m;";
$nginx->start;
$fake->wait_until_up($nginx);

my $client = $nginx->client(agent => 'test/1.0');


# --- what the browser is told

my $answer = $client->get('/bus-status', Accept => 'text/html');
my $html = $answer->body;

is($answer->status, 200, 'a browser gets a page');
is($answer->header('Content-Type'), 'text/html; charset=utf-8', '    of HTML');

sub hash_of {
    my ($tag) = @_;

    my ($text) = $html =~ m{<$tag>(.*)</$tag>}s or die "no $tag\n";
    my $hash = sha256_base64($text);

    return "'sha256-$hash" . '=' x (-length($hash) % 4) . "'";
}

is($answer->header('Content-Security-Policy'),
   "default-src 'none'; style-src " . hash_of('style') . '; script-src '
   . hash_of('script') . "; connect-src 'self'; base-uri 'none'; form-action "
   . "'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
   . "trusted-types 'none'",
   '    whose policy allows its own style and script, and nothing else');
unlike($html, qr{//[\w.]+/(?!2000/svg)}, '    and that names no other server');


# --- a bus at work

my $browser = Msgbus::Browser->new;
my $url = "http://127.0.0.1:$nginx->{port}/bus-status?token=x#every=0.1";
my $page = Msgbus::StatusPage->new($browser, $url);

sub shows {
    my ($title, $is_so) = @_;

    ok(eval { $nginx->until(20, $title, $is_so); 1 }, $title)
        or diag(join "\n", $page->state, $page->notes, $page->complaints);
}

sub fact_is {
    my ($zone, $card, $name, $value, $title) = @_;

    shows($title // "it shows $value as \"$name\"",
          sub { $page->fact($zone, $card, $name) eq $value });
}

shows('the page is live', sub { $page->state eq 'live' });
is(join("\n", $page->notes), 'All wellNothing needs attention.',
   '    and says that all is well');

$client->post('/a', '{"n":1}') for 1 .. 3;
$client->post('/odd/b', '[]');
$client->post('/a', 'no JSON');

my @streams = map {
    Msgbus::Stream->new(to => "127.0.0.1:$nginx->{port}", uri => '/a', sse => $_)
} 1, 1, 0;

$_->open for @streams;
$nginx->wait_for_readers(3);

fact_is('bus', 'Posts', 'events', 3);
fact_is('bus', 'Posts', 'refused', 1);
fact_is('bus', 'Subscribers', 'SSE', 2);
fact_is('bus', 'Subscribers', 'NDJSON', 1);
fact_is('bus', 'Store', 'state', 'up');
fact_is('bus', 'Memory of the zone', 'events', 3);
fact_is($odd, 'Posts', 'events', 1, 'a zone of an odd name is shown by it');
fact_is('__proto__', 'Posts', 'events', 0, '    and one of a name that scripts know');
is($page->evaluate('document.querySelectorAll("main b, main img").length'), 0,
   '    as text, never as HTML');
shows('its plots tell what is now',
      sub { $page->plot('bus', 'Subscribers connected') =~ /Now all 3, long polling 0/ });
shows('    and what was', sub {
    $client->post('/a', '{}');
    return $page->plot('bus', 'Events published') =~ m{at most [1-9][\d.,]*/s};
});


# --- numbers as people write them

sub words {
    my ($expression) = @_;

    return $page->evaluate($expression) =~ s/\x{a0}/ /gr;
}

is(words('[0, 0.00042, 0.25, 5.5, 61, 3725, 93784, 9e6].map(time).join()'),
   "0 s,420 \x{b5}s,250 ms,5.5 s,1 min 1 s,1 h 2 min,1 d 2 h,104 d",
   'times have units');
is(words('[0, 1023, 1536, 67108864, 5e12].map(bytes).join()'),
   '0 B,1,023 B,1.5 KiB,64 MiB,4.55 TiB', 'bytes have units');
is(words('[0, 999, 12345, 12345678, 2e9].map(count).join(" | ")'),
   '0 | 999 | 12,345 | 12.3 million | 2 billion', 'large numbers are short');
is(words('quantile(0.5, { buckets: [[1, 5], [2, 15], ["+Inf", 15]] },
                        { buckets: [[1, 5], [2, 5], ["+Inf", 5]] })'), '1.5',
   'a quantile is of what came between two looks');
is(words('String(since({ started: 2, zone: 1 }, { started: 1, zone: 0 },
                       zone => zone))'), 'null',
   'no rate goes over a restart');

is(words('(() => {
              const now = { ...good };
              show({ ...now, time: now.time + 3600 });
              show({ ...now, time: now.time + 1 });
              const { looks, plots } = zones.get("bus");
              return [looks.length, plots.published.points.length].join();
          })()'), '1,1', 'a clock that is set back leaves nothing of later');
is(words('(() => {
              const seen = new MutationObserver(() => {});
              seen.observe(main, { childList: true });
              show({ ...good });
              return String(seen.takeRecords().length);
          })()'), '0', 'nothing is moved under a reader that stays as it is');


# --- for everybody, as far as axe-core can tell

my $axe = Msgbus::StatusPage::axe();

if ($ENV{CI} && grep { -x "$_/npm" } split /:/, $ENV{PATH}) {
    ok($axe, 'axe-core is there');
}

sub no_barrier {
    my ($title) = @_;

  SKIP: {
        skip 'axe-core is not there: it takes npm', 1 if !$axe;

        is(join("\n", $page->barriers), '', $title);
    }
}


for my $dark (0, 1) {
    for my $width (360, 1280) {
        $page->window(width => $width, dark => $dark);

        my $as = ($dark ? 'dark' : 'light') . ", $width pixels wide";

        no_barrier("nobody is shut out: $as");
        cmp_ok($page->overflow, '<=', 0, "    and fits: $as");
    }
}



# --- reloads, kills, the store away, the server away

$nginx->reload;
$nginx->kill_worker(($nginx->worker_pids)[0]);
$client->post('/odd/b', '[]');
fact_is($odd, 'Posts', 'events', 2, 'the page goes on over a reload and a kill');

$_->close for @streams;
$fake->set(away => 1);
$client->post('/a', '{}');

fact_is('bus', 'Store', 'state', 'away', 'it shows a store that is away');
like(join("\n", $page->notes), qr/^ProblemZone bus: the store does not answer/m,
     '    in words');
no_barrier('    that anybody can read');

$fake->set(away => 0);
fact_is('bus', 'Store', 'state', 'up', '    and one that is back');

$nginx->crash;
shows('it says that the server is away', sub { $page->state eq 'no answer' });
like(join("\n", $page->notes), qr/The server can not be reached/,
     '    in words, too');
no_barrier('    that anybody can read');

$nginx->start;
$fake->wait_until_up($nginx);
shows('    and is live when it is back', sub { $page->state eq 'live' });

is(join("\n", $page->complaints), '', 'nothing was blocked and nothing failed');
is(join("\n", $page->list('[...new Set(performance.getEntriesByType("resource")'
                          . '.map(entry => entry.name))]')),
   $url =~ s/#.*/&format=json/r,
   'it asked nothing but its own URL, with its own arguments');

$browser->close;
$nginx->quit;
$nginx->no_alerts(@Msgbus::Nginx::KILLED);

done_testing;
