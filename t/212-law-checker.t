# The checkers of t/lib find each way to break the law: when all records are
# there, and when they come in while they are written, those of readers before
# those of posters, and what is settled is forgotten.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Law;


# Records as posters and pollers write them: two events of one poster in
# channel /load/c0, times in seconds.

my $law = Msgbus::Law->new(channels => 1, dir => '.', to => []);

my @stored = (['stored', 1, 1, 10, 0.1, 0.2], ['stored', 1, 2, 11, 0.3, 0.4]);
my @end = (['end']);
my $c = '/load/c0';

sub answer {
    my ($cursor, $last, %o) = @_;

    return ['answer', $c, $cursor, $last, $o{newest} // 0,
            $o{cut} ? 'cut' : 'whole', $o{gap} ? 'gap' : 'ok'];
}

sub seen { return ['seen', $c, @_[0 .. 2], $_[3] // 'same'] }

sub verdict {
    my ($posters, $poller) = @_;

    my $broken = $law->judge('poster.1' => [@$posters, @end],
                             'poller.1' => [@$poller, @end]);
    my $all = join ' ', grep { @{ $broken->{$_} } } sort keys %$broken;

    for my $order ('posters first', 'readers first') {
        my @records = ((map { ['poster.1', @$_] } @$posters),
                       (map { ['poller.1', @$_] } @$poller));
        my $judge = Msgbus::Judge->new(channel_of => sub { $c });

        $judge->{now} = 1;
        $judge->take(@$_) for $order =~ /^r/ ? sort { $a->[0] cmp $b->[0] }
                                               @records : @records;

        my $left = $judge->retire(2, 2);
        my $so = join ' ', grep { @{ $judge->{broken}{$_} } }
                           sort keys %{ $judge->{broken} };

        return "$so, $order" if $so ne $all;
        return "$left left" if $left;
        return 'not forgotten' if grep { %{ $judge->{$_} } } qw(stored name);
    }

    return $all;
}


is(verdict(\@stored, [answer(0, 11), seen(10, 1, 1), seen(11, 1, 2)]), '',
   'a run in which all went well');

is(verdict(\@stored, [answer(0, 11), seen(10, 1, 1)]), 'once',
   'an event is lost');

is(verdict(\@stored, [answer(0, 9, gap => 1), answer(9, 11), seen(11, 1, 2)]),
   'gap once', 'an event is lost, and the gap was told of others');

is(verdict(\@stored, [answer(0, 10, gap => 1), answer(10, 11),
                      seen(11, 1, 2)]),
   'gap', 'an event is lost, and the gap was told');

is(verdict(\@stored, [answer(0, 11), seen(10, 1, 1), seen(11, 1, 2),
                      answer(11, 12), seen(12, 1, 2)]), 'same twice',
   'an event is there twice');

is(verdict([@stored, ['unknown', 1, 3, 'maybe', 0.5, 0.6]],
           [answer(0, 12), seen(10, 1, 1), seen(11, 1, 2), seen(12, 1, 3)]),
   '', 'an event is there of which a 503 said that it may be');

is(verdict([@stored, ['refused', 1, 3, 503, 0.5, 0.6]],
           [answer(0, 12), seen(10, 1, 1), seen(11, 1, 2), seen(12, 1, 3)]),
   'ghost', 'an event is there of which a 503 said that it is not');

is(verdict([@stored, ['unexplained', '1/3']],
           [answer(0, 11), seen(10, 1, 1), seen(11, 1, 2)]), 'why',
   'a 503 says nothing');

is(verdict(\@stored, [answer(0, 11), seen(11, 1, 2), seen(10, 1, 1)]),
   'order own', 'ids fall within an answer');

is(verdict(\@stored, [answer(0, 11), seen(11, 1, 2),
                      answer(11, 11), seen(10, 1, 1)]),
   'order own', 'a smaller id appears later');

is(verdict(\@stored, [answer(0, 11), seen(10, 1, 1), seen(11, 1, 2),
                      answer(11, 10)]), 'order', 'a cursor goes back');

is(verdict(\@stored, [answer(0, 11), seen(10, 1, 1), seen(11, 1, 2),
                      answer(11, 11, newest => 12)]), 'newest',
   'an answer ends before what the reader has seen elsewhere');

is(verdict(\@stored, [answer(0, 11), seen(10, 1, 1),
                      seen(11, 1, 2, 'other')]), 'same',
   'other bytes than were posted');

is(verdict(\@stored, [answer(0, 12), seen(10, 1, 1), seen(12, 1, 2)]), 'same',
   'another id than the poster was told');

is(verdict([@stored, ['refused', 1, 3, 507]],
           [answer(0, 12), seen(10, 1, 1), seen(11, 1, 2), seen(12, 1, 3)]),
   'ghost', 'an event is seen that was refused');

is(verdict([@stored, ['unknown', 1, 3, 'lost']],
           [answer(0, 12), seen(10, 1, 1), seen(11, 1, 2), seen(12, 1, 3)]),
   '', 'an event is seen whose poster had no answer: that is allowed');

is(verdict([@stored, ['unknown', 1, 3, 'lost']],
           [answer(0, 13), seen(10, 1, 1), seen(11, 1, 2), seen(12, 1, 3),
            seen(13, 1, 3)]), 'twice',
   'but not twice');

is(verdict([['stored', 1, 1, 11, 0.1, 0.2], ['stored', 1, 2, 10, 0.3, 0.4]],
           [answer(0, 11), seen(10, 1, 2), seen(11, 1, 1)]), 'own time',
   'a later event has a smaller id');

is(verdict([@stored, ['stored', 1, 3, 11, 0.5, 0.6]],
           [answer(0, 11), seen(10, 1, 1), seen(11, 1, 2)]),
   'once own twice', 'an id is given out twice');

is(verdict([@stored, ['late', 'x']],
           [answer(0, 11), seen(10, 1, 1), seen(11, 1, 2)]), 'late',
   'an acknowledged event is not there for the next read');

is(verdict([@stored, ['hung', 'x']],
           [answer(0, 11), seen(10, 1, 1), seen(11, 1, 2)]), 'hung',
   'a request hangs');

is(verdict([@stored, ['broken', 'x']],
           [answer(0, 11), seen(10, 1, 1), seen(11, 1, 2)]), 'ended',
   'a process dies');

# what is settled is forgotten, and what breaks the law later is found

sub later {
    my (@later) = @_;

    my $judge = Msgbus::Judge->new(channel_of => sub { $c });

    $judge->take('poster.1', @$_) for @stored;
    $judge->take('poller.1', @$_)
        for answer(0, 11), seen(10, 1, 1), seen(11, 1, 2);
    $judge->retire(2, 2);
    $judge->take(@$_) for @later;
    $judge->retire(20, 20);

    return join ' ', grep { @{ $judge->{broken}{$_} } }
                     sort keys %{ $judge->{broken} };
}

is(later(), '', 'nothing comes later');
is(later(['poller.1', @{ answer(11, 11) }], ['poller.1', @{ seen(11, 1, 2) }]),
   'order twice', 'the last event comes again when it was settled');
is(later(['poller.1', @{ answer(11, 12) }], ['poller.1', @{ seen(12, 1, 1) }]),
   'own', 'an event before it comes again, under another id');
is(later(['poster.2', 'stored', 2, 1, 9, 3, 4],
         ['poller.1', @{ answer(11, 11) }], ['poller.1', @{ seen(9, 2, 1) }]),
   'order time', 'an event has a smaller id than one that was settled');
is(later(['poster.2', 'stored', 2, 1, 12, 3, 4],
         ['poller.1', @{ answer(11, 12) }]),
   'once', 'an event is lost');
is(later(['poster.2', 'stored', 2, 1, 12, 3, 4]),
   '', 'an event has not come, and it is not late yet');

{
    my $judge = Msgbus::Judge->new(channel_of => sub { $c });

    $judge->take('poster.1', @$_) for @stored;
    $judge->take('poller.1', @{ answer(0, 10) });
    $judge->take('poller.1', @{ seen(10, 1, 1) });
    is($judge->retire(2, 2), 1, 'an event that has not come is left');
    $judge->retire(2, 1000);
    is(scalar @{ $judge->{broken}{once} }, 1, 'it is late, and lost');

    $judge = Msgbus::Judge->new(channel_of => sub { $c });
    $judge->{now} = 1;
    $judge->take('poller.1', @{ answer(0, 10) });
    $judge->take('poller.1', @{ seen(10, 1, 1) });
    $judge->take('poster.1', 'refused', 1, 1, 503);
    is(scalar @{ $judge->{broken}{ghost} }, 1,
       'what was refused had been seen before the refusal is told');
}

my $broken = $law->judge('poster.1' => [@stored, @end], 'poller.1' => []);

is(scalar @{ $broken->{ended} }, 1, 'a process does not come to its end');

done_testing;
