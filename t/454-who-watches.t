# The page of docs/examples shows who watches, in a real browser: channels with
# their readers, as they come and leave, and whoever is on a page of his own.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP;
use Test::More;

use Msgbus::Browser;
use Msgbus::Documented;
use Msgbus::Stream;


Msgbus::Nginx->limit(120);

my $nginx = Msgbus::Documented->recipe('Count subscribers', workers => 2);

$nginx->start;

# what the document says to do first; the page has a tenth of its time, and two
# channels on a page
my $html = Msgbus::Nginx::slurp("$FindBin::Bin/../docs/examples/who.html");

$html =~ s/PERIOD = 2_000, LIMIT = 100/PERIOD = 200, LIMIT = 2/
    or die "who.html has no two seconds\n";

open my $copy, '>', "$nginx->{dir}/who.html" or die "who.html: $!\n";
print $copy $html;
close $copy or die "who.html: $!\n";

my $browser = Msgbus::Browser->new;

sub rows {
    my ($page) = @_;

    my $json = $page->evaluate(
        'JSON.stringify([...document.querySelectorAll("tbody tr")].map('
        . 'row => [...row.cells].map(cell => cell.textContent)))');

    return map { $_->[2] = $_->[2] =~ /^\d{4}-/ ? 'then' : $_->[2];
                 join '|', @$_ } @{ JSON::PP->new->decode($json) };
}

sub shows {
    my ($page, $rows, $title) = @_;

    my $took = eval {
        $nginx->until(20, $title, sub {
            return join(', ', rows($page)) eq $rows;
        });
    };

    return ok(defined $took, $title) || diag(join ', ', rows($page));
}

sub stream {
    my ($uri) = @_;

    my $stream = Msgbus::Stream->new(to => "127.0.0.1:$nginx->{port}",
                                     uri => "/bus$uri");
    $stream->open;

    return $stream;
}

my $poster = $nginx->client(agent => 'test/1.0');

$poster->post('/bus/news', '{}') for 1 .. 3;

my $page = $browser->open("http://127.0.0.1:$nginx->{port}/who.html");

shows($page, '/news|3|then|0|0|0', 'the page shows a channel that has events');

my @streams = map { stream('/news') } 1 .. 4;

shows($page, '/news|3|then|0|4|0', '    and who comes to it');

my $poll = $nginx->client(agent => 'test/1.0');

$poll->connect;
$poll->send($poll->format(GET => '/bus/quiet?wait=20'));

shows($page, '/news|3|then|0|4|0, /quiet|0||1|0|0',
      '    and a channel that has readers alone');

$poster->post('/bus/quiet', '{}');
(shift @streams)->close;

shows($page, '/news|3|then|0|3|0, /quiet|1|then|0|0|0', '    and who leaves');
is($page->evaluate('document.querySelector("p").textContent'), 'live',
   '    live');


# --- pages

$poster->post("/bus/$_", '{}') for 'zoo', 'news/local';

shows($page, '/news|3|then|0|3|0, /news/local|1|then|0|0|0',
      'it shows a page of them');
$page->evaluate('document.querySelector("button").click()');
shows($page, '/news|3|then|0|3|0, /news/local|1|then|0|0|0, '
             . '/quiet|1|then|0|0|0, /zoo|1|then|0|0|0', '    and more');
is($page->evaluate('document.querySelector("button").hidden ? 1 : 0'), 1,
   '    until there are no more');

my $below = $browser->open("http://127.0.0.1:$nginx->{port}/who.html#/news");

shows($below, '/news|3|then|0|3|0, /news/local|1|then|0|0|0',
      'what is below a channel, on a page of its own');


# --- workers are killed, and nginx reloads

for my $pid ($nginx->worker_pids) {
    $nginx->kill_worker($pid);
}

shows($below, '/news|3|then|0|0|0, /news/local|1|then|0|0|0',
      'of a killed worker nobody is shown');

@streams = map { stream('/news') } 1 .. 2;
shows($below, '/news|3|then|0|2|0, /news/local|1|then|0|0|0',
      '    and who comes back is');

$nginx->reload;
shows($below, '/news|3|then|0|0|0, /news/local|1|then|0|0|0',
      '    and nobody who has left at a reload');

$browser->close;
$nginx->quit;
$nginx->no_alerts(@Msgbus::Nginx::KILLED);

done_testing;
