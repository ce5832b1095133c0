# A password may be asked of those who post only.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use MIME::Base64 qw(encode_base64);
use Test::More;

use Msgbus::Documented;


Msgbus::Nginx->limit(60);

my $nginx = Msgbus::Documented->recipe('Passwords')->start;

open my $file, '>', "$nginx->{dir}/writers" or die "writers: $!\n";
print $file "alice:{PLAIN}secret\n";
close $file;

my $client = $nginx->client;


sub password {
    my ($user) = @_;

    return (Authorization => 'Basic ' . encode_base64($user, ''));
}


for my $who ([], [password('alice:wrong')], [password('bob:secret')],
             [Authorization => 'Bearer secret'])
{
    for my $body ('[1]', '[', ['[1', ']'], '[' . ' ' x 500_000 . ']') {
        my $r = $client->post('/a', $body, @$who);

        is($r->status, 401, 'a POST without the password');
        is($r->header('WWW-Authenticate'), 'Basic realm="writers"',
           '    is asked for it');
        is($r->body, '{ "message": "" }', '    as JSON');
    }
}

is($client->request('DELETE', '/a')->status, 401, 'so is what is no GET');
is($client->get('/a?echo=true')->status, 204, 'a GET is not');
is($client->head('/a?echo=true')->status, 204, 'nor a HEAD');
is($client->options('/a')->status, 204, 'nor OPTIONS');
is($client->get('/health')->status, 200, 'nor /health');
is($client->get('/a?method=POST&post-data=[2]&callback=f')->status, 405,
   'a GET does not post');
ok($client->{sock}, 'all on one connection');

is($client->post('/a', '[3]', password('alice:secret'))->status, 201,
   'a POST with the password');
is($client->request('PUT', '/a', '[]', password('alice:secret'))->status, 405,
   'what is no GET is then told so');

my $r = $client->get('/a?echo=true');

is(join(' ', map { $_->{data} } @{ $r->events }), '[3]',
   'nothing else was stored');

$nginx->quit;
$nginx->no_alerts;

done_testing;
