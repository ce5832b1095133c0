package Msgbus::Examples;

# Runs the examples of a document: each must answer what the document says.
#
#     Msgbus::Examples->new->document('docs/http-api.md');
#
# With daemon => 1 the document's commands may restart nginx; with files_first
# those above the first ```nginx block are run before it starts.  A document that
# needs two tests says which headings each is about:
#
#     Msgbus::Examples->new->document('docs/http-api.md', sub { $_[0] eq 'Post' });
#
# How they are written there:
#
# - A ```nginx block is a whole of its kind: the content of http {}, or, where
#   it has an events {} of its own, a whole nginx.conf.  nginx must accept it,
#   and serves it from there on: each such block begins with an empty bus.
#   The documents say port 8080; the test takes a free one.  The memcached that
#   one asks is the test's own, and empty too, and /etc/nginx is the test's
#   folder, as t/lib/Msgbus/Documented.pm says.  A MongoDB is given to new(), as
#   mongodb => Msgbus::Mongodb, and emptied; else nobody answers at its URI.
# - One that begins with "# on 192.0.2.11, 192.0.2.12" is for these hosts, each
#   an nginx of its own.  They run until the next block that is for none, and
#   "ssh HOST systemctl ..." and "curl HOST:8080" reach them.
# - A ```sh block is what a reader pastes into a shell: commands, no prompt.  What
#   they print is in a ```text block behind it; without one they print nothing.
#   They talk to the nginx of the last ```nginx block above, or of the first one
#   where none is above, and all of them up to the next one are run by one shell:
#   a variable stays.
# - What differs from run to run is made equal on both sides: times, ages, the
#   versions of nginx and curl, and ids that come from the clock, which must
#   be the same in the same places; of a MongoDB its URI, version and latency,
#   the driver's words for an error, and the warning of a server for tests.
# - "make ..." is looked up in the Makefile, and what would change the machine
#   is not run.  Any other command is run, and must succeed.
#
# There are no other blocks: what is not run does not stand as an example.


use strict;
use warnings;

use Cwd ();

use Test::More;

use Msgbus::Documented;
use Msgbus::Memcached;


# where msgbus-journal is
my $tools = Cwd::abs_path($ENV{BUILD} || 'build');

# what is not run
my $changes_machine = qr{^(?:sudo )?(?:apt-get|apt|git clone) };

# the reader's own nginx, and what looks after it

my $machine = <<'END';
sudo() { "$@"; }

# Debian's, which has Debian's PyMongo
[ -x /usr/bin/python3 ] && python3() { /usr/bin/python3 "$@"; }

systemctl() {
    case $* in
    "start nginx") ;;
    "stop nginx" | "restart nginx")
        my_nginx -s quit || return
        while [ -e "$dir/nginx.pid" ]; do sleep 0.05; done ;;
    *)  return 1 ;;
    esac

    [ $1 = stop ] || my_nginx
}

# in a subshell, with the files of that host; what would change it is not run

ssh() (
    dir=$(host_dir $1) || exit
    shift

    [ "$1" = sudo ] && shift
    [ $1 = apt-get ] || "$@"
)
END


# --- comparing

# ids keep one name each, as long as one nginx lives

sub equalize {
    my ($text, $ids) = @_;

    $text =~ s/ *\r?$//mg;
    $text =~ s/&quot;/"/g;
    $text =~ s/\s+\z//;

    # the length of a body depends on what is made equal: it must be right

    if (my ($body) = $text =~ m{^HTTP/[^\n]+\n(?:[^\n]+\n)*\n(.+)\z}s) {
        my $length = length $body;

        # text ends with a newline, but for JSONP

        $length++ if $body !~ /^[\[{]|\);$/;

        $text =~ s/^(Content-Length): $length$/$1: right/mi;
    }

    $text =~ s/\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ/TIME/g;
    $text =~ s/"age":\d+/"age":AGE/g;
    $text =~ s/^(Date): .*$/$1: DATE/mgi;
    $text =~ s/^(retry): [2-4]\d{3}$/$1: LOT/mg;
    $text =~ s{\bnginx/[\d.]+}{nginx/VERSION}g;
    $text =~ s{"nginx":"[\d.]+"}{"nginx":"VERSION"}g;
    $text =~ s{\bcurl/[\d.]+}{curl/VERSION}g;
    $text =~ s/"(uri|server|error)":"[^"]*"/"$1":"..."/g;
    $text =~ s/"(rtt_ms|behind_ms)":[\d.]+/"$1":MS/g;
    $text =~ s/"the database is a standalone server: what it loses is lost"//;

    $text =~ s/\b(\d{12,17})\b/$ids->{$1} ||= 'ID' . (1 + keys %$ids)/ge;

    return $text;
}


