# The disk of a journal is full, is read-only, or fails: posts get 503, which
# says whether the event may be stored, and when to try again; reads go on; and
# all goes on by itself when the disk is well again, with all that was
# acknowledged, once.

use strict;
use warnings;

use Errno qw( EIO ENOSPC EROFS );
use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Faulty;
use Msgbus::Nginx;


Msgbus::Nginx->limit(120);

my $faulty = Msgbus::Faulty->new(in => '/journal');

my $nginx = Msgbus::Nginx->new(
    http     => 'msgbus_journal disk { path journal; segment 64k;'
                . ' retry tries=4 delay=100ms; }'
                . ' msgbus_zone zone=bus:8m store=disk ttl=1h;',
    location => 'location / { msgbus bus; msgbus_require_uuid off; }
                 location = /health { msgbus_health bus; }',
);

$faulty->start($nginx)
    or plan skip_all => 'another library is preloaded';

sub is_up {
    my ($what) = @_;

    $nginx->until(10, $what, sub {
        return $nginx->client->get('/health')->status == 200;
    });

    return;
}

is_up('the journal to be read');

my $client = $nginx->client;
my $n = 0;
my (@stored, %unknown);


# posts so many, or until one is refused; that

sub posted {
    my ($max) = @_;

    for (1 .. $max) {
        my $data = sprintf '{"n":%d,"s":"%s"}', ++$n, 'x' x 900;
        my $r = $client->post('/a', $data);

        return $r if $r->status == 503;

        push @stored, $r->id . ":$n" if $r->status == 201;
    }

    return undef;
}


# what is there, from the first one on, is what was acknowledged, and perhaps
# what may have been stored

sub all_is_there {
    my ($what) = @_;

    my ($last, @all) = (0);

    for ( ;; ) {
        my $r = $client->get("/a?echo=true&last-known-id=$last");

        push @all, map { "$_->{id}:" . ($_->{data} =~ /"n":(\d+)/)[0] }
                   @{ $r->events };
        last if !@{ $r->events };
        $last = $r->last_id;
    }

    my @more = grep { my $e = $_; !grep { $_ eq $e } @stored } @all;

    is_deeply([grep { !$unknown{s/.*://r} } @more], [],
              "$what: nothing is there that was refused");

    @stored = @all if @more;
    is(join(' ', @all), join(' ', @stored),
       'all that was acknowledged is, once and in order');

    return;
}


sub refused {
    my ($what, $r, $stored) = @_;

    is($r && $r->status, 503, "$what: a post is refused") or return;
    like($r->header('Msgbus-Stored'), $stored, 'it says whether it is stored');

    # who tries again what may be stored would perhaps store it twice

    like($r->header('Retry-After') // '',
         $r->header('Msgbus-Stored') eq 'none' ? qr/^\d+$/ : qr/^$/,
         'and when to try again, if that is safe');

    $unknown{$n}++ if $r->header('Msgbus-Stored') eq 'unknown';

    return;
}


is(posted(10), undef, 'all is well');

# full: what has room is stored, what needs the next file is not

$faulty->fail($_ => ENOSPC) for qw( fallocate open );

refused('full', posted(200), qr/^none$/);

my $r = $nginx->client->get('/health?verbose=true');

is($r->status, 503, 'health says so');
like($r->body, qr/No space left on device/, 'and why');
is($client->get('/a?echo=true')->status, 200, 'reads go on');

$r = $client->post('/a', '{}');

refused('once more', $r, qr/^none$/);

my $size = -s "$nginx->{dir}/error.log";

sleep 0.5;
cmp_ok((-s "$nginx->{dir}/error.log") - $size, '<', 2000,
       'the error log is not flooded');

$faulty->well;
is_up('all to be well by itself');
is(posted(100), undef, 'posts are stored again');
all_is_there('full');

# and no block for a file that has its size: a disk that is thinly provisioned

$faulty->fail(pwrite => ENOSPC);
refused('no block', posted(1), qr/^(?:none|unknown)$/);
$faulty->well;
is_up('all to be well');
is(posted(10), undef, 'posts are stored again');
all_is_there('no block');

# read-only, as after an error of the file system

$faulty->fail(all => EROFS);
refused('read-only', posted(1), qr/^(?:none|unknown)$/);
like($nginx->client->get('/health?verbose=true')->body,
     qr/Read-only file system/, 'health says why');
is($client->get('/a?echo=true')->status, 200, 'reads go on');
$faulty->well;
is_up('all to be well');
is(posted(10), undef, 'posts are stored again');
all_is_there('read-only');

# one that fails once: nobody notices

for my $call (qw( fdatasync pwrite fsync rename fallocate )) {
    my $files = () = glob "$nginx->{dir}/journal/0*";

    $faulty->fail($call => EIO, 1);
    $r = posted(80);
    refused("one $call", $r, qr/^(?:none|unknown)$/) if $r;
    $faulty->well;
    is_up('all to be well');

    if ($call eq 'fdatasync') {
        is($r, undef, 'a sync that fails once is made good');
        cmp_ok(scalar(() = glob "$nginx->{dir}/journal/0*"), '>', $files,
               'in a new file');
        $nginx->until(5, 'health to warn', sub {
            return $nginx->client->get('/health?verbose=true')->body
                   =~ /has failed, and was made good/;
        });
        pass('and health warns');
    }

    is(posted(3), undef, "one $call fails, and all goes on");
    all_is_there("one $call");
}

# one that fails for long: it is not known, and becomes known

$faulty->fail($_ => EIO) for qw( fdatasync fsync );
refused('no sync', posted(1), qr/^unknown$/);
like($nginx->client->get('/health?verbose=true')->body,
     qr/Input\/output error/, 'health says why');
is($client->get('/a?echo=true')->status, 200, 'reads go on');
$faulty->well;
is_up('all to be well');
is(posted(3), undef, 'posts are stored again');
all_is_there('no sync');

# and a start finds all of it

$nginx->quit;
$faulty->start($nginx);
is_up('the journal to be read');
$client = $nginx->client;
all_is_there('started anew');

# a stop while the disk fails: what was acknowledged was durable before

$faulty->fail(all => EIO);
$nginx->quit;
$faulty->well;
$faulty->start($nginx);
is_up('the journal to be read');
$client = $nginx->client;
all_is_there('stopped while it fails');
is(posted(3), undef, 'and all goes on');

$nginx->quit;

done_testing;
