# msgbus-journal checks a journal, writes its events out and reads them in
# again, as they are or not at all, and mends one that is damaged: all that is
# good is kept, and readers are told of the rest.  Any byte of a sealed segment that changes is told of.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Digest::MD5 qw(md5);
use MIME::Base64 qw(encode_base64);
use Test::More;

use Msgbus::Nginx;


my $build = $ENV{BUILD} || 'build';
my $tool = ($build =~ m{^/} ? $build : "$FindBin::Bin/../$build")
           . '/msgbus-journal';

plan skip_all => "no $tool here: run \"make\"" if ! -x $tool;

Msgbus::Nginx->limit(120);

sub node {
    return Msgbus::Nginx->new(
        http     => 'msgbus_journal disk { path journal; segment 64k; }'
                    . ' msgbus_zone zone=bus:8m store=disk ttl=1h;',
        location => 'location / { msgbus bus; msgbus_require_uuid off; }',
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

# what it said, and its exit code

sub run {
    my ($command) = @_;

    my $said = `$command 2>&1`;

    return ($said, $? >> 8);
}

sub version {
    my $source = Msgbus::Nginx::slurp("$FindBin::Bin/../src/bus/ngx_msgbus.h");

    return $source =~ /NGX_MSGBUS_VERSION\s+"(.*)"/ ? $1 : '';
}

sub all_of {
    my ($client) = @_;

    my ($last, @all) = (0);

    for ( ;; ) {
        my $r = $client->get("/a?echo=true&last-known-id=$last");

        push @all, map { "$_->{id}$_->{data}" } @{ $r->events };
        return @all if !@{ $r->events };
        $last = $r->last_id;
    }
}


my $nginx = node();
my $client = start($nginx);
my @wanted;

for my $n (1 .. 400) {
    my $data = qq({"n":$n,"t":"\xc3\xa9\\n\\"","s":"@{[ 'x' x (400) ]}"});

    push @wanted, $client->post('/a', $data)->id . $data;
}

my $folder = "$nginx->{dir}/journal";

my ($said, $code) = run("$tool verify $folder");

is($code, 0, 'a journal is checked while nginx writes to it');
like($said, qr/^\d+ segments, 400 events, ids up to \d+: well$/, $said);

($said, $code) = run("$tool repair $folder");

is($code, 2, 'but not repaired');
like($said, qr/nginx writes to \S+, stop it first/, 'and it says why');

is(system("$tool dump $folder > $nginx->{dir}/dump"), 0, 'it is written out');
$nginx->quit;

open my $in, '<', "$nginx->{dir}/dump";
my @lines = <$in>;

is(scalar @lines, 400, 'with all events');
like($lines[0], qr/^\{"_id":\{"\$numberLong":"\d+"\},"channel":"\/a","data":"\{
                   \\"n\\":1,/x, 'as documents of MongoDB');

# some have a key, of 16 bytes, and what their body is told by

sub binary {
    my ($bytes) = @_;

    return '{"$binary":{"base64":"' . encode_base64($bytes, '')
           . '","subType":"00"}}';
}

sub dumped {
    return grep { /"channel":"\/a"/ } split /^/, `$tool dump $_[0]`;
}

for my $n (grep { $_ % 3 } 0 .. 399) {
    my $key = binary(md5("key $n")) . ',"body":' . binary(md5("body $n"));

    $lines[$n] =~ s/\}\n$/,"key":$key}\n/;
}

open my $dump, '>', "$nginx->{dir}/dump";
print $dump @lines;
close $dump;

# into an empty one

my $other = node();

start($other);
$other->quit;
system("rm $other->{dir}/journal/*.journal $other->{dir}/journal/mark");

($said, $code) = run("$tool import $other->{dir}/journal < $nginx->{dir}/dump");

is($code, 0, 'it is read in');
is($said, "400 events\n", 'all of it');
is_deeply([all_of(start($other))], \@wanted,
          'byte for byte, under the same ids');

# what was read in is one file, larger than another; the next event ends it.
# The empty one before it leaves, at some time.

my ($keyed) = grep { -s > 65_536 } glob "$other->{dir}/journal/*.journal";

$other->client->post('/b', qq({"s":"@{[ 'x' x 4000 ]}"}));

$other->until(10, 'the first file to get its index', sub {
    return Msgbus::Nginx::slurp($keyed) =~ /MSGBUSK\n/;
});
$other->quit;

($said, $code) = run("$tool import $other->{dir}/journal < $nginx->{dir}/dump");

is($code, 2, 'a second time it is refused');
like($said, qr/line 1: id \d+ does not come after \d+/, 'for its ids');

is_deeply([dumped("$other->{dir}/journal")], \@lines,
          'written out again it is the same, with its keys');

($said, $code) = run("$tool verify $other->{dir}/journal");
is($code, 0, 'their index is that of the frames');

# a place among those that are sorted, and its crc

sub edit {
    my ($f, $at, $bytes) = @_;

    seek $f, $at, 0;
    print $f $bytes;
}

{
    open my $f, '+<:raw', $keyed or die "$keyed: $!\n";
    my $all = do { local $/; <$f> };
    my $at = index $all, "MSGBUSK\n";
    my ($n, $blocks) = unpack 'x32 VV', substr $all, $at;

    cmp_ok($n, '>', 50, "the first file has $n keys");

    my $keys = $at + 48 + 32 * $blocks;

    is($keys + 12 * $n, length $all, 'at its end');
    edit($f, $keys + 8, substr $all, $keys + 12 + 8, 4);
    close $f;
}

($said, $code) = run("$tool verify $other->{dir}/journal");
is($code, 1, 'another place in it is told of');
like($said, qr/the index of segment \d+ is not of its frames/, $said);

($said, $code) = run("$tool repair $other->{dir}/journal");
is($code, 0, 'nothing is lost by that');

is_deeply([dumped("$other->{dir}/journal")], \@lines,
          'and what is repaired has its keys');

($said, $code) = run("$tool verify $other->{dir}/journal");
is($code, 0, 'and is well');

# damage in the middle of a sealed one

my ($file) = sort glob "$folder/*.journal";

sub flip {
    my ($at) = @_;

    open my $f, '+<', $file or die "$file: $!\n";
    seek $f, $at, 0;
    read $f, my $byte, 1;
    seek $f, $at, 0;
    print $f chr(ord($byte) ^ 0x10);
    close $f;
}

# of any byte, of some; those between the header and the first frame, and
# between the last one and the index, say nothing

my $silent = 0;

for (1 .. 40) {
    my $at = 4096 + int rand 50_000;

    flip($at);
    ($said, $code) = run("$tool verify $folder");
    $silent++ if $code != 1;
    flip($at);
}

is($silent, 0, 'any byte of a sealed segment that changes is told of');

flip(4096 + 20_000);

($said, $code) = run("$tool verify $folder");

is($code, 1, 'damage is found');
like($said, qr/damaged at offset \d+ of "0+1-\d+\.journal"/, 'and told');

($said, $code) = run("$tool repair $folder");

is($code, 1, 'repair says that something is lost');
like($said, qr/events with ids from \d+ to \d+ are lost/, 'and what');
like($said, qr/the old files are in \S+damaged-\d+/, 'and keeps a copy');

($said, $code) = run("$tool verify $folder");

is($code, 0, 'then it is well');

$client = start($nginx);

my @have = all_of($client);

is(scalar @have, 399, 'all but one event are there');

my %have = map { $_ => 1 } @have;
my ($lost) = grep { !$have{$_} } @wanted;
my ($id) = $lost =~ /^(\d+)/;

ok($client->get('/a?echo=true&last-known-id=' . ($id - 1))->gap,
   'and who crosses its place is told of a gap');

$nginx->quit;

# what cannot be taken as it is is refused

my $foreign = "$nginx->{dir}/foreign";

sub import_of {
    my ($line) = @_;

    system('rm', '-rf', $foreign);
    mkdir $foreign or die "$foreign: $!\n";

    open my $out, '>', "$foreign.json" or die "$foreign.json: $!\n";
    print $out qq({"_id":6,"channel":"/a","data":"{}"}\n$line\n);
    close $out;

    return run("$tool import $foreign < $foreign.json");
}

sub event {
    my (%with) = (_id => 7, channel => '"/a"', data => '"{}"', @_);

    return '{' . join(',', map { qq("$_":$with{$_}) } sort keys %with) . '}';
}

my $bits = '{"$binary":{"base64":"' . ('A' x 22) . '==","subType":"00"}}';

for (
    ['\u0000 in the data', event(data => '"{\u0000}"'), qr/has \\u0000/],
    ['and in a channel', event(channel => '"/a\u0000b"'), qr/has \\u0000/],
    ['and in a uuid', event(uuid => '"\u0000"'), qr/has \\u0000/],
    ['a byte of zero', event() . "\0" . event(), qr/has a byte of zero/],
    ['a half of a pair', event(data => '"\ud83d"'), qr/a half of a surrog/],
    ['another half', event(data => '"\udc18\ud83d"'), qr/a half of a surrog/],
    ['data that is no text', event(data => '{"a":1}'), qr/"data" is no str/],
    ['a channel that is none', event(channel => 5), qr/"channel" is no str/],
    ['a long channel', event(channel => '"' . 'x' x 256 . '"'), qr/too long/],
    ['half an id', event(_id => '{"$numberDouble":"7.5"}'), qr/is no id/],
    ['an id with more', event(_id => '{"$numberLong":"7x"}'), qr/is no id/],
    ['a key without a body', event(key => $bits), qr/one is missing/],
    ['a token that is none', event(token => '"x"'), qr/is not 16 bytes/],
    ['an array', '[7]', qr/no JSON object/],
) {
    my ($what, $line, $why) = @$_;

    ($said, $code) = import_of($line);

    is($code, 2, "$what is refused");
    like($said, qr/: line 2 is no event: .*$why/, 'with its line, and why');
    is(scalar @{[dumped($foreign)]}, 0, 'and is not there');
}

sub created {
    my ($at) = @_;

    ($said, $code) = import_of(event(created_at => $at));

    return $code ? $said =~ /"created_at" is no time/ ? 'refused' : $said
                 : (dumped($foreign))[1] =~ /"(\d+)"\}\}\}$/ ? $1 : 'none';
}

