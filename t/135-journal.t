# A journal keeps the events of a zone in a folder: they are there after a
# restart, under their ids, whatever "sync" says; the folder is the workers'
# alone, and belongs to one zone.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Nginx;


Msgbus::Nginx->limit(120);

my $location = 'location / { msgbus bus; msgbus_require_uuid off; }
                location = /health { msgbus_health bus; }';


sub http {
    my (%o) = @_;

    return "msgbus_journal disk { path journal; segment 1m; $o{lines} }"
           . " msgbus_zone zone=" . ($o{zone} // 'bus') . ':'
           . ($o{size} // '4m') . ' store=disk'
           . " ttl=" . ($o{ttl} // '7d') . ";";
}

sub seen {
    my ($r) = @_;

    return join ' ', map { "$_->{id}$_->{data}" } @{ $r->events };
}


# it answers 503 until it knows what is there

sub start {
    my ($nginx) = @_;

    $nginx->start;
    $nginx->until(10, 'the journal to be read', sub {
        return $nginx->client->get('/health')->status == 200;
    });

    return $nginx;
}


for my $lines ('', 'sync 1s;', 'sync off;') {
    my $nginx = Msgbus::Nginx->new(workers => 2, location => $location,
                                   http => http(lines => $lines));
    my $said = $lines || 'by default';
    my $client = start($nginx)->client;

    my @ids = map { $client->post('/a', "[$_]")->id } 1 .. 3;
    my $all = join ' ', map { "$ids[$_ - 1]\[$_]" } 1 .. 3;

    is(seen($client->get('/a?echo=true')), $all, "$said: stored and read");

    my $mode = (stat "$nginx->{dir}/journal")[2] & 07777;

    is(sprintf('%o', $mode), '700', 'the folder is for its user alone');

    # the zone is new after each of these

    $nginx->quit;
    $client = start($nginx)->client;

    is(seen($client->get('/a?echo=true')), $all,
       "$said: there after a clean end");

    my $next = $client->post('/a', '[4]')->id;

    is($next, $ids[2] + 1, 'with the next id after the last');
    $all .= " $next\[4]";

    $nginx->crash;
    $client = start($nginx)->client;

    my $r = $client->get("/a?echo=true&last-known-id=$ids[0]");

    is("$ids[0]\[1] " . seen($r), $all, "$said: there after kill -9 of all");
    ok(!$r->gap, 'and no gap is told, for nothing is lost');
    cmp_ok($client->post('/a', '[5]')->id, '>', $next, 'ids go on');

    $nginx->reload;

    like($nginx->client->get('/health?verbose=true')->{body},
         qr/"store":"journal".*"journal":\{"name":"disk","path":"\S+?journal",
            "reachable":true,"server":"journal\ 1"/x,
         'health tells of it');

    $nginx->quit;
    $nginx->no_alerts(@Msgbus::Nginx::KILLED);
}


my $nginx = Msgbus::Nginx->new(location => $location,
                               http => http(lines => ''))->start;

# another nginx on the folder, that would make of it what this one does not

my $other = Msgbus::Nginx->new(
    location => $location,
    http => http(lines => '', ttl => '1h') =~ s{path \w+}{path $nginx->{dir}/journal}r,
);

ok(!eval { $other->start; 1 }, 'another nginx with another ttl does not start');
like($@, qr/another nginx writes to it with another ttl, size or segment/,
     'and says why');

$other->{http} = http(lines => '', zone => 'two')
                 =~ s{path \w+}{path $nginx->{dir}/journal}r;
$other->{location} = 'location / { msgbus two; }';

ok(!eval { $other->start; 1 }, 'nor one with another zone');
like($@, qr/it is the journal of zone "bus"/, 'and says why');

my $first = $nginx->client->post('/a', '[1]')->id;

# what an operator does: "nginx -t", and then a reload

my $binary = $ENV{TEST_NGINX_BINARY} || 'nginx';

sub manifest { return Msgbus::Nginx::slurp("$nginx->{dir}/journal/manifest") }

sub changes {
    my ($title, @http) = @_;

    my $before = manifest();

    $nginx->configure(http => http(lines => '', @http));

    my $said = `$binary -t -p $nginx->{dir}/ -c $nginx->{dir}/nginx.conf 2>&1`;

    is($?, 0, "$title: \"nginx -t\" has nothing against it") or diag($said);
    is(manifest(), $before, '    and changes nothing');

    $nginx->reload;
    $nginx->until(10, 'the journal to be read', sub {
        return $nginx->client->get('/health')->status == 200;
    });

    isnt(manifest(), $before, '    the journal is told of it');
    is(seen($nginx->client->get('/a?echo=true')), "$first\[1]",
       '    and all is there');

    return;
}

changes('its own ttl may change at a reload', ttl => '1h');
changes('with the size of the zone', ttl => '2h', size => '8m');

# what is not as it was written is not passed over

$nginx->client->post('/a', '[2]');
$nginx->quit;

my ($file) = glob "$nginx->{dir}/journal/0*.journal";

open my $out, '+<', $file or die "$file: $!\n";
seek $out, 4096 + 200, 0;
read $out, my $byte, 1;
seek $out, 4096 + 200, 0;
print $out chr(ord($byte) ^ 1);
close $out;
unlink "$nginx->{dir}/journal/mark";

$nginx->start;

my $r;

$nginx->until(10, 'a look at the journal', sub {
    $r = $nginx->client->get('/health?verbose=true');
    return $r->body !~ /has not answered yet/;
});

is($r->status, 503, 'a byte that has changed is told of');
like($r->{body}, qr/damaged at offset \d+ of \\"\d+-\d+\.journal\\"/,
     'with its file and its place');
is($nginx->client->post('/a', '[3]')->status, 503, 'and nothing is stored');

$nginx->quit;

done_testing;
