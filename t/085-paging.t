# Paging through parents and children, with any max-events, reaches every event
# once, while posters write; where events leave the bus meanwhile, what was not
# reached is told as a gap.
#
# A page without a gap has exactly the reader's events between its cursor and
# its Msgbus-Last-Id.  Of a page with one only the oldest may be missing.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use POSIX qw(WNOHANG);
use Test::More;
use Time::HiRes qw(sleep);

use Msgbus::Nginx;


Msgbus::Nginx->limit(180);

my $nginx = Msgbus::Nginx->new(
    workers  => 2,
    http     => 'msgbus_zone zone=all:8m ttl=600s;
                 msgbus_zone zone=aging:8m ttl=1s;
                 msgbus_zone zone=few:8m ttl=600s max_events=60;
                 msgbus_zone zone=small:128k ttl=600s;
                 msgbus_scope exact parent all;
                 keepalive_requests 1000000;',
    location => join('', map { "location /$_/ { msgbus $_; }\n" }
                         qw( all aging few small )),
)->start;

# who reads what: an address, and which channels that means

my @scopes = (
    ['/p/a/b/c?events=parent', qr{^/p(?:/a(?:/b(?:/c)?)?)?$}],
    ['/p/a?events=all',        qr{^/p/a(?:/|$)}],
    ['/?events=all',           qr{^/}],
);

my @channels = qw( /p /p/a /p/a/b /p/a/b/c /p/a/b/d /p/ab /p/a/b/c/d /pa /x );

# one of the posters is the readers themselves, who do not see that

my @agents = ('poster/1.0 uuid/1', 'poster/1.0 uuid/2', 'reader/1.0 uuid/me');

my $owner = $$;
my %posters;

END { kill KILL => keys %posters if $$ == $owner }


# --- posters: processes that write down what they have posted, for so long and
# so much at least; on a busy machine there would be too little to be missed

