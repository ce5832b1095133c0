# Over HTTP/2 an error is sent when the body has come: nginx would reset the
# stream of a client that still sends, and clients wait then until they time
# out, or give up the whole connection.
#
# t/h2/client.py is the client.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Nginx;


my ($python) = grep { !system("$_ -c 'import h2' 2>/dev/null") }
               qw( python3 /usr/bin/python3 );

plan skip_all => 'needs python3-h2' if !$python;

Msgbus::Nginx->limit(120);

my $port = Msgbus::Nginx::free_port();
my $page = Msgbus::Nginx::free_port();

my $nginx = Msgbus::Nginx->new(
    listen   => ["127.0.0.1:$port http2"],
    http     => 'msgbus_zone zone=bus:8m; client_max_body_size 4m;
                 msgbus_zone zone=small:8m max_event_size=500;
                 server {
                     listen 127.0.0.1:' . $page . ';
                     location / { proxy_pass http://127.0.0.1:' . $page
                                  . '/body/; }
                     location /body/ { return 200 "page, $http_content_length"; }
                 }',
    location => 'client_body_timeout 2s;
                 location /       { msgbus bus; }
                 location /off/   { msgbus bus; msgbus_methods read; }
                 location /small/ { msgbus small; }
                 location /paged/ { msgbus bus; error_page 400 /page; }
                 location /page   { proxy_pass http://127.0.0.1:' . $page . ';
                                    proxy_read_timeout 5s; }',
)->start;

my $worker = join ' ', $nginx->worker_pids;
my $plain = $nginx->client(agent => 'reader/1.0 uuid/r');
my $sockets = do { $plain->get('/quiet'); $nginx->open_sockets };


sub scenario {
    my ($name) = @_;

    my $seconds = 60 * $Msgbus::Nginx::PATIENCE;

    return split /\n/, `timeout $seconds $python -B $FindBin::Bin/h2/client.py $port $name 2>&1`;
}


my @said = scenario('refused');

is(pop @said, 'then 201', 'the connection goes on');
is(scalar @said, 40, 'bodies of all sizes, with and without a length');

my %message = (
    '/bad.name' => '400 { "message": "Invalid channel name" }',
    '/health'   => '405 { "message": "Method Not Allowed" }',
    '/off/c'    => '405 { "message": "Method Not Allowed" }',
    '/small/c'  => '413 { "message": "Request Entity Too Large" }',
);

for my $path (sort keys %message) {
    is(scalar(grep { $_ eq "$path $message{$path} whole" } @said), 10,
       "$path: each is taken to its end, and then there is the error")
        or diag(join "\n", grep { /^\Q$path/ } @said);
}

is(join(', ', scenario('excess')),
   '1100000 400 False, 3000000 400 True, expect 400 True',
   'what is more than a batch may be is not waited for, nor is a client that'
   . ' waits for a 100');

# the server behind the error_page would wait for what is not there any more

is(join(', ', scenario('paged')), '400 page, 0, 400 page, 0',
   'an error_page of a server behind is asked for without the body');

is(join(', ', scenario('slow')), 'late 400, late 400, late 400',
   'one that does not go on gets the error after client_body_timeout');

$nginx->until(10, 'all other connections to be closed',
              sub { $nginx->open_sockets == $sockets });
pass('no connection is left open');

is(join(' ', $nginx->worker_pids), $worker, 'the worker is the same');

$nginx->quit;
$nginx->no_alerts;
is(join("\n", $nginx->log(0, 'error|crit')), '', 'and no [error]');

done_testing;
