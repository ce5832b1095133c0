# Every example in the documents runs, and answers what the document says.
#
# How examples are written there:
#
# - A ```nginx block is a whole of its kind: the content of http {}, or, where
#   it has an events {} of its own, a whole nginx.conf.  nginx must accept it,
#   and serves it from there on: each such block begins with an empty bus.
#   The documents say port 8080; the test takes a free one.
# - A ```sh block holds commands behind "$ " (behind "> " where one goes on in
#   the next line), each followed by what it prints.  It talks to the nginx of
#   the last ```nginx block above.  Blocks run in the order of the document.
# - What differs from run to run is made equal on both sides: times, ages, the
#   versions of nginx and curl, and ids that come from the clock, which must
#   be the same in the same places.
# - "make ..." is looked up in the Makefile, and what would change the machine
#   is not run.  Any other command is run.
#
# There are no other blocks: what is not run does not stand as an example.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Nginx;


chdir "$FindBin::Bin/.." or die "no project folder: $!\n";

Msgbus::Nginx->limit(180);

my @documents = qw( README.md docs/api.md docs/directives.md
                    docs/operations.md );

# what is not run
my $changes_machine = qr{^(?:sudo )?(?:apt-get install|apt install|git clone) };


# --- an nginx with a document's configuration

package Documented;

our @ISA = qw( Msgbus::Nginx );


