# An event whose key is in the store already is not stored again: what stands
# before it in a batch is durable, what stands behind it is not, and the store
# tells which event has the key.  Of whichever node that is, and whether or not
# this one has heard of it; and after a start, too.
#
# t/unit/store_keys.c asks a journal, and a MongoDB that tells of which index a
# duplicate is; t/698-keys-in-a-database.t a real one.

use strict;
use warnings;

use File::Temp;
use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/unit";

use Test::More;

use Keys;
use Msgbus::Fake;
use Unit;


plan skip_all => Unit->lacks if Unit->lacks;

my $keys = Keys->new;

{
    my $dir = File::Temp->newdir(-w '/dev/shm' ? (DIR => '/dev/shm') : ());

    open my $out, '>', "$dir/manifest";
    print $out "msgbus journal 1\nzone bus\nttl 60000\nsegment 65536\nsize 0\n";
    close $out;

    $keys->well('a journal', 1210, 'journal', "$dir");
}

{
    my $fake = Msgbus::Fake->new->start;

    $keys->well('a MongoDB', 1210, 'mongodb', $fake->uri, $fake->database);

    my ($index) = grep { $_->{name} eq 'msgbus_key' } $fake->indexes;

    is_deeply($index, { key => { key => 1 }, name => 'msgbus_key',
                        unique => JSON::PP::true,
                        partialFilterExpression
                            => { key => { '$exists' => JSON::PP::true } } },
              'the index is unique, and of what has a key');
}

# FerretDB names the index in the text alone

for my $text ('mute') {
    my $fake = Msgbus::Fake->new->start;

    $fake->set(patternless => $text);
    $keys->well('one that does not tell of which index a duplicate is', 1210,
                'mongodb', $fake->uri, $fake->database);
}

{
    my $fake = Msgbus::Fake->new->start;

    $fake->set(no_unique => 1);
    $keys->well('one that makes no unique index', 2, 'mongodb', $fake->uri,
                $fake->database, 'keyless');
}

done_testing;
