#!/bin/bash

# Copyright (C) the msgbus authors

# Finding: a program that sets its title loses UBSAN_OPTIONS, and goes on after
# an error that should end it.
#
# Version: GCC 12.2.0 with its libubsan, Debian 12's.
#
# Behavior: the runtime of -fsanitize=undefined reads UBSAN_OPTIONS when it has
# its first error to report, not when the program starts.  It reads them from
# the memory that the kernel has filled with the environment.  A program that
# writes its title over that memory, as nginx, PostgreSQL and others do, has
# moved its environment elsewhere first.  getenv() still has the options; the
# runtime finds none.  So "halt_on_error=1" is not obeyed, nor "exitcode",
# "log_path" or "suppressions".
#
# Why one would guess wrong: a sanitizer's options are read once, at the start,
# and that is so of AddressSanitizer and of Clang 14's UBSan.  A trial with an
# error at the start ends the program as it should.  But the workers of a server
# have their titles long before the code under test runs.  Their errors are
# lines on stderr or in a log, the program ends with 0, and the run is green.
#
# What to do: compile the options in, by __ubsan_default_options(), or compile
# with -fno-sanitize-recover.  Or make the first error on purpose, and see the
# run fail.
#
# Here a program has a signed overflow, with "halt_on_error=1:exitcode=66".
# Seen, as its exit code and whether it went on behind the error:
#
#     no title                                 66, ended
#     title                                    0, went on; getenv() has them
#     title, __ubsan_default_options()         66, ended
#     title, -fno-sanitize-recover=undefined   1, ended
#
# It needs apt-get with the packages of Debian 12, and binutils with libc6-dev.
# It ends with 0 while this is so, and with 1, and a sentence, when it is not
# any more.

set -euo pipefail

tmp=$(mktemp -d)
ready=

leave() {
    rm -rf "$tmp"

    if [ -z "$ready" ]; then
        echo "It could not be set up: this says nothing." >&2
        exit 2
    fi
}

trap leave EXIT
cd "$tmp"

timeout 300 apt-get download -qq gcc-12=12.2.0-14* cpp-12=12.2.0-14* \
    libgcc-12-dev=12.2.0-14* libubsan1=12.2.0-14* libstdc++6=12.2.0-14* \
    libisl23 libmpc3 libmpfr6 libgmp10 2> apt.log || {
    cat apt.log
    exit 1
}

for package in *.deb; do
    dpkg -x "$package" .
done


# --- a program that may set its title, and then has an error

cat > program.c <<'C'
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern char  **environ;

/* the environment is copied, and the title written over where it was */

static void
set_title(char **argv, const char *title)
{
    char    *end, **copy;
    size_t   i, n;

    end = argv[0];

    for (i = 0; argv[i]; i++) {
        end = argv[i] + strlen(argv[i]) + 1;
    }

    for (n = 0; environ[n]; n++) { /* void */ }

    copy = calloc(n + 1, sizeof(char *));

    if (copy == NULL) {
        exit(2);
    }

    for (i = 0; i < n; i++) {

        if (environ[i] == end) {
            end += strlen(end) + 1;
        }

        copy[i] = strdup(environ[i]);
    }

    environ = copy;

    memset(argv[0], 0, end - argv[0]);
    strncpy(argv[0], title, end - argv[0] - 1);
}

int
main(int argc, char **argv)
{
    volatile int  number = INT_MAX;

    if (argc > 1) {
        set_title(argv, "worker");
    }

    number = number + 1;

    printf("went on, with %s\n", getenv("UBSAN_OPTIONS"));

    return 0;
}
C

cat > options.c <<'C'
const char *
__ubsan_default_options(void)
{
    return "halt_on_error=1:exitcode=66";
}
C

libraries=$tmp/usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH)

compile() {
    LD_LIBRARY_PATH=$libraries timeout 60 \
        usr/bin/gcc-12 -fsanitize=undefined "$@"
}

compile -o plain program.c
compile -o compiled-in program.c options.c
compile -fno-sanitize-recover=undefined -o no-recover program.c


# --- what it does

ready=yes
changed=0

# check NAME SEEN PROGRAM...: whether it ends with this code, and goes on or not

check() {
    local name=$1 seen=$2 got code=0

    shift 2
    got=$(UBSAN_OPTIONS=halt_on_error=1:exitcode=66 LD_LIBRARY_PATH=$libraries \
          timeout 20 "$@" 2> error) || code=$?

    grep -q "signed integer overflow" error || got="no error"
    got="$code, ${got:-ended}"

    echo "GCC 12.2.0, $name: $got"

    if [ "$got" != "$seen" ]; then
        echo "Changed: $name, it was: $seen."
        changed=1
    fi
}

check "no title" "66, ended" ./plain

check "title" "0, went on, with halt_on_error=1:exitcode=66" ./plain title

check "title, __ubsan_default_options()" "66, ended" ./compiled-in title

check "title, -fno-sanitize-recover" "1, ended" ./no-recover title

exit $changed
