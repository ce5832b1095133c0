# With "satisfy any" one of several rules is enough.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Socket::IP;
use MIME::Base64 qw(encode_base64);
use Test::More;

use Msgbus::Documented;


Msgbus::Nginx->limit(60);

my $nginx = Msgbus::Documented->recipe('Passwords')->start;

open my $file, '>', "$nginx->{dir}/writers" or die "writers: $!\n";
print $file "alice:{PLAIN}secret\n";
close $file;

my $stranger = $nginx->client;
my $known = $nginx->client;

$known->{sock} = IO::Socket::IP->new(LocalHost => '127.0.0.2',
                                     PeerHost => '127.0.0.1',
                                     PeerPort => $nginx->{port})
    or die "no connection from 127.0.0.2: $@\n";
$known->{sock}->blocking(0);

my @password = (Authorization => 'Basic ' . encode_base64('alice:secret', ''));
my @wrong = (Authorization => 'Basic ' . encode_base64('alice:wrong', ''));
my $channel = '/private/a';

for my $who ([], \@wrong) {
    my $r = $stranger->get("$channel?echo=true", @$who);

    is($r->status, 401, 'neither the address nor the password: 401');
    is($r->header('WWW-Authenticate'), 'Basic realm="writers"',
       '    asks for the password');
    is($r->body, '{ "message": "" }', '    as JSON');
    is($stranger->post($channel, '[1]', @$who)->status, 401, '    a POST too');
    is($stranger->get("$channel?echo=true&wait=20", @$who)->status, 401,
       '    and one that would wait');
}

is($stranger->post($channel, '[2]', @password)->status, 201, 'the password');
is($known->post($channel, '[3]')->status, 201, 'the address');
is($known->post($channel, '[4]', @password)->status, 201, 'both');
is($known->post($channel, '[5]', @wrong)->status, 201,
   'the address and a wrong password');

for my $r ($stranger->get("$channel?echo=true", @password),
           $known->get("$channel?echo=true"))
{
    is(join(' ', map { $_->{data} } @{ $r->events }), '[2] [3] [4] [5]',
       'what they posted, and nothing else, is there to read');
}

ok($stranger->{sock} && $known->{sock}, 'all on two connections');

$nginx->quit;
$nginx->no_alerts;

done_testing;
