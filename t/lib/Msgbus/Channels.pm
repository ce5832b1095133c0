package Msgbus::Channels;

# What msgbus_channels says of a bus, page by page, and how long it takes until
# it says something.
#
#     my $list = Msgbus::Channels->new(nginx => $nginx, uri => '/channels');
#     my $channels = $list->all;               # name => its object
#     $list->until(1, 'two', sub { $list->readers('/a') eq '0 2 0 0' });
#
# readers() are those of a channel's own, long-polls and streams, and those of
# its tree, likewise; sum() of all channels.

use strict;
use warnings;

use Msgbus::Client;


sub new {
    my ($class, %o) = @_;

    return bless { uri => '/channels', limit => 1_000, %o }, $class;
}


# a connection of its own, so that it may be any worker

sub page {
    my ($self, @args) = @_;

    my $r = $self->{nginx}->client(agent => 'who/1.0')
                 ->get("$self->{uri}?" . join '&', "limit=$self->{limit}", @args);

    die 'no list: ', $r->status, ' ', $r->error // '', "\n" if $r->status != 200;

    return $r->json;
}


sub all {
    my ($self, @args) = @_;

    my (%channels, $next);

    $self->{incomplete} = 0;

    do {
        my $page = $self->page(@args, defined $next ? "after=$next" : ());

        $channels{$_->{channel}} = $_ for @{ $page->{channels} };
        $self->{incomplete} ||= $page->{incomplete};
        $next = $page->{next};
    } while defined $next;

    return \%channels;
}


sub numbers {
    my ($channel) = @_;

    return map { $_->{long_poll}, $_->{stream} }
               @$channel{qw( subscribers tree_subscribers )};
}


sub readers {
    my ($self, $channel) = @_;

    my $found = $self->all->{$channel} or return 'none';

    return join ' ', numbers($found);
}


sub sum {
    my ($self) = @_;

    my $n = 0;

    $n += $_ for map { numbers($_) } values %{ $self->all };

    return $n;
}


# The seconds after which it is true; or undef, after so many, and more where
# TEST_NGINX_PATIENCE says so.

sub until {
    my ($self, $seconds, $is_true) = @_;

    my $began = Msgbus::Client::now();
    my $took = 0;

    while (!$is_true->()) {
        $took = Msgbus::Client::now() - $began;

        return undef if $took > $seconds * $Msgbus::Nginx::PATIENCE;

        Time::HiRes::sleep(0.02);
    }

    return $took;
}


1;
