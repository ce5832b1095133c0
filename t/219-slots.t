# There are 128 slots for the workers of a bus.  A worker that finds none, while
# those of before a reload are still there, gets one when they have left.  The
# error log has one line of all who have none.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Nginx;


Msgbus::Nginx->limit(120);

my $workers = 70;

my $nginx = Msgbus::Nginx->new(
    workers  => $workers,
    http     => 'msgbus_zone zone=bus:2m first_id=1;',
    location => 'location / { msgbus bus; msgbus_require_uuid off; }
                 location = /.status { msgbus_status; }',
)->start;

my @old = $nginx->worker_pids;

is(scalar @old, $workers, "$workers workers run");

# who has a slot; a worker that was stopped may be the one that is to answer

sub have_slots {
    my $r = $nginx->client(timeout => 1)->get('/.status?format=json');

    return $r->status == 200 ? map { $_->{pid} } @{ $r->json->{workers} } : ();
}

# the one who writes it may be a little later than its slot

sub one_line {
    my ($level, $text) = @_;

    $nginx->until(15, 'a line', sub { return $nginx->log(0, $level, $text) > 0 });

    return is(scalar(() = $nginx->log(0, $level, $text)), 1,
              '    which is one line of the log');
}

# they do not hear that they are to leave

kill STOP => @old;

$nginx->reload(wait => 0, within => 60);

my (%has, @new);
my %old = map { $_ => 1 } @old;

$nginx->until(60, 'the next ones, and all slots to be taken', sub {
    %has = map { $_ => 1 } have_slots();
    @new = grep { !$old{$_} } $nginx->child_pids;

    return keys %has == 128 && @new == $workers;
});

my @without = grep { !$has{$_} } @new;

is(scalar @without, 2 * $workers - 128,
   @without . ' of as many after a reload get no slot');
one_line('warn', 'no slot');

kill CONT => @old;

$nginx->until(60, 'slots for them', sub {
    %has = map { $_ => 1 } have_slots();

    return !grep { !$has{$_} } @new;
});

pass('they get one when the others have left');
one_line('notice', 'has a slot');

my $client = $nginx->client;

is($client->post('/a', '[1]')->status, 201, 'posts are stored');

$nginx->quit;
$nginx->no_alerts;

done_testing;
