# The tutorial can be followed: each of its commands does what it says, and its
# page shows in a real browser what is published, over TLS, from another origin.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP ();
use Test::More;

use Msgbus::Browser;
use Msgbus::Examples;


chdir "$FindBin::Bin/.." or die "no project folder: $!\n";

Msgbus::Nginx->limit(120);

my $tutorial = Msgbus::Examples->new(daemon => 1, files_first => 1);

$tutorial->document('docs/tutorial.md');

my $nginx = $tutorial->{nginx};
my $link = Msgbus::Nginx::slurp("$nginx->{dir}/shop-link");

chomp $link;
like($link, qr{^https://127\.0\.0\.1:\d+/order\.html#https://}, 'a link');

my $browser = Msgbus::Browser->new;
my $page = $browser->open('about:blank');

# what the reader clicks

$browser->call('Security.setIgnoreCertificateErrors',
               { ignore => JSON::PP::true }, $page->{session});

$page->evaluate('location.href = ' . JSON::PP->new->allow_nonref->encode($link));

sub shows {
    my ($what) = @_;

    $nginx->until(20, "the page to show $what", sub {
        return eval {
            $page->evaluate('Array.from(document.querySelectorAll("li"),'
                            . ' item => item.textContent).join(" ")') eq $what;
        };
    });

    return pass("the page shows: $what");
}

shows('paid shipped delivered');

my ($bus) = $link =~ m{#(https://[^/]+)};

is(system('curl', '-s', '--noproxy', '*', '--cacert', "$nginx->{dir}/shop.crt",
          "$bus/publish/orders/18", '-d', '{"status":"of another order"}'), 0,
   'another order goes on');
is(system('curl', '-s', '--noproxy', '*', '--cacert', "$nginx->{dir}/shop.crt",
          "$bus/publish/orders/17", '-d', '{"status":"returned"}'), 0,
   'and so does this one');

shows('paid shipped delivered returned');

# an address that was cut at its #

my ($cut) = $link =~ /^([^#]*)/;

$page->evaluate('location.href = ' . JSON::PP->new->allow_nonref->encode($cut)
                . ' + "?cut"');

$nginx->until(20, 'the page to say what is missing', sub {
    return eval {
        $page->evaluate('document.querySelector("p").textContent')
            eq 'This address has no link behind its #';
    };
});

pass('without a link, the page says so');

# and not from a page of another origin

my $elsewhere = $browser->open('about:blank');

$browser->call('Security.setIgnoreCertificateErrors',
               { ignore => JSON::PP::true }, $elsewhere->{session});

my ($order) = $link =~ /#(.*)/;

is($elsewhere->evaluate('fetch(' . JSON::PP->new->allow_nonref->encode($order)
                        . ').then(r => "read", e => "refused")'), 'refused',
   'a page of another origin does not read it');

$nginx->no_alerts;

done_testing;
