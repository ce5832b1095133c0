# A stream has what its reader asks for, on whatever worker it is and to
# whatever worker it is posted: each event once, in order.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Nginx;
use Msgbus::Stream;


Msgbus::Nginx->limit(60);

my $nginx = Msgbus::Nginx->new(
    workers  => 4,
    http     => 'msgbus_zone zone=bus:4m first_id=1;
                 msgbus_scope exact parent all;',
    location => 'msgbus_require_uuid off; location / { msgbus bus; }',
)->start;

my $to = "127.0.0.1:$nginx->{port}";

# of each kind as many as are on every worker, some of them NDJSON

my %seen = (
    exact  => '/a/b',
    parent => '/a/b?events=parent',
    all    => '/a?events=all',
    whole  => '/?events=all',
    above  => '/a',
    other  => '/ab?events=all',
    mine   => '/a/b?echo=true',
);

my (%streams, @all);

for my $kind (sort keys %seen) {
    for my $n (1 .. 24) {
        my $stream = Msgbus::Stream->new(
            to    => $to,
            uri   => $seen{$kind},
            sse   => $n % 3,
            agent => $n % 2 ? 'reader/1.0 uuid/poster-1' : 'reader/1.0 uuid/r',
        );

        $stream->{hides} = $n % 2 && $kind ne 'mine';
        $stream->open;
        push @{ $streams{$kind} }, $stream;
        push @all, $stream;
    }
}

Msgbus::Stream->read_until(20, sub { !grep { !@{ $_->{events} } } @all }, @all);

# posters on many connections, and so on many workers

my @posters = map { $nginx->client(agent => "poster/1.0 uuid/poster-$_") }
              map { (1, 2, 3) } 1 .. 6;
my @channels = ('/a/b', '/a', '/a/b/c', '/a/c', '/ab', '/x');
my (@posted, %ids);

for my $n (1 .. 600) {
    my $by = $n % @posters;
    my $channel = $channels[rand @channels];
    my $r = $posters[$by]->post($channel, "[$n]");

    push @posted, { id => $r->id, n => $n, channel => $channel,
                    by => 1 + $by % 3 };
}

my %sees = (
    exact  => sub { $_[0] eq '/a/b' },
    parent => sub { $_[0] eq '/a/b' || $_[0] eq '/a' },
    all    => sub { $_[0] =~ m{^/a(?:/|$)} },
    whole  => sub { 1 },
    above  => sub { $_[0] eq '/a' },
    other  => sub { $_[0] eq '/ab' },
    mine   => sub { $_[0] eq '/a/b' },
);

sub should {
    my ($kind, $stream) = @_;

    return join ' ', map { "[$_->{n}]" }
           grep { !$stream->{hides} || $_->{by} != 1 }
           grep { $sees{$kind}->($_->{channel}) } @posted;
}

for my $kind (sort keys %streams) {
    for my $stream (@{ $streams{$kind} }) {
        my @all = split ' ', should($kind, $stream);

        $stream->{all} = @all;
    }
}

Msgbus::Stream->read_until(20, sub { !grep { $_->{n} < $_->{all} } @all },
                           @all);

for my $kind (sort keys %streams) {
    my @wrong = grep { "@{[ $_->posted ]}" ne should($kind, $_) }
                @{ $streams{$kind} };

    is(scalar @wrong, 0, "$seen{$kind}: each event once, in order")
        or diag("@{[ $wrong[0]->posted ]}\n", should($kind, $wrong[0]));
}

is(scalar(grep { defined $_->{data} && $_->{data} =~ /"channel":"\/a\/b\/c"\}$/ }
          @{ $streams{all}[1]{events} }),
   scalar(grep { $_->{channel} eq '/a/b/c' } @posted),
   'with events=all, events tell their channel');

is(scalar(grep { $_->gaps } @all), 0, 'nobody is told of a gap');

$nginx->quit;
$nginx->no_alerts;

done_testing;
