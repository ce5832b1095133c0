# Each number with a unit in the documents can be seen: its section, or one above
# it, names a test or a program that measures.  For a size or a time that is set, an
# example that runs will do, or a link to the directive, which has a test
# (tools/check-docs).

use strict;
use warnings;

use FindBin;
use Test::More;


chdir "$FindBin::Bin/.." or die "no project folder: $!\n";


sub slurp {
    my ($file) = @_;

    open my $in, '<:encoding(UTF-8)', $file or die "$file: $!\n";
    local $/;

    return scalar <$in>;
}


my $number = qr/(?<![\w.,#:\/-]) \d[\d,.]* /x;

# of what was measured, and of what is set somewhere

my $measured = qr/(?: [ ]? (?: \x{b5}s | % ) (?!\w)
                    | [ ] (?: of [ ] CPU | hundredths | instructions
                            | an? [ ] delivery ) \b )/x;

my $set = qr/(?: [ ]? (?: ms | [kKMGT]B ) (?!\w)
               | [ ] (?: s | bytes? | seconds? ) \b )/x;

# what shows them: a test, a program that measures; and of the latter also an
# example that runs, and the directive

my $program = qr/\b make [ ] [\w-]+ | \b t\/ (?: \d{3} | clients ) | \b bench\/ \w
               | \b tools\/ \w/x;

my $shown = qr/$program | ^```sh$ | directives\.md \# | http-api\.md \#limits/xm;


# Its sections with numbers that nothing shows: [heading, number].  A section
# has what is said above it, under the headings that it belongs to.

sub bare {
    my ($text) = @_;

    my (@bare, @above);

    for my $section (split /^(?=\#{1,6} )/m, $text =~ s/^```\w*\n.*?^```$/```sh/msgr) {
        my ($level, $heading) = $section =~ /^(#+) (.*)/;
        my $prose = $section =~ s/`[^`\n]*`//gr;

        $level = length($level // '');
        $#above = $level - 1 if $#above >= $level;
        $above[$level] = $section;

        my $all = join '', map { $_ // '' } @above[1 .. $level];

        push @bare, [$heading, $1]
            if $all !~ $program && $prose =~ /($number$measured)/
               || $section !~ $shown && $all !~ $program
                  && $prose =~ /($number$set)/;
    }

    return @bare;
}


is_deeply([bare("# A\n\nIt takes 12 \x{b5}s.\n\n# B\n\nSee `t/392`: 3 ms.\n")],
          [['A', "12 \x{b5}s"]], 'a number without a command is found');
is_deeply([bare("# A\n\n`make bench`\n\n## B\n\n3 %\n\n# C\n\n4 KB\n")],
          [['C', '4 KB']], 'a command is for the sections below it');
is_deeply([bare("# A\n\nIn 1.22.1 `900 KB` are 3 letters, 80 columns.\n")], [],
          'what is no measure, and an example, are none');

# each section of directives.md is a directive's: check-docs wants its test for what
# is set

for my $file (glob 'docs/*.md docs/*/*.md *.md') {
    my $text = slurp($file);

    $text =~ s/^###.*\K/ (directives.md#)/mg if $file eq 'docs/directives.md';

    my @bare = bare($text);

    is(scalar @bare, 0, "$file: each number has its command")
        or diag(map { "    $_->[0]: $_->[1]\n" } @bare);
}

done_testing;
