# Ids stay below 2^53: where somebody has written an event so near to that, posts
# are refused, and the report says why, and no id is given out that other
# programs could not read.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Fake;


Msgbus::Nginx->limit(60);

for my $below (1, 9_000, 900_000) {
    my $id = 9007199254740992 - $below;
    my $fake = Msgbus::Fake->new->start;

    $fake->put($fake->event($id));

    my $nginx = $fake->node(more => 'poll 50ms; retry tries=2 delay=200ms;')
                     ->start;

    $fake->until(10, 'the node to have looked', sub {
        my ($status, $report) = $fake->health($nginx);

        return $status == 200 || length($report->{mongodb}{error} // '');
    });

    is($nginx->client->post('/a', '[1]')->status, 503,
       "no event is stored behind one that is $below below the end");
    is(join(' ', $fake->ids), $id, '    nor anything else');

    my (undef, $report) = $fake->health($nginx);

    like($report->{mongodb}{error}, qr/leaves? no ids below 2\^53/,
         '    and the report says why');

    $nginx->quit;
    $nginx->no_alerts;
}

# a journal into which such an event was brought

my $build = $ENV{BUILD} || 'build';
my $tool = ($build =~ m{^/} ? $build : "$FindBin::Bin/../$build")
           . '/msgbus-journal';

SKIP: {
    skip "no $tool here: run \"make\"", 4 if ! -x $tool;

    my $nginx = Msgbus::Nginx->new(
        http     => 'msgbus_journal disk { path journal; segment 64k;'
                    . ' retry tries=2 delay=200ms; }'
                    . ' msgbus_zone zone=bus:1m store=disk;',
        location => 'location / { msgbus bus; msgbus_require_uuid off; }',
    );
    my $dump = "$nginx->{dir}/dump";

    $nginx->start;
    is($nginx->client->post('/a', '[1]')->status, 201, 'a journal is begun');
    $nginx->quit;

    system("$tool dump $nginx->{dir}/journal | tail -1"
           . q( | sed 's/numberLong":"[0-9]*/numberLong":"9007199254740991/')
           . " > $dump") == 0 or die 'no dump';
    system("rm $nginx->{dir}/journal/*.journal $nginx->{dir}/journal/mark");
    is(`$tool import $nginx->{dir}/journal < $dump 2>&1`, "1 events\n",
       '    and an event brought into it');

    $nginx->start;
    is($nginx->client->post('/a', '[2]')->status, 503,
       '    behind which none is stored');
    $nginx->quit;
    $nginx->no_alerts;
}

done_testing;