sub configure {
    my ($self) = @_;

    my $dir = $self->{dir};
    my $conf = $self->{text};

    # the document's ports: 8080 is ours, others get free ones

    $self->{ports} = { 8080 => $self->{port} };

    $conf =~ s{^(\s*listen\s+(?:[\d.]+:|\[::1?\]:|\*:)?)(\d+)}
              { $1 . ($self->{ports}{$2} ||= Msgbus::Nginx::free_port()) }gmex;

    # the document's folders and users are not ours

    my $temp = join '', map { "${_}_temp_path $dir/$_;\n" }
               qw( client_body proxy fastcgi uwsgi scgi );

    if ($conf =~ /^events\b/m) {
        $conf =~ s/^(?:load_module|user|worker_processes|pid|error_log)\s.*;//gm;
        $conf =~ s/^http \{\n/http {\naccess_log off;\n$temp/m
            or die "no http {} beside events {}\n";

    } else {
        $conf = "events {}\nhttp {\naccess_log off;\n$temp$conf\n}\n";
    }

    open my $out, '>', "$dir/nginx.conf" or die "$dir/nginx.conf: $!\n";

    print $out "daemon off;\npid $dir/nginx.pid;\nworker_processes 1;\n",
               "error_log $dir/error.log info;\n",
               (map { "load_module $_;\n" } Msgbus::Nginx::modules()),
               $conf;

    close $out or die "$dir/nginx.conf: $!\n";

    return;
}


package main;


# --- the documents

sub slurp {
    my ($file) = @_;

    open my $in, '<', $file or die "$file: $!\n";
    local $/;

    return scalar <$in>;
}


# [line, language, text] of each fenced block

sub blocks {
    my ($file) = @_;

    my (@blocks, $block);
    my $n = 0;

    for my $line (split /^/, slurp($file)) {
        $n++;

        if ($line =~ /^\s*```(.*)$/) {
            if ($block) {
                push @blocks, $block;
                undef $block;

            } else {
                $block = [$n, $1, ''];
            }

        } elsif ($block) {
            $block->[2] .= $line;
        }
    }

    push @blocks, [$block->[0], 'that does not end', ''] if $block;

    return @blocks;
}


# [command, output] of each command in a block

sub commands {
    my ($text) = @_;

    my @commands;

    for my $line (split /^/, $text) {

        if ($line =~ /^\$ (.*)$/s) {
            push @commands, [$1, ''];

        } elsif (@commands && $commands[-1][1] eq '' && $line =~ /^> (.*)$/s) {
            $commands[-1][0] .= $1;

        } elsif (@commands) {
            $commands[-1][1] .= $line;

        } else {
            return;
        }
    }

    return @commands;
}


# --- comparing

# ids keep one name each, as long as one nginx lives

sub equalize {
    my ($text, $ids) = @_;

    $text =~ s/\r//g;
    $text =~ s/\s+\z//;

    # the length of a body depends on what is made equal: it must be right

    if (my ($body) = $text =~ m{^HTTP/[^\n]+\n(?:[^\n]+\n)*\n(.+)\z}s) {
        my $length = length $body;

        $length++ if $body !~ /^[\[{]/;    # text ends with a newline

        $text =~ s/^Content-Length: $length$/Content-Length: right/m;
    }

    $text =~ s/\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ/TIME/g;
    $text =~ s/"age":\d+/"age":AGE/g;
    $text =~ s/^Date: .*$/Date: DATE/mg;
    $text =~ s{\bnginx/[\d.]+}{nginx/VERSION}g;
    $text =~ s{\bcurl/[\d.]+}{curl/VERSION}g;

    $text =~ s/\b(\d{12,17})\b/$ids->{$1} ||= 'ID' . (1 + keys %$ids)/ge;

    return $text;
}


# --- running

my ($nginx, %ids_said, %ids_seen);

my $makefile = slurp('Makefile');


sub start {
    my ($where, $text) = @_;

    $nginx->kill_all if $nginx;

    %ids_said = ();
    %ids_seen = ();

    $nginx = Documented->new(text => $text);

    my $fine = eval { $nginx->start; 1 };

    ok($fine, "$where: nginx runs with it") || diag($@);

    undef $nginx if !$fine;

    return;
}


# the commands of a block, in one shell

sub run {
    my ($where, $text) = @_;

    my @commands = commands($text);

    ok(scalar @commands, "$where: there are commands") or return;

    my $script = '';
    my @expected;

    for my $c (@commands) {
        my ($command, $output) = @$c;

        chomp $command;

        if ($command =~ $changes_machine) {
            pass("$where: not run: $command");
            next;
        }

        if ($command =~ /^(?:sudo )?make\b(.*)/) {
            for my $word (split ' ', $1) {
                my $name = $word =~ /^(\w+)=/ ? qr/\b$1\b/ : qr/^$word:/m;
                like($makefile, $name, "$where: the Makefile has $word");
            }

            next;
        }

        $script .= "$command\nprintf '\\n=== %s ===\\n' \$?\n";
        push @expected, [$command, $output];
    }

    return if !@expected;

    if (!$nginx) {
        fail("$where: there is an nginx to talk to");
        return;
    }

    $script =~ s/((?:127\.0\.0\.1|localhost|\[::1\]):)(\d+)/
                 $1 . ($nginx->{ports}{$2} || $2)/gex;

    # a reader's own nginx is that of the system

    $script =~ s/^(?:sudo )?nginx (?=-)/my_nginx /gm;

    open my $out, '>', "$nginx->{dir}/script" or die "script: $!\n";

    print $out "my_nginx() { ",
               $ENV{TEST_NGINX_BINARY} || 'PATH=$PATH:/usr/sbin nginx',
               " -c '$nginx->{dir}/nginx.conf' \"\$@\"; }\n",
               "set -o pipefail\n$script";

    close $out or die "script: $!\n";

    # no proxy and no .curlrc of the user's

    local @ENV{qw( no_proxy HOME CURL_HOME TZ LC_ALL )} =
              ('*', $nginx->{dir}, $nginx->{dir}, 'UTC', 'C');

    my $got = `bash '$nginx->{dir}/script' 2> '$nginx->{dir}/script.err'`;
    my @got = $got =~ /\G(.*?)\n=== (\d+) ===\n/gs;

    for my $e (@expected) {
        my ($command, $output) = @$e;
        my ($printed, $status) = splice @got, 0, 2;

        is(equalize($printed // 'nothing: the shell has ended', \%ids_seen),
           equalize($output, \%ids_said), "$where: $command");
        is($status, 0, "$where: its exit status");
    }

    return;
}


for my $file (@documents) {

    my %seen = (nginx => 0, sh => 0);

    undef $nginx;

    for my $block (blocks($file)) {
        my ($line, $language, $text) = @$block;
        my $where = "$file:$line";

        if ($language eq 'nginx') {
            start($where, $text);

        } elsif ($language eq 'sh') {
            run($where, $text);

        } else {
            fail("$where: a block \"$language\", which nothing runs");
            next;
        }

        $seen{$language}++;
    }

    ok($seen{$_}, "$file: has examples of $_") for sort keys %seen;

    $nginx->no_alerts if $nginx;
}


# each directive has an example

my $directives = slurp('docs/directives.md');

while ($directives =~ /^### (msgbus\w*)\n(.*?)(?=^##|\z)/gms) {
    my ($name, $section) = ($1, $2);

    like($section, qr/^```nginx\n(?:(?!^```).)*\b$name\b/ms,
         "docs/directives.md: $name has an example");
}

done_testing;
