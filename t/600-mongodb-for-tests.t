# The database that the tests bring up: what is stopped stands still, what is
# killed is gone, and what was written is there afterwards.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Mongodb;


Msgbus::Nginx->limit(120);

my $mongodb = Msgbus::Mongodb->new(own => 1)->start;

is($mongodb->ask(count => {}), 0, 'its database is empty');

my ($id, $tries) = @{ $mongodb->ask(rse_insert => {
    channel => '/a/b', data => '{"n":1}', user_agent => 'x', uuid => 'y',
}) };

is($id, 1, 'an event of RSE has the first id');

is_deeply([map { $_->{data} } @{ $mongodb->ask(rse_get => { channel => $_ }) }],
          $_ eq '/a/b' ? ['{"n":1}'] : [], "RSE's query for $_")
    for '/a/b', '/a';

is_deeply([map { $_->{_id} } @{ $mongodb->ask(rse_get => {
              channel => $_->[0], events => $_->[1] }) }],
          [1], "RSE's query for $_->[1] of $_->[0]")
    for ['/a/b/c', 'parent'], ['/a', 'all'];

is($mongodb->ask('counter')->{c}, 1, 'its counter was raised');

my %type = map { @$_ } @{ $mongodb->ask('types') };

is("@type{qw(_id data created_at)}", 'int64 string date',
   'the types of its members');

like(eval { $mongodb->ask(insert => { events => [{ _id => 1 }] }); '' } // $@,
     qr/BulkWriteError/, 'an id can be had once only');


# stalled: no answer, and none is lost

cmp_ok($mongodb->stall, '>=', 1, 'it is stopped');

my $other = $mongodb->for_child;

ok(!eval {
    local $SIG{ALRM} = sub { die "no answer\n" };
    Time::HiRes::ualarm(500_000);
    $other->ask('count');
    1;
}, 'it does not answer');
is($@, "no answer\n", 'for all the time that was waited');

Msgbus::Nginx->limit(120);
$other->leave;
$mongodb->resume;

is($mongodb->ask('count'), 1, 'it goes on where it was');


# killed

is($mongodb->kill, 9, 'it was killed');
ok(!eval { IO::Socket::IP->new(PeerHost => '127.0.0.1',
                               PeerPort => $mongodb->{port}) },
   'nobody listens then');

$mongodb->start_server;
is($mongodb->ask('count'), 1, 'after the next start it has what it had');

if ($mongodb->{kind} eq 'ferretdb') {
    $mongodb->restart_postgres;
    $mongodb->until(20, 'PostgreSQL to recover',
                    sub { eval { $mongodb->ask('count'); 1 } });
    is($mongodb->ask('count'), 1, 'and after PostgreSQL was killed below it');

    my $second = Msgbus::Mongodb->new->start;

    is($second->ask('count'), 0, 'another one has its own data');

    is(scalar(grep { /postgres/ } map { Msgbus::Nginx::slurp("/proc/$_/comm") }
              $second->all) > 5, 1, 'its processes are known');

    my @pids = $second->all;

    $second->stop;
    is_deeply([grep { !Msgbus::Nginx::is_gone($_) } @pids], [],
              'and gone when it ends');

    is_deeply([grep { /\Q$second->{dir}\E/ }
               split /\n/, Msgbus::Nginx::slurp('/proc/mounts')], [],
              'nothing stays mounted');
}


# the one to try: "tools/mongodb run", whose processes are all its own group's

SKIP: {
    skip 'somebody else runs it', 5 if $mongodb->{kind} eq 'uri';

    my $port = Msgbus::Nginx::free_port();
    my $run = fork // die "fork: $!\n";

    if (!$run) {
        setpgrp;
        open STDOUT, '>', "$mongodb->{dir}/run.out";
        open STDERR, '>&', \*STDOUT;
        $SIG{$_} = 'DEFAULT' for qw( INT TERM HUP );
        exec "$FindBin::Bin/../tools/mongodb", 'run', $port
            or POSIX::_exit(127);
    }

    my $said = sub { Msgbus::Nginx::slurp("$mongodb->{dir}/run.out") };

    $mongodb->until(40, 'a database to try',
                    sub { $said->() =~ m{^mongodb://127} });
    is($said->(), "mongodb://127.0.0.1:$port/\n", 'it says where it is');

    my @pids = grep { (getpgrp $_) == $run }
               map { m{(\d+)/stat$} } glob '/proc/[0-9]*/stat';

    cmp_ok(scalar @pids, '>', 1, 'it has processes');

    kill TERM => $run;

    my $took = $mongodb->until(15, 'its end after SIGTERM',
                               sub { Msgbus::Nginx::is_gone($run) });
    cmp_ok($took, '<', 15, 'SIGTERM ends it');

    $mongodb->until(15, 'the end of all its processes', sub {
        return !grep { !Msgbus::Nginx::is_gone($_) } @pids;
    });
    pass('and them');

    is_deeply([grep { -e } glob "$FindBin::Bin/../build/mongodb-??????"], [],
              'and takes its data away');
}

done_testing;
