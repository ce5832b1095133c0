package Msgbus::Fake;

# A MongoDB that does as it is told (fake.py beside this file), where a real one
# would have to be lucky: odd documents, limits, refusals, a narrow path.  A node
# of the bus on it is made as on a real one, Msgbus::Mongodb.
#
#     my $fake = Msgbus::Fake->new->start;
#     my $nginx = $fake->node->start;
#
#     $fake->set(hello => { maxWriteBatchSize => 2 });   what hello says
#     $fake->set(refused => [['poison', 121, {}]]);      documents with this in
#                                   their data, by this error, and more of it
#     $fake->set(rate => 2e6);      so many bytes a second, requests' only
#     $fake->set(away => 1);        nothing is taken or answered
#     $fake->set(unreadable => 9);  reads behind such ids are cut off
#     $fake->set(locked => 1);      writes wait for a lock, as long as they say
#     $fake->set(mute => 1);        inserts are done, and not answered
#     $fake->set(skip_cost => 0.1); a find takes so many seconds for each
#                                   document that it skips
#     $fake->set(late => 0.5);      the answer to a find comes so late
#
#     $fake->put({ _id => Msgbus::Fake::long(7), ... });
#     $fake->remove({ ... }); $fake->change({ ... }, { ... });
#     $fake->set(no_unique => 1);   no unique index is made
#     $fake->set(patternless => 'x');   a duplicate is told without its keyPattern,
#                                   with this in its text; "mute": with nothing
#     $fake->indexes                that were made
#     $fake->documents, $fake->documents('counters'), $fake->ids
#     $fake->set(wide => 1000);     a find over more ids is refused: it takes
#                                   too long
#     $fake->set(expires => 9);     such ids leave behind the next find
#
#     $fake->finds                  what was looked for since the last time
#     $fake->limits                 maxTimeMS of what writes
#     $fake->counts                 commands so far, by name; "largest" insert

use strict;
use warnings;

use IPC::Open2 qw(open2);
use JSON::PP ();

use Msgbus::Child;
use Msgbus::Mongodb;
use Msgbus::Nginx;


our @ISA = ('Msgbus::Child', 'Msgbus::Mongodb');

my $json = JSON::PP->new->utf8->canonical->allow_nonref;
my ($script) = map { s/Fake\.pm$/fake.py/r } __FILE__;


# Values of BSON's own types: an int64, a double, a time, an ObjectId.

sub long { return { '$long' => "$_[0]" } }

sub double { return { '$double' => $_[0] } }

sub date { return { '$date' => "$_[0]" } }

sub object_id { return { '$id' => $_[0] } }


sub new {
    my ($class) = @_;

    Msgbus::Mongodb::with_mongodb();

    return $class->adopt(kind => 'fake', database => 'fake');
}


sub start {
    my ($self) = @_;

    $self->{port} = Msgbus::Nginx::free_port();

    # Debian's, which has Debian's pymongo, before another in $PATH
    my ($python) = grep { -x } '/usr/bin/python3', '/usr/bin/env';

    $self->{pid} = open2(my $from, my $to,
                         $python, $python =~ /env$/ ? 'python3' : (),
                         '-W', 'ignore', $script, $self->{port});
    $to->autoflush;
    @$self{qw(from to)} = ($from, $to);

    $self->counts;

    return $self;
}


# One line there, one line back; dies of what went wrong.

sub tell {
    my ($self, $what, %with) = @_;

    print { $self->{to} } $json->encode([$what, \%with]), "\n";

    my $line = readline($self->{from}) // die "the fake MongoDB has ended\n";
    my $answer = $json->decode($line);

    die "$answer->{error}\n" if defined $answer->{error};

    return $answer->{result};
}


sub set { my $self = shift; return $self->tell(set => @_) }

# The maxTimeMS of all commands that write, by name; 0: none.

sub limits {
    my ($self) = @_;

    return $self->tell('limits');
}


sub counts {
    my ($self) = @_;

    return $self->tell('counts');
}


sub finds {
    my ($self) = @_;

    return @{ $self->tell('finds') };
}


sub put {
    my ($self, @documents) = @_;

    return $self->tell(put => database => $self->{database},
                       documents => \@documents);
}


# With the id that is next, as another node would.

sub append {
    my ($self, %event) = @_;

    return $self->tell(append => database => $self->{database},
                       document => $self->event(1, %event));
}


# What Msgbus::Mongodb asks a plain driver for.

sub ask {
    my ($self, $what) = @_;

    die "a fake can not $what" if $what ne 'find';

    return [$self->documents];
}


# An event as another node has written it; a whole number as _id is an int64.

sub event {
    my ($self, $id, %more) = @_;

    return { _id => $id =~ /^-?\d+\z/ ? long($id) : $id, channel => '/a', data => '{}',
             user_agent => 'x', uuid => 'x',
             created_at => date(int(1000 * time)), %more };
}


sub indexes {
    my ($self) = @_;

    return @{ $self->tell(indexes => database => $self->{database}) };
}


sub documents {
    my ($self, $collection) = @_;

    return @{ $self->tell(get => database => $self->{database},
                          collection => $collection // 'events') };
}


# Of all events, in BSON's order.

sub ids { return map { $_->{_id} } $_[0]->documents }


sub remove {
    my ($self, $query) = @_;

    return $self->tell(remove => database => $self->{database},
                       query => $query);
}


sub change {
    my ($self, $query, $values) = @_;

    return $self->tell(change => database => $self->{database},
                       query => $query, values => $values);
}


1;
