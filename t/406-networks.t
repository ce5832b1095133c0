# allow and deny say who may read, and in limit_except who may post.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Socket::IP;
use Test::More;

use Msgbus::Documented;


Msgbus::Nginx->limit(60);

my $nginx = Msgbus::Documented->recipe('Networks');

# a network that is not let in
$nginx->{text} =~ s{allow 127\.0\.0\.0/8;}{allow 127.0.0.0/29;} or die;
$nginx->start;


# a client at an address

sub from {
    my ($host) = @_;

    my $client = $nginx->client;

    $client->{sock} = IO::Socket::IP->new(LocalHost => $host,
                                          PeerHost => '127.0.0.1',
                                          PeerPort => $nginx->{port})
        or die "no connection from $host: $@\n";

    $client->{sock}->blocking(0);

    return $client;
}


my ($stranger, $reader, $poster) =
    map { from("127.0.0.$_") } 9, 1, 2;


sub is_refused {
    my ($title, $r) = @_;

    is($r->status, 403, "$title is refused");
    is($r->body, '{ "message": "" }', '    as JSON');
    is($r->header('Content-Type'), 'application/json; charset=utf-8',
       '    that says so');
}


is_refused('a POST of a stranger', $stranger->post('/a', '[1]'));
is_refused('a GET of a stranger', $stranger->get('/a?echo=true'));
is($stranger->head('/a?echo=true')->status, 403, 'a HEAD too');

is_refused('a POST of a reader', $reader->post('/a', '[2]'));
is_refused('a large POST of a reader',
           $reader->post('/a', '[' . ' ' x 500_000 . ']'));
is_refused('a POST in chunks of a reader',
           $reader->post('/a', [('[', ' ' x 50_000, ']')]));
is_refused('a POST of what is no JSON', $reader->post('/a', '['));
is_refused('a PUT of a reader', $reader->request('PUT', '/a', '[]'));

ok($_->{sock}, 'the connection lives on') for $stranger, $reader;

is($reader->get('/a?echo=true')->status, 204, 'a reader reads');
is($reader->head('/a?echo=true')->status, 204, 'by HEAD too');
is($reader->options('/a')->status, 204, 'and may ask for OPTIONS');

my $r = $reader->get('/a?method=POST&post-data=[3]&callback=f');

is($r->status, 405, 'but does not post by GET');

is($poster->post('/a', '[4]')->status, 201, 'a poster posts');
is($reader->get('/a?echo=true')->events->[0]{data}, '[4]',
   'and nothing else is stored');

$nginx->quit;
$nginx->no_alerts;

done_testing;
