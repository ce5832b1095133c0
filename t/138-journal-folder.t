# "nginx -t" tells that a journal's folder can not be made, as the start would;
# and a folder that is made is there after a power cut: the one that it is in
# is synced.  An empty folder of root's is given to the workers, as one that
# nginx makes is.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Nginx;


Msgbus::Nginx->limit(60);

sub node {
    my ($path) = @_;

    return Msgbus::Nginx->new(
        http     => "msgbus_journal disk { path $path; }"
                    . ' msgbus_zone zone=bus:8m store=disk;',
        location => 'location / { msgbus bus; }',
    );
}

my $binary = $ENV{TEST_NGINX_BINARY} || 'nginx';

my $nginx = node('no/such/journal');

$nginx->configure;

my $said = `$binary -t -p $nginx->{dir}/ -c $nginx->{dir}/nginx.conf 2>&1`;

isnt($?, 0, 'a folder in a folder that is not there is refused by "-t"');
like($said, qr/"[^"]+\/no\/such\/journal": the folder that it is to be in can/,
     'and it says which');

$nginx = node('journal');
$nginx->configure;

`$binary -t -p $nginx->{dir}/ -c $nginx->{dir}/nginx.conf 2>&1`;

is($?, 0, 'a folder that can be made is fine');
ok(!-e "$nginx->{dir}/journal", 'and "-t" does not make it');

SKIP: {
    skip 'no strace here', 1 if system('strace -o /dev/null true 2>/dev/null');

    my $trace = "$nginx->{dir}/trace";
    my $pid = fork // die "cannot fork: $!\n";

    if (!$pid) {
        open STDERR, '>', '/dev/null';
        exec 'strace', '-y', '-e', 'trace=mkdir,mkdirat,fsync', '-o', $trace,
             $binary, '-p', "$nginx->{dir}/", '-c', "$nginx->{dir}/nginx.conf";
    }

    $nginx->until(15, 'the folder to be made', sub {
        return -e "$nginx->{dir}/journal/mark";
    });

    kill TERM => Msgbus::Nginx::slurp("$nginx->{dir}/nginx.pid") + 0;
    waitpid $pid, 0;

    like(Msgbus::Nginx::slurp($trace),
         qr/mkdir[^\n]*\/journal".*fsync\(\d+<\Q$nginx->{dir}\E>\)/s,
         'the folder that it is in is synced');
}

SKIP: {
    skip 'needs root', 9 if $> != 0;

    my $workers = sub { return (stat "$nginx->{dir}/journal")[2, 4] };

    $nginx = node('journal');
    $nginx->configure;
    mkdir "$nginx->{dir}/journal", 0755 or die "mkdir: $!\n";

    my @before = $workers->();

    `$binary -t -p $nginx->{dir}/ -c $nginx->{dir}/nginx.conf 2>&1`;

    is($?, 0, 'an empty folder of root is fine');
    is_deeply([$workers->()], \@before, 'and "-t" leaves it as it is');

    $nginx->start;
    is($nginx->client->post('/a', '{}')->status, 201, 'the workers write there');

    my ($mode, $owner) = $workers->();

    isnt($owner, 0, 'it is theirs');
    is($mode & 07777, 0700, 'and nobody else looks into it');

    $nginx->quit;

    # what is not empty may be anything

    for my $name ('a file', '.hidden') {
        $nginx = node('journal');
        $nginx->configure;
        mkdir "$nginx->{dir}/journal" or die "mkdir: $!\n";
        open my $out, '>', "$nginx->{dir}/journal/$name" or die "open: $!\n";
        close $out;

        $said = `$binary -p $nginx->{dir}/ -c $nginx->{dir}/nginx.conf 2>&1`;

        like($said, qr/it belongs to another user than the workers'/,
             "one of root with \"$name\" is refused");
        is((stat "$nginx->{dir}/journal")[4], 0, 'and stays as it was');
    }
}

done_testing;
