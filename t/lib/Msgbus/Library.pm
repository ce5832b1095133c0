package Msgbus::Library;

# A program of t/clients/ that runs: somebody's library for streams of events,
# as it is used.
#
#     my $library = Msgbus::Library->new('httpx-sse', $url, $dir);
#     $nginx->until(10, 'an event', sub { $library->events });
#
# events() are { event, id, data } in the order in which they came, pings and
# gaps among them; states() are what else it said.  "chromium" is a browser,
# whose page stands in for a program.

use strict;
use warnings;

use Cwd ();
use File::Basename qw(dirname);
use JSON::PP;
use POSIX ();
use Test::More ();

use Msgbus::Nginx;


my $root = Cwd::abs_path(dirname(__FILE__) . '/../../..');
my $json = JSON::PP->new->utf8;
my $owner = $$;
my @running;


# all names; and whether one has been made ("tools/clients setup")

sub all {
    return sort map { m{([^/]+)/[^/]+$} ? $1 : () }
                glob "$root/t/clients/*/{package.json,requirements.txt,go.mod,"
                     . 'Cargo.toml,pom.xml,page.html}';
}


sub is_there {
    my ($class, $name) = @_;

    return $name eq 'chromium' ? `which chromium` ne ''
                               : -e "$root/.cache/clients/$name/stamp";
}


# A test that needs some of them: without one it is skipped, and fails in
# continuous integration.

sub need {
    my ($class, @names) = @_;

    my @missing = grep { !$class->is_there($_) } @names or return;

    Test::More::plan(skip_all => "needs @missing: make test-deps") if !$ENV{CI};
    Test::More::plan(tests => 1);
    Test::More::fail("@missing: tools/clients setup has made them");
    exit;
}


# $origin has the page of a browser

sub new {
    my ($class, $name, $url, $dir, $origin) = @_;

    my $self = bless { name => $name, lines => [],
                       file => "$dir/$name." . @running }, $class;

    push @running, $self;

    if ($name eq 'chromium') {
        require Msgbus::Browser;

        $self->{browser} = Msgbus::Browser->new;
        $self->{page} = $self->{browser}->open("$origin/page.html#$url");

        return $self;
    }

    my $pid = fork // die "cannot fork: $!\n";

    if (!$pid) {
        POSIX::setpgid(0, 0);

        local @ENV{qw( no_proxy MSGBUS_WAIT )} = ('*', '0.1');

        open STDIN, '<', '/dev/null';
        open STDOUT, '>', $self->{file};
        open STDERR, '>', "$self->{file}.err";

        $SIG{$_} = 'DEFAULT' for qw(ALRM PIPE INT TERM HUP);

        exec "$root/.cache/clients/$name/run", $url or POSIX::_exit(127);
    }

    $self->{pid} = $pid;

    return $self;
}


sub read {
    my ($self) = @_;

    if ($self->{page}) {
        my $came = $self->{page}->evaluate(
            'typeof lines == "object" && JSON.stringify(lines.splice(0))');

        push @{ $self->{lines} }, @{ JSON::PP->new->decode($came) } if $came;

        return;
    }

    open my $in, '<', $self->{file} or return;
    seek $in, $self->{at} // 0, 0;

    while (my $line = <$in>) {
        last if $line !~ /\n\z/;

        $self->{at} = tell $in;
        push @{ $self->{lines} }, $json->decode($line);
    }

    return;
}


sub events {
    my ($self) = @_;

    $self->read;

    return grep { exists $_->{event} } @{ $self->{lines} };
}


sub states {
    my ($self) = @_;

    $self->read;

    return grep { exists $_->{state} } @{ $self->{lines} };
}


# What came, of what was posted, an array of ids: how many of them are missing,
# came again, came before one that is below them; how many events were not
# whole, how many gaps there were, and how many events that were none, as some
# libraries make of blocks without data.

sub verdict {
    my ($self, $posted) = @_;

    my %count = map { $_ => 0 } qw( lost doubled disorder torn gaps empty );
    my $last = 0;
    my %came;

    for my $event ($self->events) {
        if ($event->{event} eq 'msgbus.gap') {
            $count{gaps}++;
            next;
        }

        next if $event->{event} eq 'msgbus.ping';

        if (($event->{data} // '') eq '') {
            $count{empty}++;
            next;
        }

        my $data = eval { JSON::PP->new->decode($event->{data}) };
        my $id = ref $data eq 'HASH' ? $data->{id} : undef;

        if (!defined $id) {
            $count{torn}++;
            next;
        }

        $count{doubled}++ if $came{$id}++;
        $count{disorder}++ if $id < $last && $came{$id} == 1;
        $last = $id;
    }

    $count{lost} = grep { !$came{$_} } @$posted;

    return \%count;
}


sub has {
    my ($self, $id) = @_;

    return grep { ($_->{data} // '') =~ /^\{"id":$id,.*\}$/s } $self->events;
}


sub said { return Msgbus::Nginx::slurp("$_[0]{file}.err") }


sub stop {
    my ($self) = @_;

    (delete $self->{browser})->close if $self->{browser};
    delete $self->{page};

    my $pid = delete $self->{pid} or return;

    kill KILL => -$pid;
    waitpid $pid, 0;

    return;
}


END {
    my $status = $?;

    if ($$ == $owner) {
        $_->stop for @running;
    }

    $? = $status;
}


1;
