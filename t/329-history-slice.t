# The thread that reads history for a worker takes the processor in short
# turns, so requests that memory serves wait no longer than one.  The event
# loop's own are as they were.
#
# Linux 6.12 and later have turns of a length of a thread's own; sched_getattr(2)
# tells it, of an older kernel 0.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use POSIX qw(uname);
use Test::More;

use Msgbus::Nginx;


my ($number) = { x86_64 => 315, aarch64 => 275 }->{(uname())[4]}
    // plan skip_all => 'no number of sched_getattr(2) for this processor';

# ns; of a thread, by its number

sub turn {
    my ($tid) = @_;

    my $attr = "\0" x 48;

    die "sched_getattr: $!"
        if syscall($number, $tid + 0, $attr, length $attr, 0) == -1;

    return (unpack 'L2 Q l L Q3', $attr)[5];
}

my $nginx = Msgbus::Nginx->new(
    http     => 'msgbus_journal disk { path journal; segment 256k; }
                 msgbus_zone zone=bus:1m store=disk ttl=1d max_events=10;
                 msgbus_require_uuid off;',
    location => 'location / { msgbus bus; }',
)->start;

my $client = $nginx->client;

$nginx->until(10, 'the journal to be read', sub {
    return $client->get('/x')->status == 204;
});

my ($worker) = $nginx->worker_pids;

my $threads = sub {
    return map { m{(\d+)$} } glob "/proc/$worker/task/*";
};

# its thread of the journal is there

$client->post('/x', "[$_]") for 1 .. 30;

my %before = map { $_ => turn($_) } $threads->();

my $reader = $nginx->client(agent => 'reader/1.0 uuid/another');

is($reader->get('/x?last-known-id=0&events=exact')->status, 200,
   'history is read');

my @new = grep { !exists $before{$_} } $threads->();
is(@new, 1, 'by a thread of its own');

my $kernel = $before{$worker};
my $short = turn($new[0]);

if ($kernel) {
    cmp_ok($short, '<', $kernel, "its turns are short: $short of $kernel ns");

} else {
    is($short, 0, 'this kernel has one length for all');
}

is(turn($worker), $kernel, "the event loop's turns are as they were");

done_testing;
