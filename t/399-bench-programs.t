# Each program of the benchmarks compiles as it is, and the writers of bench/store
# write: what a benchmark says is of the module that is here.

use strict;
use warnings;

use File::Temp qw(tempdir);
use FindBin;

use JSON::PP ();
use Test::More;


my $bench = "$FindBin::Bin/../bench";

sub python {
    my ($code, @args) = @_;

    open my $out, '-|', 'python3', '-B', '-c',
         "import sys; sys.path.insert(0, '$bench')\n$code", @args
        or die "python3: $!\n";

    my $said = do { local $/; <$out> // '' };

    return close $out ? $said : undef;
}

my $paths = python(<<'END');
import json, programs
print(json.dumps({name: programs.compiled(name) for name in programs.PROGRAMS}))
END

ok($paths, 'all programs compile')
    or do { done_testing; exit };

my %program = %{ JSON::PP::decode_json($paths) };

my $folder = tempdir(CLEANUP => 1);
my @writers = map { mkdir "$folder/$_", 0700; "$_=$folder/$_" }
              qw( files journal sqlite lmdb );

open my $out, '-|', $program{writers}, 8, '0.1', @writers or die "writers: $!\n";
my $said = JSON::PP::decode_json(do { local $/; <$out> // '{}' });
ok(close $out, 'those of bench/store write, a batch of 8 at a time');

for my $writer (qw( files journal sqlite lmdb )) {
    my $got = $said->{$writer};

    cmp_ok($got->{events} // 0, '>', 0, "$writer: events are written");
    cmp_ok($got->{p50_us} // 0, '>', 0, '    in some time');
}

done_testing;
