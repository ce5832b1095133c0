# "make run" opens on a page that shows events as they come, publishes, counts
# subscribers, and has the same for curl, Python and JavaScript to copy; what
# others post is text there, and the page comes back from an error.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use IPC::Run qw( run start timeout );
use Test::More;

use Msgbus::Browser;
use Msgbus::Client;
use Msgbus::Nginx;
use Msgbus::Run;


my $run = Msgbus::Run->new
    or plan skip_all => 'no module below the folder of the project';

Msgbus::Nginx->limit(120);

$run->start;

# the page has a tenth of its time, and silence shall not be what brings it back
my $script = "$run->{dir}/run/page/live.js";
my $text = Msgbus::Nginx::slurp($script);

$text =~ s/PERIOD = 2_000/PERIOD = 200/ && $text =~ s/2_000 \+ 2_000/200 + 200/
    && $text =~ s/SILENCE = 50_000/SILENCE = 500_000/
    or die "live.js has no seconds\n";
write_file($script, $text);

sub write_file {
    my ($file, $text) = @_;

    open my $out, '>', $file or die "$file: $!\n";
    print $out $text;
    close $out or die "$file: $!\n";

    return;
}

my $url = "http://127.0.0.1:$run->{port}";

sub client {
    my ($agent) = @_;

    return Msgbus::Client->new(to => "127.0.0.1:$run->{port}", agent => $agent);
}

like($run->said, qr{Open \Q$url\E/ in a browser}, 'it tells where the page is');
unlike($run->complained, qr/./, 'nginx has no complaint');


# --- a port that is taken

my $taken = Msgbus::Run->new;

$taken->{port} = $run->{port};
ok(!eval { $taken->start }, 'it does not start on a port that is taken');
like($taken->complained,
     qr/port $run->{port} .* is taken .* make run PORT=@{[ $run->{port} + 1 ]}$/,
     '    and says what to do');


# --- two pages

my $browser = Msgbus::Browser->new;
my @pages = map { $browser->open("$url/") } 1, 2;

sub has {
    my ($page, $expression, $value, $title) = @_;

    my $is;

    my $took = eval {
        Msgbus::Nginx->until(30, $title, sub {
            $is = $page->evaluate($expression) // '';
            return $is eq $value;
        });
    };

    return ok(defined $took, $title) || diag($is);
}

# the text of all that a selector finds, a line each

sub text {
    my ($selector) = @_;

    return "[...document.querySelectorAll('$selector')]"
           . '.map(one => one.textContent).join("\n")';
}

has($_, text('#state'), 'live', 'a page is live') for @pages;

my $shown = text('#events pre');

has($pages[0], $shown, '', 'there are no events yet');
has($pages[1], text('#subscribers'), 2, '    and two subscribers');

$pages[0]->evaluate(q{
    document.querySelector('#data').value = '{"n": 1}';
    document.querySelector('#publish .main').click();
});

has($pages[1], $shown, '{"n":1}', 'a form\'s event comes to the other page');
has($pages[0], $shown, '{"n":1}', '    and to its own');

my $id = client('Reader/1.0')->get('/bus/greetings')->events->[0]{id};

has($pages[0], text('#answer'), "201: stored, with the id $id",
    '    which tells its id');

$pages[0]->evaluate(q~
    document.querySelector('#data').value = '{"n": ';
    document.querySelector('#publish .main').click();
~);

has($pages[0], text('#answer'),
    '400: Invalid JSON: an event is a JSON object or array',
    'an event that is refused is told');


# --- what others post is text

my $html = '<img src=x onerror=alert(1)><script>alert(1)</script>';

is(client("$html Evil/1.0")->post('/bus/greetings', "{\"x\":\"$html\"}")->status,
   201, 'somebody posts HTML');
has($pages[1], $shown, "{\"x\":\"$html\"}\n{\"n\":1}", '    and it is text');
has($pages[1], text('#events .from') . '.split("\n")[0]', '<img',
    '    in the poster\'s name, too');
is($pages[1]->evaluate('document.querySelectorAll("#events :is(img, script)")'
                       . '.length'), 0, '    without elements of its own');

like(client('Reader/1.0')->get('/')->header('Content-Security-Policy'),
     qr/^default-src 'none'; (?!.*unsafe)/, 'the page has a strict policy');

# a promise: of reports from the beginning on

my $broken = q{new Promise(done => {
    const reports = [];

    new ReportingObserver(more => reports.push(...more),
        { types: ['csp-violation'], buffered: true }).observe();

    setTimeout(() => done(reports.map(one => one.body.blockedURL
        + ' ' + one.body.effectiveDirective).join(', ')), 200);
})};

is($pages[0]->evaluate($broken), '', '    and keeps to it');


