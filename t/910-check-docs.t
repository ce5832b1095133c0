# tools/check-docs complains of each directive and variable that lacks its
# section, one of its fields or a test, and of sections of what is not there.
#
# A small project that is in order is spoiled in one place at a time.

use strict;
use warnings;

use Cwd qw( abs_path );
use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Spoiled;


my $tool = abs_path('tools/check-docs');
my $module = 'ngx_http_msgbus_module.c';
my $docs = 'docs/directives.md';
my $test = 't/001-test.t';

my %good;

$good{$module} = <<'END';
static ngx_command_t  ngx_http_msgbus_commands[] = {

    { ngx_string("msgbus"),
      NGX_HTTP_LOC_CONF|NGX_HTTP_LIF_CONF|NGX_HTTP_LMT_CONF|NGX_CONF_TAKE1,
      ngx_http_msgbus,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    /* { ngx_string("msgbus_later"), NGX_HTTP_LOC_CONF, */

    { ngx_string("msgbus_status"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF
                        |NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_msgbus_status,
      0,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_variable_t  ngx_http_msgbus_variables[] = {

    { ngx_string("msgbus_id"), NULL, ngx_http_msgbus_variable_id, 0, 0, 0 },

      ngx_http_null_variable
};
END

$good{$docs} = <<'END';
# Directives

### msgbus
- **syntax:** *msgbus &lt;zone&gt; | off*
- **default:** *off*
- **context:** *location, if in location, limit_except*
- **since:** *0.1.0*

Text, of `msgbus_nothing`, too.

### `msgbus_status`

- **syntax:** `msgbus_status`
- **default:** none
- **context:** server, http, location
- **since:** 0.1.0

## Variables

### $msgbus_id
**since:** *0.1.0*
END

$good{$test} = <<'END';
--- config
    location / { msgbus bus; }
    msgbus_status;
    add_header X-Id $msgbus_id;
END


my $project = Msgbus::Spoiled->new(\%good, sub { return "'$tool' '$_[0]'" });

sub spoil { return $project->spoil(@_) }


my ($rc, $said) = $project->run;

is($rc, 0, 'a project in order passes');
is($said, "check-docs: 2 directives, 1 variables, no complaint\n",
   'and that is said in one line');

spoil('no section "### msgbus"', $docs, "### msgbus\n", "### Msgbus\n");
spoil('no section "### msgbus"', $docs, "### msgbus\n", "#### msgbus\n");
spoil('msgbus: no line "- **syntax:** ..."', $docs, '**syntax:** *', '*syntax: ');
spoil('msgbus: no line "- **default:** ..."', $docs, '- **default:** *off*', '');
spoil('msgbus: no line "- **default:** ..."', $docs,
      '**default:** *off*', '**default:**');
spoil('msgbus: no line "- **context:** ..."', $docs, '**context:**', 'context:');
spoil('msgbus: no line "- **since:** ..."', $docs,
      '- **since:** *0.1.0*', '**since:** *0.1.0*');
spoil('its syntax does not begin with its name', $docs,
      '*msgbus &lt;', '*msgbus_zone &lt;');
spoil('context is "location, if in location, limit_except"', $docs,
      ', limit_except', '');
spoil('context is "http, server, location"', $docs,
      'server, http, location', 'http, server, location, if in location');
spoil('context is "http, server, if in server, location"', $module,
      'NGX_HTTP_SRV_CONF', 'NGX_HTTP_SRV_CONF|NGX_HTTP_SIF_CONF');
spoil('there is no directive msgbus_gone', $docs,
      '## Variables', "### msgbus_gone\n\n## Variables");
spoil('two sections of msgbus_status', $docs,
      '## Variables', "### msgbus_status\n\n## Variables");

spoil("msgbus is in no test's configuration", $test, 'msgbus bus', 'bus');
spoil("msgbus is in no test's configuration", $test,
      '    location / { msgbus bus; }', '    # location / { msgbus bus; }');
spoil("msgbus_status is in no test's configuration", $test,
      'msgbus_status;', 'msgbus_status_two;');

spoil('no section "### $msgbus_id"', $docs, '### $msgbus_id', '### Id');
spoil('$msgbus_id: no "**since:** ..."', $docs,
      "_id\n**since:**", "_id\nsince");
spoil('there is no variable $msgbus_x', $docs,
      '### $msgbus_id', "### \$msgbus_x\n**since:** *1*\n\n### \$msgbus_id");
spoil('$msgbus_id is in no test', $test, '$msgbus_id', '$msgbus_ids');

# words that do not come back

my $plain = 'Text, of `msgbus_nothing`, too.';

for ('Who posts it again stores it twice.', 'What is no number is 400.',
     '- **Who waits** is counted.', '| what is lost | who | Who posted it |',
     'It ends; who comes back gets it.', 'All nginxes are one bus.',
     'Nothing is lost, but for the last one.', 'It begins anew.',
     'It goes on, as ever.', 'The answer is waited for.',
     'A time, by lot.', '| a row | ≤ 1.15, missed |', 'Whoever asks gets it.')
{
    spoil("$docs:9: ", $docs, $plain, $_);
}

# the documents for contributors and of the bench are read, too

for my $file (qw( CONTRIBUTING.md docs/dev/x.md bench/README.md findings/x.md
                  bench/x.md.in bench/results/x.md docs/examples/README.md ))
{
    my ($rc, $said) = $project->run($file => "# X\n\nAll is told anew.\n");

    is($rc, 1, "$file has plain words, too");
    like($said, qr{^\Q$file\E:3: "anew"}m, 'and it says where');
}

# 25 words are a sentence, 26 are too many, also over lines, in a list or a box

my $words = join ' ', map { "w$_" } 1 .. 24;

for ("$words\nmore words.", "- $words more [words](x.md).", "> $words\n> more words.",
     "Short.  $words\n`more` words.  Short.", "1. $words more words")
{
    spoil("$docs:9: a sentence of 26 words, at most 25", $docs, $plain, $_);
}

for ("$words more.", "$words more: and so on.", "$words\n\n$words",
     "- $words\n- $words", "| a | b |\n|---|---|\n| $words` a b `")
{
    my $cells = /^\|/ ? s/ w15.*//sr . ' |' : $_;

    is(($project->run($docs => $good{$docs} =~ s/\Q$plain\E/$cells/r))[0], 0,
       'short enough: ' . $cells =~ s/\n/\\n/gr);
}

my $cell = join ' ', map { "w$_" } 1 .. 15;

spoil("$docs:11: a cell of 15 words, at most 14", $docs, $plain,
      "| a | b |\n|---|---|\n| short | $cell |");

is(($project->run('docs/dev/x.md' => "$words more words\n\n| $cell |\n"))[0], 0,
   'pages for contributors may have longer ones');

spoil("$docs:9: ", $docs, $plain, $_)
    for "Nothing is lost, but\nfor the last one.", "- It is waited\n  for.";

spoil("$docs:10: a prompt", $docs, $plain, "```sh\n\$ ls\n```");

spoil("$docs:11: systemd's nginx does not start", $docs, $plain,
      "```nginx\naccess_log /var/log/nginx/a.log;\naccess_log $_ bus;\n```")
    for '/dev/stdout', '/dev/stderr';

spoil("$docs:13: a table without a head", $docs, $plain,
      "| a | b |\n|---|---|\n\n| c | d |\n| e | f |");
spoil("$docs:10: a table without a head", $docs, $plain,
      "| a | b |\n| c | d |");

is(($project->run($docs => $good{$docs} . "```sh\n# Who\n```\n\n`but for`\n"))[0],
   0, 'code is no sentence');

# a picture that somebody took on the way does not stay

for my $file (qw( shot.png docs/images/run.png docs/x.svg )) {
    my ($name) = $file =~ m{([^/]+)$};

    ($rc, $said) = $project->run($file => '', 'README.md' => "![x](x-$name)\n");

    is($rc, 1, "$file, which no page shows, is complained of");
    is($said =~ s/\n.*//sr, "$file: no page shows this picture", 'by its name');

    is(($project->run($file => '', 'README.md' => "![x]($file)\n"))[0], 0,
       'and where a page shows it, it is not');
}

# t/924-house.t tells more of it

($rc, $said) = $project->run('src/bus/ngx_msgbus.h' => '');

is($rc, 1, 'a house of which there is no picture is complained of');
like($said, qr{^docs/house.svg is not of these sources: run "make house"$}m,
     'by whoever looks after the picture');

($rc, $said) = $project->run($module => '');

isnt($rc, 0, 'sources without a directive are an error, not a success');

delete $good{$docs};
($rc, $said) = $project->run;

is($rc, 1, 'and so is a missing reference');
like($said, qr/no section "### msgbus_status"/, 'of which each is missing');

done_testing();