my $day = '{"$date":"2012-03-16T13:25:29';

is(created(qq($day.123Z"})), 1_331_904_329_123, 'a time is taken');
is(created(qq($day.5+02:00"})), 1_331_897_129_500, 'with its zone');
is(created(qq($day-0530"})), 1_331_924_129_000, 'as older tools write it');
is(created('{"$date":{"$numberLong":"7"}}'), 7, 'or as a number');

for my $at (qq($day"}), qq(${day}x"}), qq($day+2:00"}), qq($day.1234Z"}),
            '{"$date":"2012-02-31T13:25:29Z"}', '"2012"',
            '{"$date":"1969-12-31T23:59:59Z"}',
            '{"$date":{"$numberLong":"-1"}}')
{
    is(created($at), 'refused', "$at is none");
}

($said, $code) = import_of(event(data => '"\\\\\\\\u0000 \ud83d\udc18"'));
is($code, 0, 'a backslash before u0000 is one');
like((dumped($foreign))[1], qr/"data":"\\\\\\\\u0000 \xf0\x9f\x90\x98"/,
     'and a pair is a letter');

# times rise in a journal

($said, $code) = import_of(
    join "\n", event(created_at => qq($day.123Z"})),
               event(_id => 8, created_at => qq($day.122Z"})),
               event(_id => 9, created_at => qq($day.123Z"})));

is($code, 0, 'a time that falls is raised');
like($said, qr/: 1 events have the time of one before/, 'and that is told');
is(scalar(grep { /"1331904329123"/ } dumped($foreign)), 3, 'to the newest');

($said, $code) = run("$tool import $foreign < /");
is($code, 2, 'input that cannot be read is no end');

($said, $code) = run("$tool --version");

is("$said$code", 'msgbus-journal ' . version() . "\n0",
   'it tells the version, which is the module\'s');

SKIP: {
    skip 'no man here', 1 if system('command -v man > /dev/null');

    ($said) = run("man --warnings -E UTF-8 -l -Tutf8 -P cat"
                  . " $FindBin::Bin/../docs/msgbus-journal.1 2>&1 > /dev/null");

    is($said, '', 'the manual page is without a fault');
}

done_testing;
