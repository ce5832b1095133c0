# A repair that is killed, before whichever call, leaves the old journal as it
# was, or the new one whole, or a folder that nobody opens until the repair has
# been run again, which then ends it: all that is good is there, and the old
# files are kept.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Digest::MD5 qw(md5_hex);
use File::Temp;
use Test::More;

use Msgbus::Faulty;
use Msgbus::Nginx;


my $build = $ENV{BUILD} || 'build';
my $tool = ($build =~ m{^/} ? $build : "$FindBin::Bin/../$build")
           . '/msgbus-journal';

plan skip_all => "no $tool here: run \"make\"" if ! -x $tool;

Msgbus::Nginx->limit(120);

# in memory, where that is: all of it is copied a hundred times

my $dir = File::Temp->newdir(-w '/dev/shm' ? (DIR => '/dev/shm') : ());
my $faulty = Msgbus::Faulty->new(in => "$dir/j");
my %env = $faulty->env;
my $folder = "$dir/j";

# before which call it is killed; 0: it is not

sub run {
    my ($what, $at) = @_;

    local @ENV{keys %env} = values %env;
    local $ENV{KILL_AT} = $at if $at;
    local $ENV{FAULTY_QUICK} = 1;

    my $said = `$tool $what $folder 2>&1`;
    my $code = $? & 127 ? 137 : $? >> 8;

    return ($code == 137 ? 'killed' : $code, $said);
}

sub events {
    my ($code, $said) = run('dump', 0);

    return md5_hex(join '', grep { /^\{/ } split /^/, $said);
}

sub files {
    my ($folder) = @_;

    return join ' ', map {
        my $name = $_ =~ s{.*/}{}r;

        "$name:" . md5_hex(Msgbus::Nginx::slurp($_));
    } sort glob "$folder/0*.journal";
}

# some segments, one of which is damaged

mkdir "$dir/template";

open my $out, '>', "$dir/template/manifest";
print $out "msgbus journal 1\nzone bus\nttl 1000\nsegment 65536\nsize 0\n";
close $out;

for my $n (0 .. 4) {
    open $out, '>', "$dir/in";
    print $out qq({"_id":$_,"channel":"/a","data":"@{[ 'x' x 900 ]}","created)
               . qq(_at":1700000000000}\n) for 50 * $n + 1 .. 50 * $n + 50;
    close $out;

    system("$tool import $dir/template < $dir/in > $dir/said 2>&1") == 0
        or die Msgbus::Nginx::slurp("$dir/said");
}

my @segments = sort glob "$dir/template/0*.journal";

cmp_ok(scalar @segments, '>', 3, 'there are some segments');

open my $f, '+<', $segments[1];
seek $f, 6000, 0;
print $f 'y';
close $f;

my $old = files("$dir/template");

sub fresh {
    system("rm -rf $folder && cp -r $dir/template $folder");

    return;
}

# what becomes of it when nobody kills it

fresh();

my ($code, $said) = run('repair', 0);

is($code, 1, 'repair says that something is lost') or diag($said);

my $wanted = events();
my $new = files($folder);
my ($saved) = glob "$folder/damaged-*";

is(files($saved), $old, 'it keeps the old files');

# at each call

my ($at, $half, %wrong) = (0, 0);

for (;;) {
    fresh();
    ($code, $said) = run('repair', ++$at);
    last if $code ne 'killed';

    $wrong{"call $at: killed twice"} = 1 if $at > 1000;
    last if $at > 1000;

    my ($verify) = run('verify', 0);

    if ($verify == 2) {
        $half++;

    } elsif ($verify == 1) {
        $wrong{"call $at: not the old files"} = 1 if files($folder) ne $old;

    } else {
        $wrong{"call $at: not the new files"} = 1 if files($folder) ne $new
                                                     && events() ne $wanted;
        next;
    }

    # the next one may be killed, too

    run('repair', 1 + int rand 12) if $at % 2;

    ($code, $said) = run('repair', 0);

    $wrong{"call $at: it can not be ended, $code: $said"} = 1
        if $code !~ /^[01]$/;
    $wrong{"call $at: not well then"} = 1 if (run('verify', 0))[0] != 0;
    $wrong{"call $at: not all events"} = 1 if events() ne $wanted;

    my @saved = glob "$folder/damaged-*";

    $wrong{"call $at: the old files are not kept"} = 1
        if @saved != 1 || files($saved[0]) ne $old;
    $wrong{"call $at: something is left"} = 1 if glob "$folder/repair-*";
}

is(join("\n", sort keys %wrong), '', "killed before each of $at calls");
cmp_ok($at, '>', 30, 'these are all that change something');
cmp_ok($half, '>', 3, 'some of them in the middle of the swap');

# nginx does not start with half of it

fresh();
($code, $said) = run('repair', $at - 5);
is($code, 'killed', 'in the middle of the swap');

my $nginx = Msgbus::Nginx->new(
    main     => 'user root;',
    http     => "msgbus_journal disk { path $folder; segment 64k;"
                . ' retry tries=2 delay=100ms; }'
                . ' msgbus_zone zone=bus:8m store=disk ttl=1h;',
    location => 'location / { msgbus bus; msgbus_require_uuid off; }
                 location = /health { msgbus_health bus; }',
);

unlink "$folder/manifest";
$nginx->{main} = '' if $>;
$nginx->start;
$nginx->until(10, 'health to tell of it', sub {
    return $nginx->client->get('/health?verbose=true')->body
           =~ /a repair was not finished, run .*msgbus-journal repair/;
});
pass('nginx does not use it, and says what is to be done');
is($nginx->client->post('/a', '{}')->status, 503, 'nothing is stored in it');

($code, $said) = run('repair', 0);
cmp_ok($code, '<', 2, 'it is ended beside that nginx') or diag($said);
$nginx->until(10, 'nginx to go on', sub {
    return $nginx->client->get('/health')->status == 200;
});
is($nginx->client->post('/a', '{}')->status, 201, 'which goes on by itself');
$nginx->quit;

# one that starts while the tool is at work

open my $import, '|-', "$tool import $folder > $dir/said 2>&1";

$import->autoflush;
sleep 1;
$nginx->start;
$nginx->until(10, 'health to tell of it', sub {
    return $nginx->client->get('/health?verbose=true')->body
           =~ /msgbus-journal is at work on/;
});
pass('while events are imported, nginx does not use it');

print $import qq({"_id":9000000000000000,"channel":"/a","data":"[1]"}\n);
close $import;

is(Msgbus::Nginx::slurp("$dir/said"), "1 events\n", 'they are');
$nginx->until(10, 'nginx to go on', sub {
    return $nginx->client->get('/health')->status == 200;
});
is($nginx->client->get('/a?echo=true')->events->[-1]{data}, '[1]',
   'and then it has them');
$nginx->quit;

done_testing;
