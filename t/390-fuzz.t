# What a client can send in any form is read as plain readers read it, and
# without a wrong access, whatever it is.
#
# The harnesses of t/fuzz/, each for FUZZ_SECONDS (3 by default), beginning
# with the inputs of t/fuzz/corpus/ and those that earlier runs have kept.

use strict;
use warnings;

use FindBin;

use Test::More;


my $root = "$FindBin::Bin/..";
my $build = $ENV{BUILD} || 'build';

$build = "$root/$build" if $build !~ m{^/};

plan skip_all => 'libFuzzer needs clang'
    if system("command -v '" . ($ENV{FUZZ_CC} || 'clang') . "' > /dev/null");
plan skip_all => 'the headers need what nginx\'s configure makes: run "make"'
    if ! -f "$build/ngx_auto_config.h";

my $seconds = $ENV{FUZZ_SECONDS} // 3;

my @harnesses = (
    agent   => 'a User-Agent of any bytes has its uuid, and is shown in JSON',
    batch   => 'a batch is stored line by line, or its bad line is named',
    channel => 'a channel is taken if it is one, with the levels that it has',
    escape  => 'what is escaped can stand in a JSON string, and is the same',
    journal => 'whatever stands in a journal, nothing else is read',
    json    => 'what is taken as JSON is what RFC 8259 says',
    jsonp   => 'a JSONP answer calls a name, with the text that there was',
    query   => 'arguments and preferences mean what the documents say',
);

my %title = @harnesses;

is(join(' ', split ' ', `"$root/tools/fuzz" -l`), join(' ', sort keys %title),
   'these are all harnesses');

# two at a time, for each keeps one core busy

my @names = sort keys %title;

while (my @pair = splice @names, 0, 2) {
    my %run;

    for my $name (@pair) {
        open $run{$name}, '-|', qq("$root/tools/fuzz" -s $seconds $name 2>&1)
            or die "cannot run tools/fuzz: $!\n";
    }

    for my $name (@pair) {
        my $said = do { local $/; readline $run{$name} };

        close $run{$name};
        ok($? == 0, $title{$name}) ? note($said) : diag($said);
    }
}

done_testing;
