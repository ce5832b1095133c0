package History;

# Asks a MongoDB for history by the module's own rooms, without nginx, and says
# what an array of events has to be found for it.
#
#     my $history = History->new($fake_or_mongodb, ttl => 7 * 86400);
#
#     my $page = $history->ask(after => 0, upto => 99, scopes => ['/a', '/b/']);
#     $page->{ids}, $page->{examined}, $page->{floor}; or {rc}, {error}
#
# A scope is "/a", "/a/" with all below it, or "/", the whole bus.  Others of a
# question: max, bytes, newest_first, since (ms), hide.
#
#     $history->pages(...)     one after the other, until there is no more: a
#                              list of the pages
#     History::wanted(\@events, ...)     the ids that should come

use strict;
use warnings;

use IPC::Open2 qw(open2);
use JSON::PP ();

use Unit;


my $json = JSON::PP->new->utf8;


sub program {
    my (@flags) = @_;

    return Unit->new('history_mongodb')
        ->compile([qw( mongodb mongodb_history mongodb_insert store_mongodb
                       undo history_mongodb unit )], \@flags)
        ->link(@flags, Unit->libmongoc, '-lpthread');
}


sub new {
    my ($class, $mongodb, %with) = @_;

    my $program = program(@{ $with{flags} || [qw( -g -O1 )] });

    die "history_mongodb is not compiled\n" if $program->{failed};

    my $pid = open2(my $from, my $to, $program->{path}, $mongodb->uri,
                    $mongodb->database, 1000 * ($with{ttl} // 86400),
                    $with{timeout} // 5000);

    return bless { pid => $pid, from => $from, to => $to }, $class;
}


sub ask {
    my ($self, %q) = @_;

    print { $self->{to} } join(' ', $q{after} // 0, $q{upto}, $q{max} // 200,
                               $q{bytes} // 1e6, $q{newest_first} // 0,
                               $q{since} // 0, $q{hide} // '-',
                               @{ $q{scopes} }), "\n";
    $self->{to}->flush;

    my $line;

    do {
        $line = readline($self->{from}) // die "history_mongodb has ended\n";
    } until $line =~ /^\{/;

    my $page = $json->decode($line);
    $page->{ids} = [map { $_->{id} } @{ $page->{events} }];

    return $page;
}


sub pages {
    my ($self, %q) = @_;

    my @pages;

    while (($q{after} // 0) < $q{upto}) {
        my $page = $self->ask(%q);

        push @pages, $page;

        die "no way on: $page->{error}\n" if $page->{error};

        if ($q{newest_first}) {
            die "no way on\n" if $page->{examined} > $q{upto};
            $q{upto} = $page->{examined} - 1;

        } else {
            die "no way on\n" if $page->{examined} <= ($q{after} // 0);
            $q{after} = $page->{examined};
        }
    }

    return @pages;
}


sub idle {
    my ($self) = @_;

    print { $self->{to} } "idle\n";
    $self->{to}->flush;
}


sub wanted {
    my ($events, %q) = @_;

    my @ids;

    for my $event (@$events) {
        my ($id, $channel, $uuid) = @$event;

        next if $id <= ($q{after} // 0) || $id > $q{upto};
        next if defined $q{hide} && $uuid eq $q{hide};

        push @ids, $id if grep {
            my $scope = $_;

            $scope eq '/' || $channel eq ($scope =~ s{/\z}{}r)
                || ($scope =~ m{/\z} && index($channel, $scope) == 0)
        } @{ $q{scopes} };
    }

    return $q{newest_first} ? reverse @ids : @ids;
}


sub DESTROY {
    my ($self) = @_;

    local ($?, $!);

    close $self->{to};
    close $self->{from};
    waitpid $self->{pid}, 0;
}


1;
