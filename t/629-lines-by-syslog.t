# What the thread of a worker has to say reaches a syslog as well: the database is
# away, and is there again.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use IO::Select;
use IO::Socket::UNIX;
use Socket qw(SOCK_DGRAM);

use Msgbus::Fake;


Msgbus::Nginx->limit(60);

my $path = File::Temp::tempdir(CLEANUP => 1) . '/log';
my $syslog = IO::Socket::UNIX->new(Local => $path, Type => SOCK_DGRAM)
    or die "cannot listen: $!\n";

# the workers of a root's nginx are nobody

chmod 0755, $path =~ s{/log$}{}r or die "chmod: $!\n";
chmod 0777, $path or die "chmod: $!\n";

my $heard = '';

sub hears {
    my ($what) = @_;

    while ($heard !~ $what && IO::Select->new($syslog)->can_read(20)) {
        $syslog->recv(my $line, 4096);
        $heard .= "$line\n";
    }

    return like($heard, $what, @_[1 .. $#_]);
}

my $fake = Msgbus::Fake->new->start;
my $nginx = $fake->node(
    main => "error_log syslog:server=unix:$path,tag=bus info;")->start;

$fake->wait_until_up($nginx);
$fake->set(away => 1);

hears(qr/^<187>.* bus: .*\[error\] .*msgbus can not use its store/m,
      'that the database can not be used is told, as an error');
unlike($heard, qr/its store .* again/, 'and nothing else yet');

$fake->set(away => 0);

hears(qr/^<189>.* bus: .*\[notice\] .*msgbus uses its store .*again/m,
      'and that it is used again, as a notice');

$nginx->quit;
$nginx->no_alerts;

done_testing;
