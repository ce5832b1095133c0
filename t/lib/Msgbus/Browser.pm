package Msgbus::Browser;

# A headless Chromium for a test, over the pipe that it offers to debuggers:
# file descriptors 3 and 4, JSON, a zero byte behind each message.
#
#     my $browser = Msgbus::Browser->new;
#     my $page = $browser->open('http://127.0.0.1:8080/channel.html');
#     my $items = $page->evaluate('document.querySelectorAll("li").length');
#
#     $page->window(360, 640, dark => 1);
#     $page->screenshot('channel.png');
#
# evaluate() returns what the expression yields, and dies when it throws.  The
# browser has a profile of its own and ends with the test.

use strict;
use warnings;

use Fcntl qw(F_DUPFD);
use File::Path qw(remove_tree);
use File::Temp ();
use JSON::PP;
use MIME::Base64 ();
use POSIX ();
use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC);

use Msgbus::Nginx;


my $owner = $$;
my @running;


sub new {
    my ($class) = @_;

    my $self = bless {
        dir => File::Temp::tempdir('chromium-XXXXXXXX', TMPDIR => 1),
        in  => '',
        id  => 0,
    }, $class;

    # of ours: to it, and from it
    pipe my $its_in, $self->{to} or die "no pipe: $!\n";
    pipe $self->{from}, my $its_out or die "no pipe: $!\n";

    $self->{to}->autoflush(1);

    my $pid = fork // die "cannot fork: $!\n";

    if (!$pid) {
        POSIX::setpgid(0, 0);

        open STDIN, '<', '/dev/null';
        open STDOUT, '>', "$self->{dir}/stdout";
        open STDERR, '>', "$self->{dir}/stderr";

        $SIG{$_} = 'DEFAULT' for qw(ALRM PIPE INT TERM HUP);

        # out of the way first: one of them may be 3 or 4 itself
        my @fds = map { fcntl $_, F_DUPFD, 20 } $its_in, $its_out;

        POSIX::dup2($fds[$_], 3 + $_) for 0, 1;
        POSIX::close($_) for @fds;

        # a root's browser has no sandbox, and needs none for our own page
        exec 'chromium', '--headless', '--remote-debugging-pipe',
             '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage',
             '--no-first-run', '--no-proxy-server', '--disable-extensions',
             '--disable-background-networking',
             '--disable-component-update',
             "--user-data-dir=$self->{dir}/profile", 'about:blank'
            or POSIX::_exit(127);
    }

    $self->{pid} = $pid;
    push @running, $self;

    return $self;
}


sub open {
    my ($self, $url) = @_;

    my $target = $self->call('Target.createTarget', { url => $url });
    my $session = $self->call('Target.attachToTarget', {
        targetId => $target->{targetId},
        flatten  => JSON::PP::true,
    });

    return bless { browser => $self, session => $session->{sessionId} },
                 'Msgbus::Browser::Page';
}


# What a method of the protocol answers; events in between are left out.

sub call {
    my ($self, $method, $params, $session) = @_;

    my $until = clock_gettime(CLOCK_MONOTONIC) + 30 * $Msgbus::Nginx::PATIENCE;
    my $id = ++$self->{id};

    print { $self->{to} } encode_json({
        id => $id, method => $method, params => $params || {},
        $session ? (sessionId => $session) : (),
    }), "\0";

    for ( ;; ) {
        while ($self->{in} =~ s/\A([^\0]*)\0//) {
            my $message = decode_json($1);

            next if ($message->{id} // 0) != $id;

            die "$method: $message->{error}{message}\n" if $message->{error};

            return $message->{result};
        }

        my $bits = '';
        my $left = $until - clock_gettime(CLOCK_MONOTONIC);

        vec($bits, fileno $self->{from}, 1) = 1;

        if ($left <= 0 || !select $bits, undef, undef, $left) {
            die "chromium does not answer $method\n" . $self->said;
        }

        sysread $self->{from}, $self->{in}, 65536, length $self->{in}
            or die "chromium has ended\n" . $self->said;
    }
}


sub said { return Msgbus::Nginx::slurp("$_[0]{dir}/stderr") }


sub close {
    my ($self) = @_;

    my $pid = delete $self->{pid} or return;

    kill KILL => -$pid;
    waitpid $pid, 0;

    remove_tree($self->{dir});

    return;
}


END {
    if ($$ == $owner) {
        local $?;
        $_->close for @running;
    }
}


package Msgbus::Browser::Page;


sub evaluate {
    my ($self, $expression) = @_;

    my $answer = $self->{browser}->call('Runtime.evaluate', {
        expression    => $expression,
        returnByValue => JSON::PP::true,
        awaitPromise  => JSON::PP::true,
    }, $self->{session});

    my $thrown = $answer->{exceptionDetails};

    die $thrown->{exception}{description} // $thrown->{text}, "\n" if $thrown;

    return $answer->{result}{value};
}


# of so many pixels of CSS; dark: the reader prefers dark pages

sub window {
    my ($self, $width, $height, %opt) = @_;

    $self->{browser}->call('Emulation.setDeviceMetricsOverride', {
        width  => 0 + $width,
        height => 0 + $height,
        mobile => JSON::PP::false,
        deviceScaleFactor => 1,
    }, $self->{session});

    $self->{browser}->call('Emulation.setEmulatedMedia', {
        features => [{ name  => 'prefers-color-scheme',
                       value => $opt{dark} ? 'dark' : 'light' }],
    }, $self->{session});

    return;
}


# a PNG of what the window shows

sub screenshot {
    my ($self, $file) = @_;

    my $answer = $self->{browser}->call('Page.captureScreenshot',
                                        { format => 'png' }, $self->{session});

    CORE::open my $out, '>:raw', $file or die "$file: $!\n";
    print $out MIME::Base64::decode($answer->{data});
    CORE::close $out or die "$file: $!\n";

    return;
}


1;
