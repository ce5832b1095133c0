# An insert that is on its way when its poster is told 503 may still arrive:
# the answer says so.  If others have got its ids in the meantime it comes to
# nothing, else it is an event, once; readers see the order of the ids.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Mongodb;
use Msgbus::Proxy;


Msgbus::Nginx->limit(90);

my $mongodb = Msgbus::Mongodb->new(own => 1)->start;
my $proxy = Msgbus::Proxy->new(to => $mongodb->{port})->start;
my $nginx = $mongodb->node(port => $proxy->{port},
                           more => 'poll 50ms; retry tries=2 delay=200ms;')
                    ->start;

$mongodb->wait_until_up($nginx);

my $client = $nginx->client;
my ($cursor, @seen) = (0);


sub read_on {
    my $r = $client->get("/?events=all&echo=true&last-known-id=$cursor");

    die "$r->{head}$r->{error}" if $r->status !~ /^20[04]$/;

    push @seen, @{ $r->events };
    $cursor = $r->last_id;

    return;
}


sub post {
    my ($name) = @_;

    return $client->post('/a', qq({"name":"$name"}));
}


my ($stored, $lost) = (0, 0);

for my $round (1 .. 4) {
    my $others = $round % 2;
    my $done = $proxy->done;

    $mongodb->until(10, 'events to be stored',
                    sub { post("before $round")->status == 201 });
    read_on();

    # longer than the time-out of 2 s, after which it is looked for

    $proxy->tell('late request', insert => 3000);

    my $r = post("late $round");

    is($r->status, 503, "round $round: a POST whose insert is late");
    like($r->body, qr/may have been stored/, 'the answer says what may be');
    is($proxy->done, $done + 1, 'for it is on its way');

    my @ids;

    if ($others) {
        $mongodb->until(10, 'others to be stored', sub {
            my $r = post("other $round");

            push @ids, $r->id if $r->status == 201;
            return @ids == 1;
        });
        read_on();
    }

    sleep 3.5;

    my $found = $mongodb->ask(count => {
        data => qq({"name":"late $round"}) });

    $found ? $stored++ : $lost++;
    cmp_ok($found, '<=', 1, "it is there $found times");

    my $read;

    eval {
        $mongodb->until(5, 'what is there to be read', sub {
            read_on();
            $read = grep { $_->{data} eq qq({"name":"late $round"}) } @seen;

            return $read >= $found;
        });
    };

    is($read, $found, 'and was read as many times');
}

read_on();

is_deeply([map { $_->{id} } @seen], [sort { $a <=> $b } map { $_->{id} } @seen],
          'ids were seen in their order');
is_deeply([map { "$_->{id} $_->{data}" } @seen],
          [map { "$_->{_id} $_->{data}" }
           @{ $mongodb->ask(find => { query => { channel => '/a' } }) }],
          'all that the database has was seen, once');

diag "of the late ones $stored were stored, $lost came to nothing";
cmp_ok($stored, '>', 0, 'some were stored');

$nginx->quit;
$nginx->no_alerts;

done_testing;
