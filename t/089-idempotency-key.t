# Idempotency-Key is a string of RFC 8941 or bare, of 1 to 255 bytes; anything
# else is refused, and the message says what is wrong.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Nginx;


Msgbus::Nginx->limit(60);

my $nginx = Msgbus::Nginx->new(
    http     => 'msgbus_zone zone=bus:4m first_id=1;',
    location => 'location / { msgbus bus; }',
)->start;

my $client = $nginx->client(agent => 'poster/1.0');

my $byte = 'Idempotency-Key has a byte that it may not have';
my $quote = 'Idempotency-Key has no quote at its end';
my $behind = 'Idempotency-Key goes on behind its string';
my $escape = 'Idempotency-Key has a backslash that escapes nothing';
my $empty = 'Empty Idempotency-Key';
my $long = 'Idempotency-Key is longer than 255 bytes';

for (
    [''                  => $empty],
    ['""'                => $empty],
    ['"'                 => $quote],
    ['"abc'              => $quote],
    ['"abc\\'            => $quote],
    ['"abc\\"'           => $quote],
    ['"abc" x'           => $behind],
    ['"abc"; a=1'        => $behind],
    ['"abc", "def"'      => $behind],
    ['"a\\bc"'           => $escape],
    ["\"a\tb\""          => $byte],
    ["\"a\x7fb\""        => $byte],
    ["\"a\xc3\xa9b\""    => $byte],
    ["\xc3\xa9"          => $byte],
    ['a b'               => $byte],
    ['a"b'               => $byte],
    ['a\\b'              => $byte],
    ['abc, def'          => $byte],
    ['abc;a=1'           => $byte],
    ['"' . 'x' x 256 . '"' => $long],
    ['x' x 256           => $long],
) {
    my ($key, $message) = @$_;
    my $r = $client->post('/none', '{}', 'Idempotency-Key' => $key);

    is($r->status . ' ' . $r->body, "400 { \"message\": \"$message\" }",
       'refused: ' . substr($key, 0, 20) =~ s/([^ -~])/sprintf '\x%02x', ord $1/ger);
    is($r->header('Msgbus-Stored'), 'none', 'and nothing is stored');
}

for (['a', 'b'], ['a', 'a'], ['a', ''], ['', 'a']) {
    my $r = $client->post('/none', '{}', map { ('Idempotency-Key' => $_) } @$_);

    is($r->body, '{ "message": "More than one Idempotency-Key" }',
       "refused: two of them, '@$_'");
}

is($client->get('/none')->status, 204, 'nothing was stored indeed');

# the same key in several forms, and others that only look like it

my %first;

for (
    [uuid    => '"8e03978e-40d5-43dd-bc93-6894a57f9324"',
                '8e03978e-40d5-43dd-bc93-6894a57f9324',
                "  \"8e03978e-40d5-43dd-bc93-6894a57f9324\" \t"],
    [Uuid    => '"8E03978e-40d5-43dd-bc93-6894a57f9324"'],
    [one     => 'x', '"x"'],
    [escapes => '"a\\"b\\\\c"'],
    [spaces  => '" x "'],
    [inside  => '"x x"'],
    [signs   => q{!#$%&'()*+-./:<=>?@[]^_`{|}~}, q{"!#$%&'()*+-./:<=>?@[]^_`{|}~"}],
    [listed  => '"a,b;c"'],
    [longest => '"' . 'x' x 255 . '"', 'x' x 255],
    [escaped => '"' . '\\"' x 255 . '"'],
) {
    my ($name, @forms) = @$_;

    for my $key (@forms) {
        my $r = $client->post('/kept', '{}', 'Idempotency-Key' => $key);

        is($r->status, 201, "taken: $name") or diag($r->body);
        is($r->header('Idempotency-Replayed'),
           exists $first{$name} ? 'true' : undef, 'as new, or not');
        is($r->id, $first{$name} //= $r->id, 'with its one id');
    }
}

is(keys %{{ reverse %first }}, keys %first, 'each key has an id of its own');

$nginx->quit;
$nginx->no_alerts;

done_testing;
