# Which database the tests take, and that they are skipped where there is none,
# with a line that says why; in continuous integration that is a failure.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Copy qw(copy);
use File::Temp qw(tempdir);
use Test::More;


my $project = tempdir(CLEANUP => 1);
my $bin = "$project/bin";

# a project where nothing was made yet, on a machine with next to nothing

mkdir "$project/$_" or die $! for qw(tools bin);
copy("$FindBin::Bin/../tools/mongodb", "$project/tools/mongodb") or die $!;
chmod 0755, "$project/tools/mongodb";

for my $name (qw(bash cat dirname id mkdir uname)) {
    my ($path) = grep { -x } map { "$_/$name" } qw(/bin /usr/bin);
    symlink $path, "$bin/$name" or die $!;
}


# what it says, and its exit status

sub tool {
    my ($verb, %env) = @_;

    local %ENV = (PATH => $bin, %env);

    my $said = `$project/tools/mongodb $verb 2>&1`;

    return [$? >> 8, $said];
}


my ($status, $said) = @{ tool('setup') };

is($status, 0, 'nothing can be had, and that is no failure');
like($said, qr/\Amongodb: the tests that need one are skipped: [^\n]+\n\z/,
     'a line says why');
like($said, qr/; set MSGBUS_TEST_MONGODB_URI, or have mongod in PATH$/,
     'and what to do');
is_deeply(tool('kind'), [3, ''], 'it is of no kind');

($status, $said) = @{ tool('setup', CI => 'true') };

is($status, 1, 'in continuous integration it is a failure');
like($said, qr/\Amongodb: there is none to test on: .+; set [^\n]+\n\z/,
     'and a line says why');

my %uri = (MSGBUS_TEST_MONGODB_URI => 'mongodb://127.0.0.1:1/');

is_deeply(tool('kind', %uri), [0, "uri\n"], 'one that is named');
is_deeply(tool('setup', %uri, CI => 'true'), [0, ''], 'needs nothing');

open my $mongod, '>', "$bin/mongod" or die $!;
print $mongod "#!$bin/bash\n";
close $mongod;
chmod 0755, "$bin/mongod";

is_deeply(tool('kind'), [0, "mongod\n"], 'mongod in PATH');
is_deeply(tool('kind', %uri), [0, "uri\n"], 'the one that is named before it');
is_deeply(tool('setup', CI => 'true'), [0, ''], 'needs nothing');


# a test that wants to stop the database, where it is somebody else's

sub test_with {
    my ($options, %env) = @_;

    # and the module has MongoDB, whatever the one is that the others test
    local %ENV = (%ENV, %uri, CI => '', MSGBUS_WITHOUT_MONGODB => '', %env);

    my $said = qx($^X -I$FindBin::Bin/lib -MMsgbus::Mongodb -e '
        Msgbus::Mongodb->new($options); print "1..0 # not skipped\n"' 2>&1);

    return [$? >> 8, $said];
}


is_deeply(test_with(''), [0, "1..0 # not skipped\n"], 'a test on any database');

($status, $said) = @{ test_with('own => 1') };

is($status, 0, 'a test that stops it');
like($said, qr/\A1\.\.0 # SKIP .*not ours to stop or kill$/, 'is skipped');

($status, $said) = @{ test_with('own => 1', CI => 'true') };

isnt($status, 0, 'but not in continuous integration');
like($said, qr/not ours to stop or kill/, 'where it fails');

done_testing;
