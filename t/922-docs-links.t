# Each link in the documents that leads into the project leads somewhere.

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


# what a document's headings are called in links

sub anchors {
    my ($text) = @_;

    my %anchor;

    $text =~ s/^```.*?^```//gms;

    for my $heading ($text =~ /^#+ (.*?)\s*$/mg) {
        my $name = lc $heading;

        $name =~ s/[^\w\- ]//g;
        $name =~ tr/ /-/;
        $anchor{$name} = 1;
    }

    return \%anchor;
}


my %anchors;

for my $file (glob '*.md docs/*.md docs/*/*.md bench/*.md bench/*/*.md
                   contrib/*.md findings/*.md') {
    my $text = slurp($file);
    my ($folder) = $file =~ m{^(.*/)};

    $text =~ s/^```.*?^```//gms;

    while ($text =~ /\]\(([^)\s]+)\)/g) {
        my $link = $1;

        next if $link =~ /^\w+:/;

        my ($path, $anchor) = split /#/, $link, 2;

        my $target = $path eq '' ? $file : ($folder // '') . $path;

        1 while $target =~ s{(?!\.\./)[^/]+/\.\./}{};

        if (! -e $target) {
            fail("$file: $link");
            next;
        }

        if (!defined $anchor) {
            pass("$file: $link");
            next;
        }

        $anchors{$target} //= anchors(slurp($target));

        ok($anchors{$target}{$anchor}, "$file: $link");
    }
}

done_testing;
