# The page of docs/examples shows a channel live, in a real browser: it receives
# what is posted, survives reloads of nginx, killed workers, errors and a
# connection that is silent, and misses nothing.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP;
use Test::More;

use Msgbus::Browser;
use Msgbus::Documented;


Msgbus::Nginx->limit(150);

# silence shall last for seconds only, and the page has a tenth of its time
my $nginx = Msgbus::Documented->recipe('A live page', workers => 2);

$nginx->{text} = "msgbus_ping 500ms; client_header_timeout 2s;\n$nginx->{text}";
$nginx->start;

my $posted = 0;

# what the document says to do first
my $html = Msgbus::Nginx::slurp("$FindBin::Bin/../docs/examples/channel.html");

$html =~ s/50_000/3_000/ or die "channel.html has no 50 seconds\n";

open my $copy, '>', "$nginx->{dir}/channel.html" or die "channel.html: $!\n";
print $copy $html;
close $copy or die "channel.html: $!\n";

my $browser = Msgbus::Browser->new;
my $page = $browser->open(
    "http://127.0.0.1:$nginx->{port}/channel.html#/news");


# a worker that ends takes the poster's connection along: 0 is no answer

sub publish {
    my ($data) = @_;

    for (1 .. 2) {
        # not by a connection of a worker that stands still
        my $r = $nginx->client(agent => "test/1.0")->post('/bus/news', $data // "{\"n\":$posted}");

        next if $r->failure && $r->failure ne 'timeout';

        is($r->status, 201, "event $posted is posted") or diag($r->error);
        $posted++;
        return;
    }

    die "the event is not taken\n";
}


# the text of each item of the page, and of the line that tells its state

sub items {
    my $json = $page->evaluate(
        'JSON.stringify([...document.querySelectorAll("li")]'
        . '.map(item => item.textContent))');

    return @{ JSON::PP->new->decode($json) };
}


sub state { return $page->evaluate('document.querySelector("p")?.textContent') }


sub has {
    my ($count, $title) = @_;

    my $took = eval {
        $nginx->until(20, "$count items", sub { return items() >= $count });
    };

    return ok(defined $took, $title) || diag(join "\n", items());
}


# --- it receives

publish();
publish();

$nginx->until(20, 'the page to be live',
              sub { return (state() // '') eq 'live' });

has(2, 'the page shows what was posted before');
is((items())[0], '1 {"n":0}', '    with its id');

publish('{"text":"<b>\u2028 \"quoted\" é</b>"}');

has(3, 'and what is posted while it is looked at');
is((items())[2], "3 {\"text\":\"<b>\x{2028} \\\"quoted\\\" \x{e9}</b>\"}",
   '    as text, whatever it is');
is($page->evaluate('document.querySelectorAll("b").length'), 0,
   '    and not as a part of the page');


# --- nginx reloads, and events come while the page is away

for my $reload (1 .. 2) {
    $nginx->reload;

    publish() for 1 .. 3;

    has($posted, "the page misses nothing at reload $reload");
    is(state(), 'live', '    and is live again');

    publish();
    has($posted, '    and receives');
}


# --- so does a worker

for my $pid ($nginx->worker_pids) {
    $nginx->kill_worker($pid);
    publish();
}

has($posted, 'the page misses nothing when workers are killed');


# --- an error ends its EventSource for good

my $text = $nginx->{text};

$nginx->{text} =~ s/^( *)msgbus bus;/$1return 502;/m or die "no msgbus bus;\n";
$nginx->reload;

$nginx->until(20, 'the EventSource to give up',
              sub { return $page->evaluate('source.readyState') == 2 });
like(state(), qr/^away/, 'the page is away while there is an error');

$nginx->{text} = $text;
$nginx->reload;
publish();
has($posted, '    and comes back when there is none');


# --- so does a connection on which nothing comes

for my $pid ($nginx->worker_pids) {
    $nginx->stop_worker($pid);
    publish();
    has($posted, 'a connection that is silent is not waited on for ever');
    kill CONT => $pid;
}


# --- each of them once, in order

publish();
has($posted, 'it goes on to receive');

my @ids = map { /^(\d+) / } items();

is("@ids", join(' ', 1 .. $posted), 'it has each event once, in order');
is($page->evaluate('document.querySelectorAll("hr").length'), 0,
   'it was told of no gap');

$browser->close;
$nginx->quit;
$nginx->no_alerts(@Msgbus::Nginx::KILLED);

done_testing;
