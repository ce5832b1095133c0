# Each line that the module can write into the error log is explained in
# docs/operations.md, with its level, and each message of an error in
# docs/http-api.md; and those documents know of no others.

use strict;
use warnings;

use FindBin;
use Test::More;


chdir "$FindBin::Bin/.." or die "no project folder: $!\n";


sub slurp {
    my ($file) = @_;

    open my $in, '<', $file or die "$file: $!\n";
    local $/;

    return scalar <$in>;
}


# what a call's literals are together, nginx's own macros among them

my %macro = ( ngx_open_file_n => 'open()', ngx_read_fd_n => 'read()',
              ngx_close_file_n => 'close()' );

sub text_of {
    my ($literals) = @_;

    my $text = '';

    while ($literals =~ /"((?:[^"\\]|\\.)*)"|(\w+)/g) {
        my $part = defined $1 ? $1 : $macro{$2} // die "what is $2?\n";

        $part =~ s/\\(.)/$1/g;
        $text .= $part;
    }

    return $text;
}


# what a format can become

sub pattern_of {
    my ($format) = @_;

    return join '.*', map { quotemeta s/%%/%/gr }
           split /(?<!%)%(?:[Vs]|u?[zdLi]|M)/, $format, -1;
}


my $literal = qr/(?:"(?:[^"\\\n]|\\.)*"|ngx_\w+_n\b)/;
my $call = qr/ngx_(?: (?:conf_)? log_error \( \s*
                     | msgbus_tell \( [^;"]*? \b )
              NGX_LOG_(\w+) \s* , [^;"]*?
              ( $literal (?: \s* $literal )* )/x;

my %level = ( EMERG => 'emerg', ALERT => 'alert', CRIT => 'crit',
              ERR => 'error', WARN => 'warn', NOTICE => 'notice',
              INFO => 'info' );

my (%line, %message, %numbered);

for my $file (glob '*.c src/*/*.c') {
    my $code = slurp($file);

    $code =~ s{/\*.*?\*/}{}gs;

    # the one that writes what the others say

    next if $file eq 'src/base/ngx_msgbus_tell.c';

    my $calls = () = $code =~ /\bngx_(?:(?:conf_)?log_error|msgbus_tell)\(/g;
    my $found = 0;

    while ($code =~ /$call/g) {
        $line{ text_of($2) } = $level{$1} // die "$file: level $1?\n";
        $found++;
    }

    is($found, $calls, "$file: each line for the error log is understood");

    $message{ text_of($1) } = $file
        while $code =~ /_refuse\((?:ctx|pass), [^"]*?((?:"[^"]+"\s*)+)\)/gs;

    # those with a number in them

    $numbered{$1} = pattern_of($1) while $code =~ /"([^"]*%ui[^"]*)%Z"/g;
}


# --- the error log

my $operations = slurp('docs/operations.md');

my @rows = $operations =~ /^\| `(.+?)` \| (emerg|alert|crit|error|warn|notice|info) \|/mg;
my %row;

while (my ($said, $level) = splice @rows, 0, 2) {
    $row{$said} = $level;
}

ok(%row, 'docs/operations.md explains lines of the error log');

my %used;

for my $format (sort keys %line) {
    my $pattern = pattern_of($format);

    my @said = grep { /^$pattern$/ && $row{$_} eq $line{$format} }
               sort keys %row;

    ok(scalar @said, "docs/operations.md has, as $line{$format}: $format");
    $used{$_} = 1 for @said;
}

for my $said (sort keys %row) {
    ok($used{$said}, "the module can write: $said");
}


# --- errors

my $api = slurp('docs/http-api.md');

my ($table) = $api =~ /^## Errors\n(.*?)^## /ms;
my %known = map { $_ => 1 } $table =~ /`([^`]+)`/g;

for my $text (sort keys %message) {
    ok($known{$text}, "docs/http-api.md has the error: $text");
}

for my $format (sort keys %numbered) {
    ok(scalar(grep { /^$numbered{$format}$/ } keys %known),
       "docs/http-api.md has the error: $format");
}

my $sources = join '', map { slurp($_) } glob 'src/*/*.c';

$sources =~ s/"\s*\n\s*"//g;

for my $row ($table =~ /^\| \d+.*?\| ([^|]*) \|/mg) {
    for my $text ($row =~ /`([^`]+)`/g) {
        ok($sources =~ /"\Q$text\E"/
           || grep({ $text =~ /^$_$/ } values %numbered),
           "the module can say: $text");
    }
}

done_testing;
