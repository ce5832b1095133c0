package Msgbus::Results;

# A harness for prove, which writes what came of each test file:
#
#     RESULTS=FILE prove --harness Msgbus::Results t/*.t
#
# FILE gets a line when a test file has ended, with six cells and tabs between
# them: the file; ok, failed or skipped; how many tests it ran; for how many
# seconds; $RESULTS_TRY; and why it was skipped.

use strict;
use warnings;

use parent 'TAP::Harness';


sub new {
    my ($class, @args) = @_;

    my $self = $class->SUPER::new(@args);

    # where it is now: a test's folder is its own affair
    open my $out, '>>', $ENV{RESULTS} or die "no results: $ENV{RESULTS}: $!\n";

    $out->autoflush(1);
    $self->callback(after_test => sub { result($out, @_) });

    return $self;
}


sub result {
    my ($out, $job, $parser) = @_;

    my $reason = $parser->skip_all // '';

    my $state = $parser->has_problems ? 'failed'
                : $reason ne ''       ? 'skipped'
                :                       'ok';

    $reason =~ tr/\t\n|/   /;

    print $out join("\t", $job->[0], $state, $parser->tests_run,
                    sprintf('%.1f', $parser->end_time - $parser->start_time),
                    $ENV{RESULTS_TRY} // 1, $reason), "\n"
        or die "no results: $!\n";
}


1;
