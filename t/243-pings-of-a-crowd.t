# Pings come at their time, whoever of a crowd comes and leaves.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Nginx;
use Msgbus::Stream;


Msgbus::Nginx->limit(60);

my $n = 300;

my $nginx = Msgbus::Nginx->new(
    http     => 'msgbus_zone zone=bus:1m first_id=1; msgbus_ping 500ms;',
    location => 'location / { msgbus bus; msgbus_require_uuid off; }',
)->start;

sub crowd {
    return map {
        my $stream = Msgbus::Stream->new(to => "127.0.0.1:$nginx->{port}",
                                         uri => '/c');
        $stream->{since} = Msgbus::Client::now();
        $stream->open;
        $stream;
    } 1 .. $_[0];
}

# after what a stream begins with

sub pings { return scalar(grep { !$_->{data} } @{ $_[0]{events} }) - 2 }

sub all_have {
    my ($least, @streams) = @_;

    return Msgbus::Stream->read_until(
        10, sub { !grep { pings($_) < $least } @streams }, @streams);
}

# they are due together: more than one turn of the event loop takes

my @streams = crowd($n);
my $begun = Msgbus::Client::now();

ok(all_have(3, @streams), 'each of many gets its pings');

my $now = Msgbus::Client::now();

cmp_ok($now - $begun, '>', 1.3, 'not before their time');
is(scalar(grep { pings($_) > ($now - $_->{since}) / 0.5 + 0.4 } @streams), 0,
   'nobody gets more of them');

# those who are next, and every other one of the rest, leave in between

my @left = map { $_ < $n / 3 || $_ % 2 ? () : $streams[$_] } 0 .. $n - 1;
my %stays = map { $_ => 1 } @left;

$_->reset for grep { !$stays{$_} } @streams;

my @more = crowd(50);

$_->{events} = [ {}, {} ] for @left;

ok(all_have(3, @left), 'who stays is pinged on');
ok(all_have(3, @more), 'and so is who came later');

# nobody is left: the timer has nothing to do, and a new crowd starts it again

$_->reset for @left, @more;
$nginx->wait_for_readers(0);

my ($last) = crowd(1);

ok(all_have(2, $last), 'after nobody was there, one is pinged again');

$last->reset;
$nginx->quit;
$nginx->no_alerts;

done_testing;
