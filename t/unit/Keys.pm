package Keys;

# Asks a store about keys, t/unit/store_keys.c.
#
#     my $keys = Keys->new;
#
#     $keys->well('a journal', 1233, 'journal', $folder);     so many events

use strict;
use warnings;

use Test::More;

use Unit;


sub new {
    my ($class) = @_;

    my @sanitize = Unit->takes(@Unit::SANITIZE)
        ? (@Unit::SANITIZE, '-fno-sanitize=leak') : qw( -g -O1 );
    my @libs = Unit->libmongoc;

    my @journal = map { "journal_$_" }
                  qw( crc disk enter error find floor format history index
                      keep key known mark move read recover segment thread
                      usage write );

    my $program = Unit->new('store_keys')
        ->compile([@journal, qw( mongodb mongodb_history mongodb_insert
                                 store_journal store_mongodb store_keys cond
                                 undo unit )],
                  [@sanitize, @libs])
        ->link(@sanitize, '-lpthread', @libs);

    return bless { program => $program }, $class;
}


sub well {
    my ($self, $what, $events, @args) = @_;

    local $ENV{ASAN_OPTIONS} = 'detect_leaks=0';

    my $run = $self->{program}->start(@args)->();

    ok($run->{ok}, $what);
    is($run->{said}{events}, $events, '    and has what it should have');

    note($run->{text});

    return $run;
}


1;
