# nginx -t warns where a location with rules of its own lies below one that may
# show its channels, by msgbus_scope all, many or parent.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Nginx;


Msgbus::Nginx->limit(60);

# what nginx -t says of these locations, in as many words as there are warnings

sub said {
    my ($location, $http) = @_;

    my $nginx = Msgbus::Nginx->new(
        http     => 'msgbus_zone zone=bus:1m; msgbus_zone zone=other:1m;'
                    . ($http // ''),
        location => $location,
    );

    $nginx->configure;

    my $binary = $ENV{TEST_NGINX_BINARY} || 'nginx';
    my $said = `'$binary' -t -p '$nginx->{dir}' -c '$nginx->{dir}/nginx.conf' 2>&1`;

    die "nginx -t: $said" if $said !~ /test is successful/;

    return join ' ', map { "$_->[0] $_->[1] $_->[2] $_->[3]" }
           sort { "@$a" cmp "@$b" } warnings($said);
}

sub warnings {
    my ($said) = @_;
    my @warnings;

    my $warning = qr/\[warn\].*location "(.*?)" is guarded by (\S+), but what /
                . 'is posted there can be read in location "(.*?)" by '
                . 'msgbus_scope "(.*?)"';

    while ($said =~ /$warning/g) {
        push @warnings, [$1, $2, $3, $4];
    }

    return @warnings;
}

my $below = sub {
    return "location / { msgbus bus; msgbus_scope $_[0]; }
            location /private/ { msgbus bus; msgbus_channel \$uri; $_[1] }
            location = /auth { return 204; }";
};


# what guards

my %rules = (
    'allow 127.0.0.1; deny all;'   => 'ngx_http_access_module',
    'auth_basic x; auth_basic_user_file x;' => 'ngx_http_auth_basic_module',
    'auth_request /auth;'          => 'ngx_http_auth_request_module',
    'limit_conn c 1;'              => 'ngx_http_limit_conn_module',
    'limit_req zone=r;'            => 'ngx_http_limit_req_module',
    'limit_except POST { deny all; }' => 'limit_except',
    'msgbus_methods publish;'      => 'msgbus_methods',
    'msgbus_require_uuid on;'      => 'msgbus_require_uuid',
);

my $zones = 'limit_conn_zone $remote_addr zone=c:1m;
             limit_req_zone $remote_addr zone=r:1m rate=1r/s;';

for my $rule (sort keys %rules) {
    is(said($below->('exact many', $rule), $zones),
       "/private/ $rules{$rule} / many", "warned of: $rule");
}

is(said($below->('exact many', '')), '', 'no rule, no warning');
is(said($below->('exact many', 'client_max_body_size 1k; add_header A b;
                                msgbus_scope exact;')), '',
   'nor for what lets all in');


# who shows

my $deny = 'deny all;';

is(said($below->('exact', $deny)), '', 'exact shows nothing of others');
is(said($below->('all', $deny)), '/private/ ngx_http_access_module / all',
   'all does');
is(said($below->('exact parent', $deny)), '',
   'parent does not, for its children are in that location too');
is(said("location / { msgbus bus; msgbus_scope exact parent; }
         location = /a { msgbus bus; msgbus_channel /a; $deny }"),
   '/a ngx_http_access_module / parent', '    but for one of an exact location');

my $root = sub {
    return "location = $_[0] { msgbus bus; msgbus_channel $_[1];
                               msgbus_scope exact parent $_[2]; }
            location /private/ { msgbus bus; msgbus_channel \$uri; $deny }
            location = /private { msgbus bus; msgbus_channel /private; $deny }";
};

is(said($root->('/', '/', 'many')),
   '/private ngx_http_access_module / many '
   . '/private/ ngx_http_access_module / many',
   'an exact location does, where its channel is the root');
is(said($root->('/', '/', 'all')),
   '/private ngx_http_access_module / all '
   . '/private/ ngx_http_access_module / all', '    by all, too');
is(said($root->('/', '/', '')), '', '    which has no parent');
is(said($root->('/', '/news', 'many all')), '',
   'one of another channel asks for no more than what is below that');

is(said("location / { msgbus bus; msgbus_scope exact parent all;
                      msgbus_methods publish; }
         location /private/ { msgbus bus; msgbus_channel \$uri; $deny }"), '',
   'one that does not read does not');
is(said($below->('exact', $deny), 'msgbus_rse on;'), '',
   'what is said wins over what RSE\'s clients need');
is(said("location / { msgbus bus; msgbus_rse on; }
         location /private/ { msgbus bus; msgbus_channel \$uri; $deny }"),
   '/private/ ngx_http_access_module / all', '    which is all');


# which are below

is(said("location / { msgbus bus; msgbus_scope all; }
         location /private/ { msgbus other; $deny }"), '',
   'another bus is not below');
is(said("location /a/ { msgbus bus; msgbus_scope all; }
         location /ab/ { msgbus bus; $deny }
         location /a/b/ { msgbus bus; $deny }"),
   '/a/b/ ngx_http_access_module /a/ all', 'nor is another path');
is(said("location /a/ { msgbus bus; msgbus_scope all; $deny
             location /a/b/ { msgbus bus; allow all; }
             location /a/c/ { msgbus bus; } }"),
   '/a/b/ ngx_http_access_module /a/ all',
   'what a nested location has from its outer one is no rule of its own');
is(said("allow 127.0.0.1; deny all;
         location / { msgbus bus; msgbus_scope all; }
         location /private/ { msgbus bus; }"), '',
   'nor what both have from their server');


# msgbus_many_below

my $limited = sub {
    return "location / { msgbus bus; msgbus_scope exact many $_[1];
                         msgbus_many_below $_[0]; }
            location /private/ { msgbus bus; msgbus_channel \$uri; $deny }";
};

is(said($limited->('/rooms /news', '')), '', 'msgbus_many_below keeps it out');
is(said($limited->('/rooms /private/a', '')),
   '/private/ ngx_http_access_module / many', '    or lets a part of it in');
is(said($limited->('/rooms', 'all')), '/private/ ngx_http_access_module / all',
   '    and says nothing of events=all');

done_testing();
