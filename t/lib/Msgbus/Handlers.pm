package Msgbus::Handlers;

# All that the module answers with, as the shortest requests that ask for it:
# for tests that send each of them through some way, and compare.
#
#     for my $h (Msgbus::Handlers->all) {
#         my @request = Msgbus::Handlers->request($h, '/bus', '/health-of-bus');
#
# {name}; {method}, {path} below the location, {body}, {headers}; {status} of
# the plain answer; {held}: "wait" or "stream", where it stands until something
# comes; {own}: the location has msgbus_health instead of msgbus.
#
# The locations need msgbus_require_uuid off and msgbus_jsonp on; on /full of
# each there is an event, on /none there is none.

use strict;
use warnings;


my @sse = (Accept => 'text/event-stream');
my @ndjson = (Accept => 'application/x-ndjson');
my @batch = ('Content-Type' => 'application/x-ndjson');

my @all = (
    [ 'a POST', POST => '/posted', '{"a":1}', 201 ],
    [ 'a POST that is to be shown', POST => '/posted', '{"a":1}', 201,
      headers => [ Prefer => 'return=representation' ] ],
    [ 'a POST with a callback', POST => '/posted?callback=f', '{"a":1}', 200 ],
    [ 'a batch', POST => '/posted', "{\"a\":1}\n[2]\n", 201,
      headers => \@batch ],
    [ 'a POST of no JSON', POST => '/posted', '{"a":', 400 ],
    [ 'a POST to no channel', POST => '/a.b', '{"a":1}', 400 ],
    [ 'a page', GET => '/full', undef, 200 ],
    [ 'a page of nothing', GET => '/none', undef, 204 ],
    [ 'a page with a bad number', GET => '/full?max-events=x', undef, 400 ],
    [ 'HEAD', HEAD => '/full', undef, 200 ],
    [ 'a page by JSONP', GET => '/full?callback=f', undef, 200 ],
    [ 'a POST by JSONP', GET => '/posted?callback=f&method=POST&post-data=[1]',
      undef, 200 ],
    [ 'a wait that ends at once', GET => '/full?wait=10', undef, 200 ],
    [ 'a wait', GET => '/none?wait=20', undef, 204, held => 'wait' ],
    [ 'SSE', GET => '/full', undef, 200, held => 'stream',
      headers => \@sse ],
    [ 'NDJSON', GET => '/full', undef, 200, held => 'stream',
      headers => \@ndjson ],
    [ 'OPTIONS', OPTIONS => '/full', undef, 204 ],
    [ 'PUT', PUT => '/full', '{}', 405 ],
    [ 'health', GET => '/health', undef, 200 ],
    [ 'msgbus_health', GET => '', undef, 200, own => 1 ],
    [ 'msgbus_health, verbose', GET => '?verbose=true', undef, 200, own => 1 ],
    [ 'OPTIONS of msgbus_health', OPTIONS => '', undef, 204, own => 1 ],
    [ 'POST to msgbus_health', POST => '', '{}', 405, own => 1 ],
);


sub all {
    return map {
        my ($name, $method, $path, $body, $status, @more) = @$_;

        { name => $name, method => $method, path => $path, body => $body,
          status => $status, headers => [], held => '', own => 0, @more };
    } @all;
}


# As Msgbus::Client's request() and format() take it; $health is the location
# of msgbus_health.

sub request {
    my ($class, $h, $location, $health) = @_;

    return ($h->{method}, ($h->{own} ? $health : $location) . $h->{path},
            $h->{body}, @{ $h->{headers} });
}


# What an answer is, but for what differs from one to the next: ids, ages,
# times, the names of the locations; and its framing and its
# ETag, which filters change.

sub shape {
    my ($class, $r, @names) = @_;

    return $r->error if $r->failure;

    my $text = join '', sort grep { !/^(?:Date|Server|HTTP|Content-Length|
                              Transfer-Encoding|Accept-Ranges|ETag)/xi }
               split /^/, $r->{head};

    $text = $r->status . "\n$text\n" . $r->body;

    for ($text) {
        s/"created_at":"[^"]+"/"created_at":T/g;
        s/("(?:id|age|ping|last_id|events|rtt_ms)":)\d+/$1N/g;
        s/^((?:Msgbus-(?:Last-)?Id): |id: )\d+/$1N/mg;
        s/\b(?:ids":\[)\K[\d,]+/N/g;
        s/\Q$_\E//g for @names;
    }

    return $text;
}


1;
