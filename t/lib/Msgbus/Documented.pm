package Msgbus::Documented;

# An nginx with a configuration of the documents, as it stands there.
#
#     my $nginx = Msgbus::Documented->recipe('TLS')->start;
#
# What the documents say of the reader's machine is not ours:
#
# - Port 8080 is {port}, any other that is listened on gets a free one: port()
#   tells which.
# - A memcached, at 11211, is one of the test's own: memcached => Memcached.
# - A MongoDB is named by a uri_file and its database, and both are the test's:
#   mongodb => Mongodb.  Without one nobody answers at the URI.
# - What a recipe need not show, and a test asks for, is more => 'msgbus_... ;'.
# - A host of 192.0.2.0/24 is another nginx of the test: hosts => its port by
#   its address.
# - Files in /etc/nginx are in the test's folder.  A certificate is made by the
#   document's own "openssl req" line.

use strict;
use warnings;

use Cwd ();
use File::Basename qw(dirname);

use Msgbus::Nginx;

our @ISA = qw( Msgbus::Nginx );

my $root = Cwd::abs_path(dirname(__FILE__) . '/../../..');
my $debian = '/usr/lib/nginx/modules';


# The whole of a document.

sub document {
    my ($file) = @_;

    open my $in, '<', "$root/$file" or die "$file: $!\n";
    local $/;

    return scalar <$in>;
}


# [line, language, text, heading] of each of its fenced blocks.

