# Each line that the module can write into the error log is explained in
# docs/troubleshooting.md, with its level, its cause and what to do, and each message
# of an error in docs/http-api.md, those that are no client's fault in the former,
# too; and those documents know of no others.  What may be told again and again is
# bounded: it goes through ngx_msgbus_tell(), or is one of those named below.

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

# Lines at notice and above that need no limit: once for a process that starts or
# dies of it, or a caller that has asked for its turn.

my %bounded = map { $_ => 1 } (
    'msgbus has changed more in a step than it can take back',
    'getrandom() failed',
    'msgbus journal "%s" is full: %uL bytes of events left it before their ttl, '
        . 'raise its size or lower the ttl',
    'no room%s: %uL events left it before their ttl, '
        . 'enlarge the zone or lower its ttl',
    'no room%s: %uL events were refused, enlarge the zone or lower its ttl',
    '%uL keys are forgotten%s, their events left before their ttl: a post '
        . 'with one of them is stored again',
    'msgbus has no room for %uL events of the store%s, the last one is %uL',
    'msgbus uses its store%s again, after %uL failures',
    'msgbus reads history from "%V" again',
    'eventfd() failed for msgbus zone "%V", which needs %d descriptors',
    'close() "%V" failed',
);
my %unbounded;

for my $file (glob '*.c src/*/*.c') {
    my $code = slurp($file);

    $code =~ s{/\*.*?\*/}{}gs;

    # the one that writes what the others say

    next if $file eq 'src/base/ngx_msgbus_tell.c';

    my $calls = () = $code =~ /\bngx_(?:(?:conf_)?log_error|msgbus_tell)\(/g;
    my $found = 0;

    while ($code =~ /$call/g) {
        my ($level, $text) = ($1, text_of($2));

        $line{$text} = $level{$level} // die "$file: level $level?\n";
        $found++;

        $unbounded{$text} = $file
            if $& =~ /^ngx_log_error/ && $level !~ /^(?:INFO|DEBUG)/
               && $file !~ m{/ngx_msgbus_zone\.c$};
    }

    is($found, $calls, "$file: each line for the error log is understood");

    $message{ text_of($1) } = $file
        while $code =~ /_refuse\((?:ctx|pass), [^"]*?((?:"[^"]+"\s*)+)\)/gs;

    # those with a number in them

    $numbered{$1} = pattern_of($1) while $code =~ /"([^"]*%ui[^"]*)%Z"/g;
}


# --- the error log

my $page = slurp('docs/troubleshooting.md');

my @rows = $page =~ /^\| `(.+?)` \| (emerg|alert|crit|error|warn|notice|info) \|/mg;
my %row;

while (my ($said, $level) = splice @rows, 0, 2) {
    $row{$said} = $level;
}

ok(%row, 'docs/troubleshooting.md explains lines of the error log');

my %used;

for my $format (sort keys %line) {
    my $pattern = pattern_of($format);

    my @said = grep { /^$pattern$/ && $row{$_} eq $line{$format} }
               sort keys %row;

    ok(scalar @said, "docs/troubleshooting.md has, as $line{$format}: $format");
    $used{$_} = 1 for @said;
}

for my $said (sort keys %row) {
    ok($used{$said}, "the module can write: $said");
}


is(join("\n", map { "$unbounded{$_}: $_" }
              grep { !$bounded{$_} } sort keys %unbounded), '',
   'what is told again and again is told once a minute');
is(join("\n", grep { !$unbounded{$_} } sort keys %bounded), '',
   'and the list of what needs no limit is true');

for my $cells ($page =~ /^\| `.+?` \| (?:emerg|alert|crit|error|warn|notice|info) \|(.*)\|$/mg) {
    like($cells, qr/\w/, "what to do is said: $cells") if $cells !~ /\w/;
}


# --- metrics that it says to watch

my $metrics = slurp('docs/operations.md');
my @watched = $page =~ /`(msgbus_[a-z_]+)(?:\{[^`]*\})?`/g;

@watched = grep { /_(?:bytes|seconds|total|used|connections|up)$/ } @watched;

cmp_ok(scalar @watched, '>', 5, 'docs/troubleshooting.md names metrics');
like($metrics, qr/`$_[`{]/, "docs/operations.md has $_") for @watched;


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

# those that are no fault of a client's request

while ($table =~ /^\| (409|413|415|422|50[37]) \| ([^|]*) \|/mg) {
    my ($status, $texts) = ($1, $2);

    for my $text ($texts =~ /`([^`]+)`/g) {
        like($page, qr/^\| $status `\Q$text\E` \| \S.* \| \S.* \|$/m,
             "docs/troubleshooting.md has the answer $status $text");
    }
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
