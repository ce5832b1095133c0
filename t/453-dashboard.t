# The dashboard of docs/examples shows ten channels on one connection, in a real
# browser, and misses nothing at a reload or when a worker is killed; the
# subscribers print them too.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP;
use Test::More;

use Msgbus::Browser;
use Msgbus::Documented;


Msgbus::Nginx->limit(120);

my $nginx = Msgbus::Documented->recipe(
    'A dashboard of ten channels on one connection', workers => 2);

$nginx->{text} = "msgbus_ping 500ms;\n$nginx->{text}";
$nginx->{text} =~ s/exact many;/exact many all;/ or die "no scope in it\n";
$nginx->start;

# the page has a tenth of its time

my $examples = "$FindBin::Bin/../docs/examples";
my $html = Msgbus::Nginx::slurp("$examples/dashboard.html");

$html =~ s/50_000/3_000/ or die "dashboard.html has no 50 seconds\n";

open my $copy, '>', "$nginx->{dir}/dashboard.html" or die "dashboard: $!\n";
print $copy $html;
close $copy or die "dashboard: $!\n";

my $url = "http://127.0.0.1:$nginx->{port}";
my @rooms = map { "/rooms/$_" } 1 .. 10;
my %posted = map { $_ => 0 } @rooms, '/rooms/11';
my %last;
my $n = 0;

# a worker that ends takes the poster's connection along: 0 is no answer

sub publish {
    my ($room) = @_;

    $n++;

    for (1 .. 2) {
        my $r = $nginx->client(agent => 'test/1.0')->post("/bus$room",
                                                          "{\"n\":$n}");

        next if $r->failure && $r->failure ne 'timeout';

        is($r->status, 201, "event $n is posted to $room") or diag($r->error);
        $posted{$room}++;
        $last{$room} = "{\"n\":$n}";
        return;
    }

    die "the event is not taken\n";
}

publish($_) for @rooms[0 .. 2];

my $browser = Msgbus::Browser->new;
my $page = $browser->open("$url/dashboard.html#" . join ',', @rooms);

# what stands beside each name, and how many events have come to it

sub tiles {
    my $json = $page->evaluate(
        'JSON.stringify([...document.querySelectorAll("dt")].map(dt =>'
        . ' [dt.textContent, dt.nextSibling.textContent,'
        . ' parseInt(dt.nextSibling.title) || 0]))');

    return @{ JSON::PP->new->decode($json) };
}

sub has {
    my ($title, @more) = @_;

    my $due = join "\n", map { join ' ', $_, $last{$_} // '', $posted{$_} }
                         @rooms, @more;
    my $is = sub { return join "\n", map { join ' ', @$_ } tiles() };

    eval { $nginx->until(20, 'the tiles', sub { return $is->() eq $due }) };

    return is($is->(), $due, $title);
}


has('the page shows what was posted before');

publish($_) for @rooms, '/rooms/11', @rooms[3 .. 5], '/rooms/11';

has('and what comes, each once, and of no other');

$nginx->reload;
publish($_) for @rooms[0, 9];
has('it misses nothing at a reload');

for my $pid ($nginx->worker_pids) {
    $nginx->kill_worker($pid);
    publish($rooms[4]);
}

has('nor when workers are killed');

$page = $browser->open("$url/dashboard.html#/rooms/*");
has('of all below a channel it shows each, as it comes', '/rooms/11');


# the programs

my %subscriber = (
    curl   => "bash $examples/subscribe.sh",
    Python => "python3 $examples/subscribe.py",
    Node   => "node $examples/subscribe.mjs",
);

my $count = $posted{'/rooms/1'} + $posted{'/rooms/10'};

for my $name (sort keys %subscriber) {
    local @ENV{qw( no_proxy HOME CURL_HOME )} = ('*', ($nginx->{dir}) x 2);

    my $out = `timeout 60 $subscriber{$name} '$url/bus/?channels=/rooms/10,/rooms/1' 0 $count 2>&1`;

    is(join(' ', $out =~ m{(/rooms/\d+)}g),
       '/rooms/1 /rooms/1 /rooms/10 /rooms/1 /rooms/10',
       "$name: of both, in order") or diag($out);
}

$nginx->no_alerts(qr/exited on signal 9/);

done_testing;
