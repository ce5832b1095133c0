package Msgbus::Prometheus;

# A Prometheus for a test, on a port of its own, with the project's alert rules,
# that ends with the test.  What they take minutes for takes seconds: all times
# in the rules are shortened, and no threshold is changed.
#
#     my $prometheus = Msgbus::Prometheus->new('127.0.0.1:8080', ...)->start;
#     $prometheus->query('up')          its samples: { metric, value }
#     $prometheus->fired                names of the alerts that have fired
#
#     Msgbus::Prometheus::alerts()      of the rules, [name, text]
#     Msgbus::Prometheus::promtool(...) its output; $? as after a command

use strict;
use warnings;

use Cwd ();
use File::Basename qw(dirname);
use File::Temp ();
use JSON::PP;
use POSIX ();

use Msgbus::Child;
use Msgbus::Nginx;


our @ISA = ('Msgbus::Child');

my $folder = Cwd::abs_path(dirname(__FILE__) . '/../../../contrib/prometheus');


sub alerts {
    my @alerts = split /^ +- alert: /m,
                       Msgbus::Nginx::slurp("$folder/msgbus.rules.yml");

    shift @alerts;

    return map { [/^(\w+)/, $_] } @alerts;
}


sub promtool {
    my (@arguments) = @_;

    open my $from, '-|', 'sh', '-c', 'exec promtool "$@" 2>&1', 'sh', @arguments
        or die "cannot run promtool: $!\n";

    local $/;
    my $said = <$from>;

    close $from;

    return $said;
}


sub new {
    my ($class, @targets) = @_;

    return $class->adopt(
        port    => Msgbus::Nginx::free_port(),
        targets => \@targets,
        dir     => File::Temp->newdir('prometheus-XXXXXXXX', TMPDIR => 1),
    );
}


sub write {
    my ($self, $name, $text) = @_;

    open my $out, '>', "$self->{dir}/$name" or die "$name: $!\n";
    print $out $text;
    close $out or die "$name: $!\n";

    return;
}


sub configure {
    my ($self) = @_;

    my $rules = Msgbus::Nginx::slurp("$folder/msgbus.rules.yml");
    my $conf = Msgbus::Nginx::slurp("$folder/prometheus.yml");
    my $targets = join '', map { "          - $_\n" } @{ $self->{targets} };

    # nothing has been read before the first time

    my ($first) = $rules =~ /^( +- alert: MsgbusNotScraped\n.*?\n)(?= +labels:)/ms
        or die "no rule of that name\n";

    $rules =~ s/^ +for: \w+\n//mg;
    $rules =~ s/^ +- alert: MsgbusNotScraped\n.*?\n(?= +labels:)/$first/ms;
    $rules =~ s/\[\d+m\]/[2s]/g;
    $rules =~ s/\boffset \d+m/offset 2s/g;

    $conf =~ s/_interval: 15s/_interval: 200ms/g;
    $conf =~ s/^alerting:\n(?: .*\n|\n)*//m;
    $conf =~ s/(- targets:\n)(?: +- .*\n)+\z/$1$targets/
        or die "prometheus.yml has no targets at its end\n";

    $self->write('msgbus.rules.yml', $rules);
    $self->write('prometheus.yml', $conf);

    return;
}


sub start {
    my ($self) = @_;

    my $dir = $self->{dir};

    $self->configure;

    my $pid = fork // die "cannot fork: $!\n";

    if (!$pid) {
        $SIG{$_} = 'DEFAULT' for qw(ALRM PIPE INT TERM HUP);

        open STDIN, '<', '/dev/null';
        open STDOUT, '>', "$dir/said";
        open STDERR, '>&', \*STDOUT;

        exec 'prometheus', "--config.file=$dir/prometheus.yml",
             "--storage.tsdb.path=$dir/data",
             "--web.listen-address=127.0.0.1:$self->{port}",
             '--log.level=warn'
            or print "cannot run prometheus: $!\n";

        POSIX::_exit(127);
    }

    $self->{pid} = $pid;

    my $until = Msgbus::Nginx::now() + 20 * $Msgbus::Nginx::PATIENCE;

    until ($self->get('/-/ready')->status == 200) {
        die 'prometheus does not start: ' . Msgbus::Nginx::slurp("$dir/said")
            if waitpid($pid, POSIX::WNOHANG) == $pid && delete $self->{pid}
               || Msgbus::Nginx::now() > $until;

        select undef, undef, undef, 0.05;
    }

    return $self;
}


sub get {
    my ($self, $uri) = @_;

    return Msgbus::Client->new(to => "127.0.0.1:$self->{port}")->get($uri);
}


sub query {
    my ($self, $expression) = @_;

    $expression =~ s/([^\w.-])/sprintf '%%%02X', ord $1/ge;

    my $answer = decode_json($self->get("/api/v1/query?query=$expression")->body);

    die "$answer->{error}\n" if $answer->{status} ne 'success';

    return map { { metric => $_->{metric}, value => $_->{value}[1] } }
           @{ $answer->{data}{result} };
}


sub fired {
    my ($self) = @_;

    my %seen = map { $_->{metric}{alertname} => 1 } $self->query(
        'count by (alertname) (max_over_time(ALERTS{alertstate="firing"}[1h]))');

    return sort keys %seen;
}


1;
