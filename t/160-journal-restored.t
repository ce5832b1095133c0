# A journal that was copied while nginx ran, as docs/operations.md says to, or all
# of it while nginx was stopped, can be put back: it has all events up to the copy,
# and no id that was given out since then comes again for another event.  What is
# no copy goes on from its last id.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Nginx;


Msgbus::Nginx->limit(60);

for my $case (['always', 'in use'], ['1s', 'in use'],
              ['always', 'stopped'], ['1s', 'stopped'])
{
    my ($sync, $when) = @$case;
    my $nginx = Msgbus::Nginx->new(
        http     => "msgbus_journal disk { path journal; segment 64k; sync $sync; }"
                    . ' msgbus_zone zone=bus:8m store=disk ttl=1h;',
        location => 'location / { msgbus bus; }',
    )->start;

    my $folder = "$nginx->{dir}/journal";
    my $data = '{"text":"' . 'x' x 1000 . '"}';

    my $wait = sub {
        $nginx->until(10, 'the journal to be read', sub {
            return $nginx->client->get('/health')->status == 200
                   && $nginx->client->get('/nothing')->status == 204;
        });
    };

    my $post = sub {
        my ($n) = @_;

        my $client = $nginx->client;

        return map { $client->post('/a', $data)->id } 1 .. $n;
    };

    $wait->();

    # of several files

    my @kept = $post->(200);

    $nginx->quit if $when eq 'stopped';

    system($when eq 'stopped' ? "cp -a $folder $nginx->{dir}/copy"
           : "mkdir $nginx->{dir}/copy && cp -p $folder/manifest"
             . " $folder/[0-9]*.journal $nginx->{dir}/copy") == 0
        or die "no copy\n";

    if ($when eq 'stopped') {
        $nginx->start;
        $wait->();
    }

    my @lost = $post->(100);

    is($lost[0], $kept[-1] + 1, 'its ids go on after a stop') if $when eq 'stopped';

    $nginx->quit;
    system("mv $folder $folder.old && cp -a $nginx->{dir}/copy $folder"
           . " && chown --reference=$folder.old $folder && chmod 700 $folder") == 0
        or die "it can not be put back\n";
    $nginx->start;
    $wait->();

    my $seen = 0;
    my $last = 0;

    while (my @events = @{ $nginx->client->get("/a?echo=true&last-known-id=$last")->events }) {
        $seen += @events;
        $last = $events[-1]{id};
    }

    is($seen, @kept, "sync $sync, $when: all events up to the copy are there");
    is($last, $kept[-1], 'under their ids');

    my ($next) = $post->(1);

    cmp_ok($next, '>', $lost[-1], 'no id that was used since comes again');

    # with "always" the journal knows of nothing that it may have lost

    is($nginx->client->get("/a?last-known-id=$lost[50]")->gap,
       $sync eq 'always' ? 0 : 1,
       'a subscriber that has seen more is told where the page says so');

    $nginx->quit;
    $nginx->no_alerts;
}

done_testing;
