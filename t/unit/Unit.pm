package Unit;

# Compiles and runs the C programs of the unit tests: rooms of the engine,
# linked with stand-ins for the little that they need of nginx, without nginx.
#
#     my $program = Unit->new('log_model')
#         ->compile([qw( log filing )], [qw( -O2 )])    # of src/
#         ->compile([qw( log_model core )])             # of t/unit/
#         ->link;
#     my $run = $program->run('argument');
#     $run->{ok}, $run->{said}{name}, $run->{text};
#
# start() in place of run() goes on at once; what it returns, called, waits:
#     my @started = map { $program->start($_) } @arguments;
#     my @runs = map { $_->() } @started;
#
# A line "name: value" that a program prints is found in $run->{said}.  From
# the environment, as in the Makefile: NGINX_SRC, BUILD, CC, CC_OPT, WERROR;
# UNIT_SRC is another folder instead of src/, to see a test fail.

use strict;
use warnings;

use File::Path qw(make_path);
use FindBin;
use Test::More ();


my $root = "$FindBin::Bin/..";
my $src = $ENV{UNIT_SRC} || "$root/src";
my $build = $ENV{BUILD} || 'build';
$build = "$root/$build" if $build !~ m{^/};

my $cc = $ENV{CC} || 'gcc';
my @warnings = (qw( -W -Wall -Wextra -Wpointer-arith -Wno-unused-parameter ),
                $ENV{WERROR} ? '-Werror' : ());
my @includes = map { "-I$_" } glob("$src/*/"), "$root/t/unit",
                              split /\n/, `'$root/tools/includes' 2> /dev/null`;


# what finds wrong accesses while the test runs

our @SANITIZE = ('-g', '-O1', '-fno-omit-frame-pointer',
                 '-fsanitize=address,undefined', '-fno-sanitize-recover=all');

# what the module itself is compiled with

our @MODULE = split ' ', $ENV{CC_OPT} || '-g -O2 -fPIC';


# why the programs cannot be built here, or undef

sub lacks {
    return "the headers need what nginx's configure makes: run \"make\" first"
        if ! -f "$build/ngx_auto_config.h";

    return undef;
}


# what compiles and links with libmongoc, 2.x or 1.x

sub libmongoc {
    my ($pc) = grep { system("pkg-config --exists $_ 2> /dev/null") == 0 }
               qw( mongoc2 libmongoc-1.0 );

    return qw( -lmongoc-1.0 -lbson-1.0 ) if !defined $pc;

    return split ' ', `pkg-config --cflags --libs $pc`;
}


# does the compiler take these flags, and can it link with them?

sub takes {
    my ($class, @flags) = @_;

    make_path("$build/unit");

    return system("echo 'int main(void) { return 0; }' | $cc @flags -x c -"
                  . " -o '$build/unit/takes' > '$build/unit/takes.log' 2>&1")
           == 0;
}


sub new {
    my ($class, $name) = @_;

    make_path("$build/unit");

    return bless { name => $name, objects => [] }, $class;
}


sub compile {
    my ($self, $files, $flags) = @_;

    for my $file (@$files) {
        my ($source) = grep { -f } "$root/t/unit/$file.c",
                                   glob("$src/*/ngx_msgbus_$file.c"),
                                   glob("$root/tools/*/msgbus_$file.c");
        my $object = "$build/unit/$self->{name}-$file.o";

        # clang warns of libraries where nothing is linked
        my @some = grep { !/^-[lL]/ } @{ $flags || [] };

        $self->command($cc, @warnings, @some, @includes,
                       '-c', $source // $file, '-o', $object);
        push @{ $self->{objects} }, $object;
    }

    return $self;
}


sub link {
    my ($self, @flags) = @_;

    $self->{path} = "$build/unit/$self->{name}";
    $self->command($cc, @{ $self->{objects} }, @flags, '-o', $self->{path});

    return $self;
}


sub command {
    my ($self, @command) = @_;

    return if $self->{failed};

    my $pid = open(my $out, '-|') // die "fork: $!\n";

    if (!$pid) {
        open STDERR, '>&', \*STDOUT;
        exec @command or die "$command[0]: $!\n";
    }

    my $text = do { local $/; <$out> } // '';

    if (!close $out) {
        $self->{failed} = join(' ', @command) . "\n$text";
        Test::More::diag($self->{failed});
    }
}


# the environment is the program's too: SEED=...

sub run {
    my ($self, @arguments) = @_;

    return $self->start(@arguments)->();
}


# the same while others run: what is returned waits for it, and is run()'s

sub start {
    my ($self, @arguments) = @_;

    return sub { { ok => 0, said => {}, text => 'not compiled' } }
        if $self->{failed};

    open my $out, '-|', $self->{path}, @arguments
        or die "$self->{path}: $!\n";

    return sub {
        my %said;
        my $text = '';

        while (<$out>) {
            $text .= $_;
            $said{$1} = $2 if /^([\w ,-]+): (.*)$/;
        }

        my $ok = close $out;

        if (!$ok) {
            Test::More::diag("$self->{name} @arguments failed, status $?");
            Test::More::diag($text);
        }

        return { ok => $ok, said => \%said, text => $text };
    };
}


1;
