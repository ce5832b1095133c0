# A database that wants a password, and TLS.  What is wrong is said in the
# health report, and the password is not.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Mongodb;


Msgbus::Nginx->limit(120);

my $mongodb = Msgbus::Mongodb->new(ferretdb => 1)->start;

$mongodb->ask(command => { command => {
    createUser => 'bus', pwd => 's3cret!',
    roles => [{ role => 'readWriteAnyDatabase', db => 'admin' },
              { role => 'clusterAdmin', db => 'admin' }],
} });

my $dir = $mongodb->{dir};

sub certificate {
    my ($name) = @_;

    my $said = `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 \\
                    -nodes -days 2 -subj /CN=$name -batch \\
                    -addext subjectAltName=IP:127.0.0.1 \\
                    -keyout $dir/$name.key -out $dir/$name.pem 2>&1`;

    die "openssl: $said" if $?;

    return;
}

certificate($_) for qw(server other);

# another server on the same data: it wants both

my $tls = Msgbus::Nginx::free_port();

$mongodb->{options} = ["--listen-tls=127.0.0.1:$tls",
                       "--listen-tls-cert-file=$dir/server.pem",
                       "--listen-tls-key-file=$dir/server.key"];

my ($plain) = $mongodb->another_server =~ /:(\d+)/;


# a node with this URI: its health, as soon as it is ok, or this error is known;
# before, it may be told of another, for a server is slow to begin

sub node {
    my ($uri, $error) = @_;

    my $nginx = $mongodb->node(uri => $uri)->start;
    my ($status, $report);

    eval {
        $mongodb->until(15, 'a verdict on the database', sub {
            my $said;

            ($status, $report) = $mongodb->health($nginx);
            $said = $report->{mongodb}{error} // '';

            return $status == 200
                || $error && $said =~ $error
                   && $said !~ /has not answered yet/;
        });
    };

    return ($nginx, $status, $report);
}


sub well {
    my ($title, $uri, $shown) = @_;

    my ($nginx, $status, $report) = node($uri);

    is($status, 200, $title) || diag explain $report;
    is($report->{mongodb}{uri}, $shown, 'the password is not shown');

    my $id = $nginx->client->post('/a', '{}')->id;

    is($mongodb->ask(count => { _id => 0 + $id }), 1, 'events are stored');
    ends($nginx);

    return;
}


sub refused {
    my ($title, $uri, $error) = @_;

    my ($nginx, $status, $report) = node($uri, $error);

    is($status, 503, $title);
    like($report->{mongodb}{error}, $error, 'the report says why');
    ends($nginx);

    return;
}


# nothing of what it has written names a password

sub ends {
    my ($nginx) = @_;

    my (undef, $report) = $mongodb->health($nginx);
    my $said = join "\n", $nginx->said(0),
                          JSON::PP->new->encode($report);

    unlike($said, qr/s3cret|wr0ng/, 'no password in the report or the log');
    $nginx->quit;
    $nginx->no_alerts;

    return;
}


my $options = 'authMechanism=SCRAM-SHA-256';
my $ca = "tls=true&tlsCAFile=$dir/server.pem";

well('with the password',
     "mongodb://bus:s3cret%21\@127.0.0.1:$plain/?$options",
     "mongodb://bus:***\@127.0.0.1:$plain/?$options");

well('with the password, and TLS',
     "mongodb://bus:s3cret%21\@127.0.0.1:$tls/?$options&$ca",
     "mongodb://bus:***\@127.0.0.1:$tls/?$options&$ca");

refused('with a wrong password',
        "mongodb://bus:wr0ng\@127.0.0.1:$plain/?$options",
        qr/auth/i);

refused('with none', "mongodb://127.0.0.1:$plain/", qr/auth/i);

refused('with TLS, and a certificate that nobody knows',
        "mongodb://bus:s3cret%21\@127.0.0.1:$tls/?$options&tls=true"
        . "&tlsCAFile=$dir/other.pem", qr/tls|certificate/i);

refused('without TLS where it is wanted',
        "mongodb://bus:s3cret%21\@127.0.0.1:$tls/?$options", qr/./);

done_testing;