sub blocks {
    my ($file) = @_;

    my (@blocks, $block);
    my $heading = '';
    my $n = 0;

    for my $line (split /^/, document($file)) {
        $n++;

        if ($line =~ /^\s*```(.*)$/) {
            if ($block) {
                push @blocks, $block;
                undef $block;

            } else {
                $block = [$n, $1, '', $heading];
            }

        } elsif ($block) {
            $block->[2] .= $line;

        } elsif ($line =~ /^#+ (.*?)\s*$/) {
            $heading = $1;
        }
    }

    push @blocks, [$block->[0], 'that does not end', '', ''] if $block;

    return @blocks;
}


# The headings of docs/operations.md whose examples need a database.

sub with_database {
    my ($heading) = @_;

    return grep { $heading eq $_ } 'Two nodes on two hosts',
                                   'Upgrade the two nodes', 'Back up MongoDB';
}


# Debian's modules fit Debian's nginx: is there one that a configuration needs?

sub lacks {
    my ($text) = @_;

    my ($name) = $text =~ m{^load_module modules/(ngx_http_js_module)\.so;}m
        or return;

    return $name if ! -e "$debian/$name.so" || $ENV{TEST_NGINX_BINARY}
                    && $ENV{TEST_NGINX_BINARY} ne '/usr/sbin/nginx';

    return;
}


# The first configuration below a heading of docs/howto.md.

sub recipe {
    my ($class, $heading, %o) = @_;

    my $file = 'docs/howto.md';

    my ($block) = grep { $_->[3] eq $heading && $_->[1] eq 'nginx' }
                  blocks($file)
        or die "no recipe \"$heading\" in $file\n";

    return $class->new(file => $file, text => $block->[2], %o);
}


# Port of ours for a port of the document's.

sub port { return $_[0]{ports}{$_[1]} }


sub configure {
    my ($self) = @_;

    my $dir = $self->{dir};
    my $conf = $self->{text};

    $self->{ports} = { 8080 => $self->{port} };

    if ($self->{memcached}) {
        $self->{ports}{11211} = $self->{memcached}{port};
    }

    $conf =~ s{^(\s*listen\s+(?:[\d.]+:|\[::1?\]:|\*:)?)(\d+)}
              { $1 . ($self->{ports}{$2} ||= Msgbus::Nginx::free_port()) }gmex;

    $conf = $self->local($conf);

    if (defined $self->{more}) {
        $conf =~ s/^(msgbus_zone\s)/$self->{more}\n$1/m
            or die "no msgbus_zone to add to\n";
    }

    # whatever the server asks for, a test may see the report

    my $reports = $self->reports($conf);

    $reports =~ s/\{/{ auth_request off; auth_basic off; allow all;/g;
    $conf =~ s/^(\s*server \{\n)/$1$reports/m;

    if ($conf =~ /^\s*ssl_certificate\s/m) {
        $self->make_certificate;
    }

    if ($conf =~ /^\s*msgbus_mongodb\s/m) {
        $conf = $self->name_database($conf);
    }

    # a file of docs/examples is where the document has it copied to

    for my $name ($conf =~ m{^\s*js_import\s.*/(\w+\.js);}mg) {
        my $text = Msgbus::Nginx::slurp("$root/docs/examples/$name");

        open my $out, '>', "$dir/$name" or die "$dir/$name: $!\n";
        print $out $text;
        close $out or die "$dir/$name: $!\n";
    }

    # the document's folders and users are not ours

    my $load = '';

    my $temp = join '', map { "${_}_temp_path $dir/$_;\n" }
               qw( client_body proxy fastcgi uwsgi scgi );

    if ($conf =~ /^events\b/m) {
        $load = $1 if $conf =~ m{^load_module modules/(ngx_http_js_module.so;)}m;
        $conf =~ s/^(?:load_module|user|worker_processes|pid|error_log)\s.*;//gm;
        $conf =~ s/^http \{\n/http {\naccess_log off;\n$temp/m
            or die "no http {} beside events {}\n";

    } else {
        $conf = "events {}\nhttp {\naccess_log off;\n$temp$conf\n}\n";
    }

    open my $out, '>', "$dir/nginx.conf" or die "$dir/nginx.conf: $!\n";

    print $out "daemon $self->{daemon};\npid $dir/nginx.pid;\n",
               "worker_processes $self->{workers};\n",
               "error_log $dir/error.log info;\n",
               (map { "load_module $_;\n" } Msgbus::Nginx::modules()),
               $load && "load_module $debian/$load\n", $conf;

    close $out or die "$dir/nginx.conf: $!\n";

    return;
}


# A configuration or a command of the document's, for this machine.

sub local {
    my ($self, $text) = @_;

    $text =~ s{/etc/nginx/(?:[\w-]+\.d/|modules-enabled/)?}{$self->{dir}/}g;
    $text =~ s{/var/log/nginx/|(?<=[\s"])/tmp/(?=shop)}{$self->{dir}/}g;
    $text =~ s{/var/(www|lib|backups)/(\w+)}{$self->{dir}/$1-$2}g;
    $text =~ s{/run/(?=nginx\.pid)}{$self->{dir}/}g;
    $text =~ s/(?<= )rse\b/$self->{mongodb}->database/ge if $self->{mongodb};

    # other hosts of a document are here, and a rule for one is for all

    $text =~ s/\b(192\.0\.2\.\d+:\d+)/$self->{hosts}{$1} || $1/ge;
    $text =~ s/\b(allow|deny)\s+192\.0\.2\.\d+;/$1 127.0.0.1;/g;

    $text =~ s/((?:127\.0\.0\.1|localhost|\[::1\]):)(\d+)/
               $1 . ($self->{ports}{$2} || $2)/gex;

    return $text;
}


sub make_certificate {
    my ($self) = @_;

    return if -e "$self->{dir}/shop.crt";

    my ($command) = document($self->{file}) =~ /`(openssl\s+req\s[^`]+)`/
        or die "$self->{file} does not say how to make a certificate\n";

    $command =~ s/\s+/ /g;
    $command = $self->local($command);

    my $said = `$command 2>&1`;

    die "no certificate: $said\n" if $?;

    return;
}


# Nobody's own database may be written to.

sub name_database {
    my ($self, $conf) = @_;

    my $mongodb = $self->{mongodb};
    my $file = "$self->{dir}/msgbus.uri";
    my $port = Msgbus::Nginx::free_port();
    my $uri = $mongodb ? $mongodb->uri : "mongodb://127.0.0.1:$port/";
    my $name = $mongodb ? $mongodb->database : 'nobody';

    $conf =~ s/^(\s*database\s+)[\w-]+;/$1$name;/gm
        and $conf =~ /^\s*uri_file\s+\Q$file\E;/m
        and $conf !~ /^\s*uri\s/m
        or die "msgbus_mongodb needs \"uri_file /etc/nginx/msgbus.uri\" and "
               . "\"database\"\n";

    open my $out, '>', $file or die "$file: $!\n";
    print $out "$uri\n";
    close $out or die "$file: $!\n";

    return $conf;
}


# Health, of whatever is listened on, is well.

sub wait_for_database {
    my ($self) = @_;

    for my $port (grep { $_ } values %{ $self->{ports} }) {
        $self->until(15, "the bus on port $port to be up", sub {
            return Msgbus::Client->new(to => "127.0.0.1:$port")->get('/health')->status
                   == 200;
        });
    }

    return;
}


1;
