# contrib/nginx/msgbus.conf, which the Debian package has as an example, is a
# bus as it is: what is published is in the journal, and there after a restart;
# the commands of its comment work; its pages of status and health answer.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Client;
use Msgbus::Nginx;


Msgbus::Nginx->limit(60);

my $example = Msgbus::Nginx::slurp("$FindBin::Bin/../contrib/nginx/msgbus.conf");
my $nginx = Msgbus::Nginx->new(workers => 2);
my $port = Msgbus::Nginx::free_port();

# another folder and another port than on a user's machine, no more

my $text = $example;

is($text =~ s{/var/lib/msgbus/journal}{$nginx->{dir}/journal}g, 1,
   'the folder is named once');
is($text =~ s{listen 127\.0\.0\.1:8080;}{listen 127.0.0.1:$port;}, 1,
   'it listens for this machine alone');

$nginx->{http} = $text;
$nginx->start;

# the commands of the comment

my @commands = $example =~ /^# +(curl .*)$/mg;
my @said;

for my $command (@commands) {
    (my $here = $command) =~ s/127\.0\.0\.1:8080/127.0.0.1:$port/;

    $nginx->until(20, 'the bus to be there', sub {
        my $answer = `$here -sS --fail-with-body 2>&1`;

        push @said, $answer if $? == 0;
        return $? == 0;
    });
}

is(scalar @commands, 2, 'there are two commands');
like($said[1] // '', qr/"data":\{"order":1\}/, 'one publishes, the other reads it');

my $client = Msgbus::Client->new(to => "127.0.0.1:$port", agent => 'reader');

$nginx->quit;
$nginx->start;

$nginx->until(20, 'the journal to be read', sub {
    return $client->get('/bus/orders')->status == 200;
});

like($client->get('/bus/orders')->body, qr/"data":\{"order":1\}/,
     'it is there after a restart');
is($client->get('/health')->status, 200, 'the health check is fine');
like($client->get('/status', Accept => 'text/plain')->body,
     qr/^msgbus_published_events_total\{zone="bus"\} /m, 'Prometheus has numbers');
like($client->get('/status', Accept => 'text/html')->body, qr/<html/,
     'a browser has a page');

$nginx->quit;
$nginx->no_alerts;

done_testing;
