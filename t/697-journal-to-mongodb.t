# The way from a journal to MongoDB and back, as docs/journal.md tells it: every
# event has its id, time, uuid, User-Agent and bytes there, and cursors go on;
# back again, a dump has the same lines.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Mongodb;


my $build = $ENV{BUILD} || 'build';
my $tool = ($build =~ m{^/} ? $build : "$FindBin::Bin/../$build")
           . '/msgbus-journal';

plan skip_all => "no $tool here: run \"make\"" if ! -x $tool;

Msgbus::Nginx->limit(120);

my $mongodb = Msgbus::Mongodb->new->start;

# the scripts of the page

my $page = Msgbus::Nginx::slurp("$FindBin::Bin/../docs/journal.md");
my ($to, $from) = $page =~ /^```python\n(.*?)^```/gms;

like($to, qr/insert_many/, 'there is a script to a database');
like($from, qr/sort/, 'and one from it');

my ($python) = grep { -x } '/usr/bin/python3', '/usr/bin/env';

$python .= ' python3' if $python =~ /env$/;

sub node {
    return Msgbus::Nginx->new(
        http     => 'msgbus_journal disk { path journal; segment 64k; }'
                    . ' msgbus_zone zone=bus:8m store=disk ttl=1h;',
        location => 'location / { msgbus bus; msgbus_require_uuid off; }
                     msgbus_scope exact all;',
    );
}

sub start {
    my ($nginx) = @_;

    $nginx->start;
    $nginx->until(10, 'the journal to be read', sub {
        return $nginx->client->get('/x?echo=true')->status == 204;
    });

    return $nginx->client;
}

sub run {
    my ($command) = @_;

    return is(system($command), 0, $command =~ s{/\S+/}{}gr =~ s/'.*?'/../gr);
}

sub save {
    my ($name, $text) = @_;

    open my $out, '>', $name or die "$name: $!\n";
    print $out $text;
    close $out;

    return;
}

sub all_of {
    my ($client) = @_;

    my ($last, @all) = (0);

    for ( ;; ) {
        my $r = $client->get("/?events=all&echo=true&last-known-id=$last");

        push @all, map {
            join '|', map { $_ // '' }
                      @{$_}{qw( id channel data user_agent created_at )}
        } @{ $r->events };

        return @all if !@{ $r->events };
        $last = $r->last_id;
    }
}


my $nginx = node();
my $client = start($nginx);
my $dir = $nginx->{dir};

# what is hard to carry over

my @hard = (
    ['/a', '{}'],
    ['/a/b', qq({"s":"\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\x98 \\u0000 \\n \\\\ \\" /"})],
    ['/a/b/c', "[ 1e400,\t-0.0, 12345678901234567890 ,\r\n\"\" ]"],
    ['/c-d/e', qq({"data":"{\\"_id\\":1}","\$date":7,"\$oid":"x"})],
    ['/large', '{"s":"' . 'x' x 30_000 . '"}'],
);

for my $agent ("Plain/1.0 uuid/u1", "Odd \"quotes\" \\ and \xc3\xa9 uuid/u-2",
               "Bad \xff\xfe bytes uuid/u3", '')
{
    my $poster = $nginx->client(agent => $agent);

    for (@hard) {
        my $r = $poster->post(@$_);

        diag($_->[0], ' ', $r->status, ' ', substr $r->body, 0, 200)
            if $r->status != 201;
    }
}

my @posted = all_of($client);

is(scalar @posted, 4 * @hard, 'all are posted');
$nginx->quit;

# there

run("$tool dump $dir/journal > $dir/dump");
save("$dir/to.py", $to);
save("$dir/from.py", $from);

my $uri = $mongodb->uri;
my $name = $mongodb->database;

run("$python $dir/to.py '$uri' '$name' < $dir/dump");

my $with = $mongodb->node(zone => 'ttl=1h')->start;

$mongodb->wait_until_up($with);
$client = $with->client;

is_deeply([all_of($client)], \@posted, 'MongoDB has them as they were');

my ($first) = $posted[0] =~ /^(\d+)/;

is($client->get("/a?echo=true&last-known-id=$first")->gap, 0,
   'a cursor goes on');
is(scalar @{ $with->client(agent => 'x uuid/u1')->get('/a?last-known-id=0')
                  ->events }, 3, 'and a poster does not get its own');

my $new = $client->post('/a', '{"new":1}')->id;

cmp_ok($new, '>', ($posted[-1] =~ /^(\d+)/)[0], 'ids go on');
$with->quit;

# and back

run("$python $dir/from.py '$uri' '$name' > $dir/export");

my $back = node();

start($back);
$back->quit;
system("rm $back->{dir}/journal/*.journal $back->{dir}/journal/mark");

run("$tool import $back->{dir}/journal < $dir/export > $dir/said");
run("$tool dump $back->{dir}/journal > $dir/again");

my @lines = split /^/, Msgbus::Nginx::slurp("$dir/again");

my @first = split /^/, Msgbus::Nginx::slurp("$dir/dump");
my ($other) = grep { $lines[$_] ne $first[$_] } 0 .. $#first;

is(defined $other ? substr("$first[$other]$lines[$other]", 0, 900) : '', '',
   'a dump has the same lines, byte for byte');

$client = start($back);

my @have = all_of($client);

is_deeply([@have[0 .. $#posted]], \@posted, 'the journal has them as they were');
like($have[-1], qr/^$new\|/, 'and what was posted meanwhile');
is($client->get("/a?echo=true&last-known-id=$first")->gap, 0,
   'a cursor goes on');
cmp_ok($client->post('/a', '{}')->id, '>', $new, 'and so do ids');
$back->quit;

done_testing;