# --- the same from programs

my $page = $pages[0];

sub code {
    my ($language, $kind) = @_;

    $page->evaluate("document.querySelector('#tab-$language').click()");

    my $code = $page->evaluate(
                   "document.querySelector('#code-$kind').textContent");

    like($code, qr{\Q$url\E/bus/greetings\b},
         "$language, $kind: the code has this server's address");

    return $code;
}

local @ENV{qw( no_proxy HOME CURL_HOME )} = ('*', ("$run->{dir}") x 2);

my %shell = (
    curl   => sub { return ['bash', '-c', "$_[0]"] },
    python => sub { return ['python3', '-u', '-c', "$_[0]"] },
);

for my $language (qw( curl python )) {
    my ($out, $err) = ('', '');
    my $subscriber = start($shell{$language}->(code($language, 'subscribe')),
                           \undef, \$out, \$err, timeout(60));

    run($shell{$language}->(code($language, 'publish')), \undef, \my $told,
        \my $complained, timeout(60));

    like($told, qr/201/, "$language: publishes");

    my $came = eval {
        Msgbus::Nginx->until(30, 'the event', sub {
            $subscriber->pump_nb;
            return $out =~ /hello from $language/i;
        });
    };

    ok(defined $came, '    and subscribes') or diag($out, $err);
    $subscriber->kill_kill;
}

$page->evaluate('logged = []; console.log = (...all) => logged.push(all)');
$page->evaluate(code('javascript', 'subscribe') =~ s/^const source/var mine/r
                                               =~ s/^source/mine/mr);
has($page, 'mine.readyState', 1, 'JavaScript: subscribes');
$page->evaluate('(async () => {' . code('javascript', 'publish') . '})()');
has($page, 'JSON.stringify(logged.find(all => all[1]?.text'
           . ' == "hello from JavaScript")?.[1])',
    '{"text":"hello from JavaScript"}', '    and has what it has published');
is($page->evaluate('logged.find(all => all[0] == 201)?.[0]'), 201,
   '    as stored');
$page->evaluate('mine.close()');


# --- an error ends its EventSource for good, and the page makes a new one

my $file = "$run->{dir}/run/nginx.conf";
my $conf = Msgbus::Nginx::slurp($file);

sub reload {
    write_file($file, @_);
    kill HUP => $run->master;
}

reload($conf =~ s/msgbus  bus;/return 503;/r);

has($page, 'source.readyState', 2, 'the EventSource gives up');
like($page->evaluate(text('#state')), qr/^away/, '    and the page says so');

reload($conf);

Msgbus::Nginx->until(30, 'an event to be taken', sub {
    return client('Poster/1.0')->post('/bus/greetings', '["back"]')->status == 201;
});

has($page, "$shown.split('\\n')[0]", '["back"]', 'it comes back, and has all');

my $ids = $page->evaluate(text('#events li span:nth-child(2)'));
my @stored = map { "id $_->{id}" }
                 @{ client('Reader/1.0')->get('/bus/greetings')->events };

is($ids, join("\n", reverse @stored), '    once, the newest first');


# --- another channel

$page->evaluate('location.hash = "/house/kitchen"');
has($page, $shown, '', 'another channel has nothing yet');
has($page, text('#state'), 'live', '    and is live');
client('Poster/1.0')->post('/bus/house/kitchen', '{"light":"on"}');
has($page, $shown, '{"light":"on"}', '    and shows its own events');
like($page->evaluate('document.querySelector("#code-publish").textContent'),
     qr{/bus/house/kitchen'}, '    and code');


# --- numbers

my $sse;

my $took = eval {
    Msgbus::Nginx->until(30, 'both pages to be counted', sub {
        $sse = client('Reader/1.0')->get('/status')
                   ->json->{zones}{bus}{readers}{sse};
        return $sse == 2;
    });
};

ok(defined $took, 'the status is at /status, and counts both pages')
    or diag($sse);


# --- on a phone, and in the dark

client('A_rather_long_name/1.0')->post('/bus/house/kitchen',
                                       '{"text":"' . 'x' x 500 . '"}');
has($page, 'document.querySelectorAll("#events li").length', 2,
    'a long event');

my $background = 'getComputedStyle(document.body).backgroundColor';
my $light = $page->evaluate($background);

$page->window(360, 640, dark => 1);

is($page->evaluate('document.documentElement.scrollWidth'),
   $page->evaluate('document.documentElement.clientWidth'),
   '    fits in 360 pixels');
isnt($page->evaluate($background), $light, 'and the page can be dark');

$browser->close;
$run->stop;

unlike($run->complained, qr/\[(?:error|crit|alert|emerg)\]/,
       'nginx had no error');

done_testing;
