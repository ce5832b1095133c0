# What is posted is JSON, or it is refused; what is rendered is JSON.
#
# The check of src/base/ngx_msgbus_json.c against a plain reader of RFC 8259, under
# the address and the undefined behaviour sanitizer: t/unit/json_check.c.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/unit";

use Test::More;

use Unit;


plan skip_all => Unit->lacks if Unit->lacks;

my @parts = (
    table     => 'the corners of RFC 8259 are taken or refused as it says',
    utf8      => 'bytes are taken if and only if they are UTF-8',
    escape    => 'what is escaped can stand in JSON, and can be taken back',
    depth     => 'nesting is limited to each depth from 1 to 1000',
    truncated => 'what ends too early is refused, within the memory foreseen',
    random    => 'garbage and spoiled texts are judged as by a plain reader',
);

plan tests => @parts / 2;

my @sanitize = Unit->takes(@Unit::SANITIZE) ? @Unit::SANITIZE : qw( -g -O1 );

my $program = Unit->new('json_check')
    ->compile([qw( json json_check undo unit )], \@sanitize)
    ->link(@sanitize, '-lyajl');

my %title = @parts;
my @names = @parts[map { 2 * $_ } 0 .. $#parts / 2];
my %started = map { ($_ => $program->start($_)) } @names;

for my $part (@names) {
    my $run = $started{$part}->();

    ok($run->{ok}, $title{$part});
    note("$part: ", $run->{said}{checks} // 'no', ' checks');
}