# --- running

my $makefile = Msgbus::Documented::document('Makefile');


sub new {
    my ($class, %o) = @_;

    return bless { %o, ids_said => {}, ids_seen => {} }, $class;
}


# the hosts that a block is for

sub hosts_of {
    my ($text) = @_;

    return $text =~ /^# on (192\.0\.2\.[\d., ]+)$/m ? split /, /, $1 : ();
}


sub start {
    my ($self, $file, $where, $text) = @_;

    my @on = hosts_of($text);

    # beside the hosts that there are

    return $self->start_on($file, $where, $text, @on)
        if @on && $self->{hosts} && !grep { $self->{hosts}{$_} } @on;

    my $nginx = delete $self->{nginx};
    my $hosts = delete $self->{hosts};
    my $memcached = delete $self->{memcached};
    my $mongodb = $self->{mongodb};

    $nginx->kill_all if $nginx;
    $_->kill_all for values %{ $hosts // {} };
    $memcached->stop if $memcached;
    $mongodb->ask(drop => {}) if $mongodb;

    $self->{memcached} = Msgbus::Memcached->new->start
        if $text =~ /\bmemcached_pass\b/;

    $self->{ids_said} = {};
    $self->{ids_seen} = {};

    if (my $module = Msgbus::Documented::lacks($text)) {
        die "no $module\n" if $ENV{CI} && !$ENV{TEST_NGINX_BINARY};
        pass("$where: not run: no $module of this nginx here");
        $self->{skip} = 1;
        return;
    }

    delete $self->{skip};

    return $self->start_on($file, $where, $text, @on) if @on;

    $nginx = Msgbus::Documented->new(file => $file, text => $text,
                                     memcached => $self->{memcached},
                                     daemon => $self->{daemon} ? 'on' : 'off',
                                     mongodb => $mongodb);

    if ($self->{files_first} && $self->{blocks}) {
        $self->{nginx} = $nginx;
        $self->run;
    }

    my $fine = eval {
        $nginx->start;
        $nginx->wait_for_database if $mongodb;
        1;
    };

    ok($fine, "$where: nginx runs with it") || diag($@);

    $self->{nginx} = $nginx if $fine;

    return;
}


sub start_on {
    my ($self, $file, $where, $text, @on) = @_;

    my %ports = map { ("$_:8080" => "127.0.0.1:$self->{hosts}{$_}{port}") }
                keys %{ $self->{hosts} };

    for my $host (@on) {
        my $nginx = Msgbus::Documented->new(file => $file, text => $text,
                                            daemon => 'on', hosts => \%ports,
                                            mongodb => $self->{mongodb});

        my $fine = eval {
            $nginx->start;
            $nginx->wait_for_database if $self->{mongodb};
            1;
        };

        ok($fine, "$where: nginx runs with it on $host") || diag($@);

        $self->{hosts}{$host} = $nginx;
    }

    return;
}


# the commands of a block, but for those that would change the machine

sub commands {
    my ($where, $text) = @_;

    my $commands = '';

    for my $line (split /^/, $text) {

        if ($line =~ $changes_machine) {
            pass("$where: not run: $line");

        } elsif ($line =~ /^(?:sudo )?make\b(.*)/) {
            for my $word (split ' ', $1) {
                my $name = $word =~ /^(\w+)=/ ? qr/\b$1\b/ : qr/^$word:/m;
                like($makefile, $name, "$where: the Makefile has $word");
            }

        } else {
            $commands .= $line;
        }
    }

    return $commands;
}


# what a shell calls hosts, and where they are

sub shell_of {
    my (%hosts) = @_;

    return '' if !%hosts;

    my $dirs = join '', map { "$_) echo '$hosts{$_}{dir}' ;;\n" } sort keys %hosts;
    my $ports = join '', map {
        "set -- \"\${\@//$_:8080/127.0.0.1:$hosts{$_}{port}}\"\n"
    } sort keys %hosts;

    return "host_dir() { case \$1 in\n$dirs*) return 1 ;; esac; }\n"
           . "curl() {\n${ports}command curl \"\$\@\"\n}\n";
}


# the blocks since the last nginx, in one shell

sub run {
    my ($self) = @_;

    my %hosts = %{ $self->{hosts} // {} };
    my $nginx = $self->{nginx} // (map { $hosts{$_} } sort keys %hosts)[0];
    my $script = '';
    my @expected;

    return delete $self->{blocks} if $self->{skip};

    for my $block (@{ delete $self->{blocks} // [] }) {
        my ($where, $text, $output) = @$block;
        my $commands = commands($where, $text);

        if ($commands !~ /\S/) {
            is($output, '', "$where: nothing is printed by nothing");
            next;
        }

        $script .= "${commands}printf '\\n=== end ===\\n'\n";
        push @expected, [$where, $commands, $output];
    }

    return if !@expected;

    if (!$nginx) {
        fail("$expected[0][0]: there is an nginx to talk to");
        return;
    }

    $script = $nginx->local($script);

    # a reader's own nginx is that of the system

    $script =~ s/^(?:sudo )?nginx (?=-)/my_nginx /gm;

    open my $out, '>', "$nginx->{dir}/script" or die "script: $!\n";

    print $out "dir='$nginx->{dir}'\nPATH=\$PATH:'$tools'\n$machine",
               "my_nginx() { ",
               $ENV{TEST_NGINX_BINARY} || 'PATH=$PATH:/usr/sbin nginx',
               " -c \"\$dir/nginx.conf\" \"\$@\"; }\n",
               shell_of(%hosts), "set -e -o pipefail\n$script";

    close $out or die "script: $!\n";

    # no proxy and no .curlrc of the user's

    local @ENV{qw( no_proxy HOME CURL_HOME TZ LC_ALL )} =
              ('*', $nginx->{dir}, $nginx->{dir}, 'UTC', 'C');

    my $got = `bash '$nginx->{dir}/script' 2> '$nginx->{dir}/script.err'`;
    my $status = $?;

    for (grep { $_->{pid} && $_->{daemon} eq 'on' } $nginx, values %hosts) {
        $_->{pid} = $_->pid_in_file;
    }

    my @got = $got =~ /\G(.*?)\n=== end ===\n/gs;

    for my $e (@expected) {
        my ($where, $commands, $output) = @$e;
        my $printed = shift @got;

        is(equalize($printed // 'nothing: a command has failed',
                    $self->{ids_seen}),
           equalize($output, $self->{ids_said}), "$where: $commands");
    }

    is($status, 0, "$expected[-1][0]: all commands up to here succeed")
        || diag(Msgbus::Nginx::slurp("$nginx->{dir}/script.err"));

    return;
}


sub document {
    my ($self, $file, $is_ours) = @_;

    my %seen = (nginx => 0, sh => 0);

    delete $self->{nginx};
    delete $self->{blocks};

    my $last = '';

    for my $block (Msgbus::Documented::blocks($file)) {
        my ($line, $language, $text, $heading) = @$block;
        my $where = "$file:$line";

        next if $is_ours && !$is_ours->($heading);

        if ($language eq 'nginx') {
            $self->run if $seen{nginx};
            $self->start($file, $where, $text);

        } elsif ($language eq 'sh') {
            push @{ $self->{blocks} }, [$where, $text, ''];

        } elsif ($language eq 'text' && $last eq 'sh') {
            $self->{blocks}[-1][2] = $text;

        } else {
            fail("$where: a block \"$language\", which nothing runs");
            next;
        }

        $seen{$language}++;
        $last = $language;
    }

    $self->run;

    ok($seen{$_}, "$file: has examples of $_") for sort keys %seen;

    $self->{nginx}->no_alerts if $self->{nginx};

    return;
}


1;
