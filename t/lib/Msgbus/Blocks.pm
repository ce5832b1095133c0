package Msgbus::Blocks;

# What the blocks of a Test::Nginx::Socket file have in common, said once in
# the file's head, so that each block shows only what matters to it.

use strict;
use warnings;

use Exporter 'import';
use IO::Socket::INET;
use Test::More ();
use Test::Nginx::Util ();

our @EXPORT = qw( defaults needs_mongodb own_bus post numbers ids row );


my $own_bus;
my $n = 0;


# A section that a block may leave out, and what it then is.  With must_die
# there is a configuration only, and what nginx says about it.
sub defaults {
    my %default = @_;

    Test::Nginx::Util::add_block_preprocessor(sub {
        my ($block) = @_;

        if (defined $block->must_die) {
            $block->set_value('suppress_stderr', '');
        }

        for my $name (sort keys %default) {
            next if defined $block->must_die && $name !~ /config/;

            if (!defined $block->$name) {
                $block->set_value($name, $default{$name});
            }
        }

        rename_bus($block) if $own_bus;
        park($block) if $ENV{TEST_NGINX_PARK};
    });
}


# The file is about MongoDB, which a build may be without.
sub needs_mongodb {
    Test::More::plan(skip_all => 'this build of the module is without MongoDB')
        if $ENV{MSGBUS_WITHOUT_MONGODB};
}


# A zone named "bus" is renamed in each block: so it begins empty there,
# although under TEST_NGINX_USE_HUP nginx is reloaded only.
sub own_bus { $own_bus = 1 }


# TEST_NGINX_PARK is as Msgbus::Nginx has it.
sub park {
    my ($block) = @_;

    my $http = $block->http_config;

    if (defined $http && !defined $block->must_die
        && $http =~ /\bmsgbus_zone\b/ && $http !~ /\bmsgbus_park\b/)
    {
        $block->set_value('http_config',
                          "msgbus_park $ENV{TEST_NGINX_PARK};\n$http");
    }
}


sub rename_bus {
    my ($block) = @_;

    $n++;

    for my $name (qw( http_config config )) {
        my $text = $block->$name;

        if (defined $text) {
            $text =~ s/\bbus\b(?=[:;])/bus$n/g;
            $block->set_value($name, $text);
        }
    }
}


# For a block's init: posts on one connection what is on the bus before the
# block's requests, which may then come a second time.  Each event is a list
# of path, JSON and, where it matters, the poster's User-Agent.
sub post {
    my @events = @_;

    my $answers = '';
    my $socket = IO::Socket::INET->new(
        PeerAddr => '127.0.0.1',
        PeerPort => Test::Nginx::Util::server_port_for_client(),
        Timeout  => 3,
    ) or die "connect: $!";

    for my $i (0 .. $#events) {
        my ($path, $json, $agent) = @{ $events[$i] };

        $agent = 'poster/1.0 uuid/w' if !defined $agent;

        print {$socket} "POST $path HTTP/1.1\r\nHost: localhost\r\n",
            "User-Agent: $agent\r\nContent-Length: ", length $json, "\r\n",
            $i == $#events ? "Connection: close\r\n" : "", "\r\n", $json;
    }

    while (sysread $socket, my $part, 65536) {
        $answers .= $part;
    }

    my $stored = () = $answers =~ m{^HTTP/1\.1 201 }mg;

    die "only $stored of ", scalar @events, " events were stored: $answers"
        if $stored != @events;
}


# for response_body_filters: the n of each {"n":1} in an answer, in order
sub numbers {
    my ($body) = @_;

    return $body if $body !~ /^\{"channel":|^\[/;
    return join ' ', $body =~ /"data":\{"n":(\d+)\}/g;
}


# for response_body_filters: the id of each event in an answer, in order
sub ids {
    my ($body) = @_;

    return $body if $body !~ /^\{"channel":|^\[/;
    return join ' ', $body =~ /\{"id":(\d+),/g;
}


# the numbers from one to another, as numbers() and ids() tell them
sub row {
    my ($from, $to) = @_;

    return join ' ', $from <= $to ? $from .. $to : reverse $to .. $from;
}


1;