sub start_posters {
    my ($bus, $seconds, $least) = @_;

    for my $p (0 .. $#agents) {
        my $pid = fork // die "cannot fork: $!\n";

        if ($pid) {
            $posters{$pid} = "$nginx->{dir}/$bus.$p";
            next;
        }

        open my $out, '>', "$nginx->{dir}/$bus.$p" or POSIX::_exit(1);

        my $client = $nginx->client(agent => $agents[$p]);
        my $until = Msgbus::Client::now() + $seconds;

        for (my $n = $p;
             Msgbus::Client::now() < $until || $n < $p + $least / @agents;
             $n++)
        {
            my $channel = $channels[$n * 5 % @channels];
            my $r = $client->post("/$bus$channel",
                                  '["' . 'x' x ($n * 7 % 50) . '"]');

            print $out join(' ', $r->id // 'none', $channel, $p), "\n";
            sleep 0.004;
        }

        close $out;
        POSIX::_exit(0);
    }

    return;
}


sub posters_are_done {
    waitpid($_, WNOHANG) == 0 or delete $posters{$_}
        for grep { /^\d/ } keys %posters;

    return !grep { /^\d/ } keys %posters;
}


# id => channel, of all that a reader is to see

sub posted {
    my ($bus) = @_;

    my (%channel, $hidden);

    for my $p (0 .. $#agents) {
        for (split /\n/, Msgbus::Nginx::slurp("$nginx->{dir}/$bus.$p")) {
            my ($id, $channel) = split / /;

            die "an event was not stored\n" if $id eq 'none';

            $agents[$p] =~ /reader/ ? $hidden++ : ($channel{$id} = $channel);
        }
    }

    die "nothing was hidden\n" if !$hidden;

    return \%channel;
}


# --- readers: one for each scope and each max-events, who take turns

sub run {
    my ($bus, $seconds, $least) = @_;

    my $client = $nginx->client(agent => 'reader/1.0 uuid/me');

    # who begins at 0 is not told of a gap

    my $begin = $client->get("/$bus/x")->last_id;

    my @readers = map {
        my $scope = $_;
        map { { scope => $scope, max => $_, cursor => $begin, pages => [] } }
            1 .. 20;
    } @scopes;

    my @reading = @readers;
    my $newest;

    start_posters($bus, $seconds, $least);

    while (@reading) {

        if (!defined $newest && posters_are_done()) {
            $newest = $client->get("/$bus/x")->last_id;
        }

        for my $reader (@reading) {
            my $r = $client->get("/$bus$reader->{scope}[0]"
                                 . "&max-events=$reader->{max}"
                                 . "&last-known-id=$reader->{cursor}");

            my @events = @{ $r->events };

            push @{ $reader->{pages} },
                 { after => $reader->{cursor}, last => $r->last_id,
                   gap => $r->gap, status => $r->status,
                   events => [map { [$_->{id}, $_->{channel}] } @events] };

            $reader->{cursor} = $r->last_id;
            $reader->{over} = defined $newest && !@events
                              && $r->last_id == $newest;
        }

        @reading = grep { !$_->{over} } @reading;

        # posters are to be faster than those who take few events at a time

        sleep 0.03 if !defined $newest;
    }

    return @readers;
}


# --- what went wrong: a sentence each

sub faults {
    my ($reader, $posted) = @_;

    my ($what, $mine) = @{ $reader->{scope} };
    my @ids = sort { $a <=> $b } grep { $posted->{$_} =~ $mine } keys %$posted;
    my $at = 0;
    my @faults;

    for my $page (@{ $reader->{pages} }) {
        my $where = "$what&max-events=$reader->{max}"
                    . "&last-known-id=$page->{after}";
        my @seen = map { $_->[0] } @{ $page->{events} };
        my @due;

        push @due, $ids[$at++] while $at < @ids && $ids[$at] <= $page->{last};

        push @faults, "$where has " . @seen . ' events'
            if @seen > $reader->{max};
        push @faults, "$where went back to $page->{last}"
            if $page->{last} < $page->{after};
        push @faults, map { "$where: event $_->[0] is said to be of $_->[1]" }
                      grep { ($posted->{$_->[0]} // '') ne ($_->[1] // '') }
                      @{ $page->{events} };

        if ($page->{gap}) {
            $reader->{gaps}++;
            $reader->{missed} += @due - @seen;
            splice @due, 0, @due - @seen if @due > @seen;
        }

        push @faults, "$where has @seen, should have @due"
            if "@seen" ne "@due";
    }

    push @faults, "$what&max-events=$reader->{max} ended at "
                  . "$reader->{cursor}, before $ids[$at]" if $at < @ids;

    return @faults;
}


# --- the buses

for ([all   => 1.5, 300, 'nothing leaves'],
     [aging => 2.5, 300, 'events leave by their ttl'],
     [few   => 1.5, 300, 'events leave by number'],
     [small => 2, 1500, 'events leave since the zone is full'])
{
    my ($bus, $seconds, $least, $how) = @$_;

    my @readers = run($bus, $seconds, $least);
    my $posted = posted($bus);

    cmp_ok(scalar keys %$posted, '>', 50, "$how: posters were busy");

    my ($gaps, $missed, $complete) = (0, 0, 0);

    for my $scope (@scopes) {
        my @faults = map { faults($_, $posted) }
                     grep { $_->{scope} == $scope } @readers;

        is(scalar @faults, 0, "$how: $scope->[0] reaches every event once, "
                              . 'by any max-events, or tells a gap')
            or diag(join "\n", @faults > 5 ? @faults[0 .. 4] : @faults);
    }

    for my $reader (@readers) {
        $gaps += $reader->{gaps} // 0;
        $missed += $reader->{missed} // 0;
        $complete++ if !$reader->{gaps};
    }

    note(scalar keys %$posted, " events, $gaps gaps, $missed events missed, ",
         "$complete of ", scalar @readers, ' readers saw everything');

    if ($bus eq 'all') {
        is($gaps, 0, "$how: no reader is told of a gap");

    } else {
        cmp_ok($missed, '>', 0, "$how: the slowest missed some");
    }
}

$nginx->no_alerts;

done_testing;
