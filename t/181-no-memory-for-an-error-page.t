# Where there is no memory for the text of an error_page, nginx gives the request
# up, as it does in other locations: it does not lead the client to nowhere.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Nginx;


Msgbus::Nginx->limit(30);

# 100 times what the client says: more than anything else that is asked for

my $long = '$arg_long' x 100;

my $nginx = Msgbus::Nginx->new(
    workers  => 1,
    http     => 'msgbus_zone zone=bus:1m; msgbus_require_uuid off;',
    location => "location / { msgbus bus; }
                 location = /plain { deny all; error_page 403 /page?$long; }
                 location /bus/ { msgbus bus; deny all;
                                  error_page 403 /page?$long; }
                 location = /page { return 200 'a page\n'; }",
);

my $poor = "$nginx->{dir}/poor";

open my $out, '>', "$poor.c" or die "$poor.c: $!\n";
print $out <<'END';
#include <errno.h>
#include <stddef.h>

extern void *__libc_malloc(size_t size);

void *
malloc(size_t size)
{
    if (size >= 700000 && size < 720000) {
        errno = ENOMEM;
        return NULL;
    }

    return __libc_malloc(size);
}
END
close $out;

system(split(' ', $ENV{CC} || 'cc'), qw(-shared -fPIC -O1 -o), "$poor.so",
       "$poor.c") == 0 or plan skip_all => 'needs glibc';

{
    plan skip_all => 'a checker has a malloc() of its own' if $ENV{LD_PRELOAD};

    local $ENV{LD_PRELOAD} = "$poor.so";
    $nginx->start;
}

my ($worker) = $nginx->worker_pids;

if (Msgbus::Nginx::slurp("/proc/$worker/maps") !~ /\Q$poor.so\E/) {
    $nginx->quit;
    plan skip_all => 'nginx does not take a malloc() of ours';
}

for my $uri ('/plain', '/bus/a') {
    is($nginx->client->get("$uri?long=a")->status, 403, "$uri has its page");
    is($nginx->client->get("$uri?long=" . 'x' x 7000)->status, 0,
       '    and no answer where there is no memory for it');
}

is($nginx->client->post('/a', '[1]')->status, 201, 'the worker goes on');

$nginx->quit;
$nginx->no_alerts(qr/malloc\(\d+\) failed/);

done_testing;
