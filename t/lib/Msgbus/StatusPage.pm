package Msgbus::StatusPage;

# The page of msgbus_status in a browser, as somebody sees it.
#
#     my $page = Msgbus::StatusPage->new($browser, "http://...#every=0.2",
#                                        width => 360, dark => 1);
#     $page->state              'live', 'no answer', ...
#     $page->notes              what needs attention, a line each
#     $page->fact('bus', 'Posts', 'events')
#     $page->plot('bus', 'Events published')    its number, in words
#     $page->complaints         errors, and what the policy has blocked
#     $page->barriers           what axe-core finds: too little contrast, ...
#     $page->overflow           how many pixels it is wider than its window
#     $page->screenshot($file)  all of it, or the first so many pixels of height

use strict;
use warnings;

use Cwd ();
use File::Basename qw(dirname);
use JSON::PP;
use MIME::Base64 ();

use Msgbus::Browser;


my $watch = <<'END';
    window.complaints = [];

    for (const name of ['securitypolicyviolation', 'error',
                        'unhandledrejection'])
    {
        addEventListener(name, event => complaints.push(
            name + ': ' + (event.blockedURI || event.message || event.reason)));
    }
END

my $root = Cwd::abs_path(dirname(__FILE__) . '/../../..');


# axe-core's script, which npm fetches once; undef where it can not

sub axe {
    my $folder = "$root/.cache/axe";
    my $script = "$folder/node_modules/axe-core/axe.min.js";
    my $want = Msgbus::Nginx::slurp("$root/t/axe/package-lock.json");

    if (!-f $script
        || Msgbus::Nginx::slurp("$folder/package-lock.json") ne $want)
    {
        system("mkdir -p '$folder' && cp '$root'/t/axe/* '$folder' && cd '$folder'"
               . ' && npm ci --silent --no-audit --no-fund --ignore-scripts'
               . ' > npm.log 2>&1') == 0 or return;
    }

    return Msgbus::Nginx::slurp($script);
}


sub new {
    my ($class, $browser, $url, %o) = @_;

    my $page = $browser->open('about:blank');
    my $self = bless { page => $page, browser => $browser, width => 1280, %o },
                     $class;

    $self->call('Page.enable', {});
    $self->call('Page.addScriptToEvaluateOnNewDocument', { source => $watch });
    $self->window(%o);
    $self->call('Page.navigate', { url => $url });

    return $self;
}


sub call {
    my ($self, $method, $params) = @_;

    return $self->{browser}->call($method, $params, $self->{page}{session});
}


sub window {
    my ($self, %o) = @_;

    $self->{width} = $o{width} if $o{width};

    $self->call('Emulation.setDeviceMetricsOverride', {
        width => 0 + $self->{width}, height => 900, deviceScaleFactor => 1,
        mobile => $self->{width} < 600 ? JSON::PP::true : JSON::PP::false,
    });

    $self->call('Emulation.setEmulatedMedia', {
        features => [{ name  => 'prefers-color-scheme',
                       value => $o{dark} ? 'dark' : 'light' }],
    });

    return;
}


sub evaluate { my $self = shift; return $self->{page}->evaluate(@_) }


sub list {
    my ($self, $expression) = @_;

    my $json = $self->evaluate("JSON.stringify($expression)");

    return @{ JSON::PP->new->decode($json) };
}


sub state {
    my ($self) = @_;

    return $self->evaluate('document.querySelector("#state")?.textContent') // '';
}


sub notes {
    my ($self) = @_;

    return $self->list('[...document.querySelectorAll(".notes li")]'
                       . '.map(item => item.textContent)');
}


# null is '': nothing of that name is there

sub fact {
    my ($self, $zone, $card, $name) = @_;

    my $names = JSON::PP->new->encode([$zone, $card, $name]);

    return $self->evaluate(<<"END") // '';
        (([zone, card, name]) => [...document.querySelectorAll('main > section')]
            .filter(one => one.querySelector('h2 bdi')?.textContent === zone)
            .flatMap(one => [...one.querySelectorAll('.card')])
            .filter(one => one.querySelector('h3')?.textContent === card)
            .flatMap(one => [...one.querySelectorAll('dl div')])
            .find(one => one.querySelector('dt').textContent === name)
            ?.querySelector('dd').textContent.replaceAll('\\u00a0', ' '))($names)
END
}


sub plot {
    my ($self, $zone, $card) = @_;

    my $names = JSON::PP->new->encode([$zone, $card]);

    return $self->evaluate(<<"END") // '';
        (([zone, card]) => [...document.querySelectorAll('main > section')]
            .filter(one => one.querySelector('h2 bdi')?.textContent === zone)
            .flatMap(one => [...one.querySelectorAll('.card')])
            .find(one => one.querySelector('h3')?.textContent === card)
            ?.querySelector('svg').getAttribute('aria-label')
            .replaceAll('\\u00a0', ' '))($names)
END
}


sub complaints { return $_[0]->list('complaints') }

sub barriers {
    my ($self) = @_;

    my $axe = $self->{axe} //= axe() // die "axe-core is not there\n";

    $self->evaluate("$axe; 0");

    return @{ JSON::PP->new->decode($self->evaluate(<<'END')) };
        axe.run().then(result => JSON.stringify(result.violations.flatMap(
            rule => rule.nodes.map(node => `${rule.id}: ${node.html}`))))
END
}

sub overflow {
    my ($self) = @_;

    return $self->evaluate('document.documentElement.scrollWidth')
           - $self->{width};
}


sub screenshot {
    my ($self, $file, $height) = @_;

    my $all = $self->evaluate('document.documentElement.scrollHeight');

    $height = $all if !$height || $height > $all;

    my $answer = $self->call('Page.captureScreenshot', {
        format => 'png', captureBeyondViewport => JSON::PP::true,
        clip => { x => 0, y => 0, width => 0 + $self->{width},
                  height => 0 + $height, scale => 1 },
    });

    open my $out, '>:raw', $file or die "$file: $!\n";
    print $out MIME::Base64::decode($answer->{data});
    close $out or die "$file: $!\n";

    return;
}


1;
