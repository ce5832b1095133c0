# Copyright (C) the msgbus authors

# The module, its tests and its tools; "make help" says what there is.
#
# nginx's own configure and Makefile do the building, in build/, from config.
# They bring -W (which is -Wextra), -Wall and -Wpointer-arith, with one
# exception, that nginx's own callbacks need: -Wno-unused-parameter.  They get
# what else the compiler can see of the house style: no array of variable
# length, and no function that neither a header declares nor is static.

SHELL        = /bin/bash

NGINX_SRC   ?= /usr/share/nginx/src
NGINX_FLAGS ?= --with-compat
NGINX       ?= nginx
PORT        ?= 8080
TESTS       ?= $(sort $(wildcard t/*.t))
PROVE_OPTS  ?=

# test files that run at the same time; t/testrules.yml says which run alone
TEST_JOBS   ?= 1
PROVE        = $(if $(filter-out 1,$(TEST_JOBS)),-j$(TEST_JOBS) --exec tools/test-slot) \
               $(PROVE_OPTS)

# not empty: a warning is an error, as in our own CI.  Another compiler has
# other warnings, and they are not to stop a user's build.
WERROR      ?=

# no: a module without the store in MongoDB, and without its libraries
MONGODB     ?= yes

ifneq ($(filter no off 0,$(MONGODB)),)
MSGBUS_WITHOUT_MONGODB = 1
endif

# those of TESTS that run nginx; and some that go through most of the module,
# for valgrind is 10 times slower and hides nginx's processes from the others;
# and what a worker's thread, which is there with a MongoDB, meets of all sorts
ASAN_TESTS  ?= $(filter-out t/3% t/900-% t/910-% t/922-%,$(TESTS))
TSAN_TESTS  ?= $(wildcard t/130-* t/135-* t/150-* t/691-* t/61[01346]-* t/62* t/630-* t/64[0-3]-* t/647-* \
               t/657-*)
VALGRIND_TESTS ?= $(wildcard t/001-* t/003-* t/013-* t/021-* t/024-* t/026-* \
               t/030-* t/031-* t/042-* t/051-* t/080-* t/081-* t/083-* t/102-*)

BUILD        = build
PREFIX       = /usr/local
WARNINGS     = -Wvla -Wmissing-prototypes
CC_OPT       = -g -O2 -fPIC $(WARNINGS)
LD_OPT       = -fPIC
SANITIZE     = -fsanitize=address,undefined -fsanitize-recover=address \
               -fno-omit-frame-pointer

# as a library, UBSan would be mistaken for a part of ASan's, and write its
# reports to nginx's error log instead of the file that it was told
SANITIZE_LD  = $(SANITIZE) -static-libubsan -Wl,--exclude-libs,libubsan.a

# which keeps where they go to

UBSAN_O      = $(CURDIR)/build/checked/ubsan.o

# what t/checked/tsan.c is told by them is written there

TSAN         = -fsanitize=thread -fno-omit-frame-pointer \
               --param tsan-distinguish-volatile=1
TSAN_LD      = -fsanitize=thread

MODULE       = ngx_http_msgbus_module.so

ifeq ($(origin CC),default)
CC           =
endif

# Debian's nginx is in /usr/sbin, which not every user's path has
export PATH := $(PATH):/usr/sbin:/sbin
export NGINX_SRC NGINX_FLAGS PORT BUILD CC CC_OPT LD_OPT WERROR \
       MSGBUS_WITHOUT_MONGODB

# nginx itself reads $NGINX: the sockets it inherits at a binary upgrade
unexport NGINX


# Debian packages; the nginx of an own NGINX_SRC is the caller's business

ifeq ($(NGINX_SRC),/usr/share/nginx/src)
DEPS         = nginx nginx-dev
endif

DEPS        += gcc libc6-dev make libyajl-dev curl

ifeq ($(MSGBUS_WITHOUT_MONGODB),)
DEPS        += libmongoc-dev pkg-config
endif

# the Perl ones are what Test::Nginx needs; what only some of the tests need,
# a browser or a database, tools/test-deps knows of each
TEST_DEPS    = $(DEPS) perl procps psmisc util-linux mount \
               libhttp-message-perl libipc-run-perl liblist-moreutils-perl \
               libtest-base-perl libtest-longstring-perl libtext-diff-perl \
               liburi-perl libwww-perl

# libFuzzer is clang's
FUZZ_DEPS    = $(DEPS) clang libclang-rt-dev

BENCH_DEPS   = $(DEPS) python3 util-linux valgrind wrk

# what a journal is compared with
STORE_DEPS   = $(BENCH_DEPS) libsqlite3-dev liblmdb-dev

# Debian's Nchan goes with Debian's nginx, which has loaded it from then on
ifeq ($(NGINX_SRC),/usr/share/nginx/src)
PUSH_DEPS    = $(BENCH_DEPS) libnginx-mod-nchan
else
PUSH_DEPS    = $(BENCH_DEPS)
endif

# what the systems that are compared need, bench/ itself installs: what cannot
# be had there is a row of the report
COMPARE_DEPS = $(BENCH_DEPS) httperf gnuplot-nox


# which programs of t/clients "make check-clients" runs, and before what
CLIENTS     ?= all
BOX_DEPS     = haproxy varnish apache2 caddy squid

# which rows of "make matrix", or all; and a source of nginx for its "mainline"
CELLS       ?=
NGINX_HEAD  ?=

.PHONY: all asan check-builds check-clients check-deb deb matrix install uninstall dist deps test-deps bench-deps run test \
        test-push tsan valgrind fuzz soak style check-docs house screenshot \
        bench bench-full bench-report bench-quick bench-mongodb bench-store bench-push \
        compare-deps clean help


# without -j of the caller's: all processors
JOBS         = $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(shell nproc))

all:
	@tools/configure
	@$(MAKE) $(JOBS) -s -C $(NGINX_SRC) -f $(CURDIR)/$(BUILD)/Makefile modules
	@$(MAKE) --no-print-directory -s $(BUILD)/$(TOOL)
	@echo "$(BUILD)/$(MODULE) is up to date"

# what looks after a journal's folder needs of the module the journal's rooms,
# of nginx its headers

TOOL         = msgbus-journal
TOOL_SRCS    = $(wildcard tools/journal/*.c) \
               $(filter-out %_keep.c %_manifest.c %_thread.c %_usage.c, \
                            $(wildcard src/store/ngx_msgbus_journal_*.c))

VERSION      = $(shell sed -n 's/.*NGX_MSGBUS_VERSION *"\(.*\)"/\1/p' src/bus/ngx_msgbus.h)

$(BUILD)/$(TOOL): $(TOOL_SRCS) src/bus/ngx_msgbus.h \
                  $(wildcard tools/journal/*.h src/store/ngx_msgbus_journal*.h)
	$(if $(CC),$(CC),gcc) -W -Wall -Wno-unused-parameter $(CC_OPT) \
	    $(addprefix -I$(NGINX_SRC)/src/,core event event/modules event/quic os/unix) \
	    -I$(BUILD) -Isrc/base -Isrc/store -DMSGBUS_VERSION='"$(VERSION)"' \
	    $(TOOL_SRCS) $(LD_OPT) -lyajl -o $@

PLACES       = NGINX="$(NGINX)" PREFIX="$(PREFIX)" DESTDIR="$(DESTDIR)"

install: all
	@$(PLACES) tools/install

uninstall:
	@$(PLACES) tools/install --remove


# a release: what git has, under a folder of its own

DIST         = $(BUILD)/msgbus-$(VERSION).tar.gz

dist:
	@mkdir -p $(BUILD)
	@git archive --format=tar.gz --prefix=msgbus-$(VERSION)/ -o $(DIST) HEAD
	@echo "$(DIST)"


# Debian's packages; RELEASE=trixie in a clean chroot of that, RELEASES of those
# that are checked

deb:
	@tools/deb $(RELEASE)

check-deb:
	@tools/check-deb --markdown docs/install.md $(DEB_OPTS) $(RELEASES)


deps:
	@tools/deps $(DEPS)

# of the tests that are to run: by the target, or all
CHOICE       = $(TESTS)

test-deps:
	@some="$$(tools/test-deps $(CHOICE))" && \
	    tools/deps $(TEST_DEPS) $$some && \
	    tools/test-nginx > /dev/null && \
	    case $$some in *pymongo*) tools/mongodb setup ;; esac && \
	    if grep -qs tools/clients $(CHOICE); then \
	        tools/clients setup $$(tools/clients list quick) || true; fi && \
	    if grep -qs openapi/schemathesis $(CHOICE); then \
	        tools/clients setup openapi/spectral openapi/schemathesis || true; fi

bench-deps:
	@tools/deps $(BENCH_DEPS) $(PUSH_DEPS)

compare-deps:
	@tools/deps $(COMPARE_DEPS)


run: deps
	@$(MAKE) --no-print-directory all
	@tools/run $(NGINX)

# the picture of README

screenshot:
	@tools/deps $(TEST_DEPS) chromium
	@$(MAKE) --no-print-directory all
	@tools/screenshot

# seconds for an answer: of Test::Nginx's own 3, a busy machine may stand still
# for as long
TIMEOUT      = 10

TEST_ENV     = lib=$$(tools/test-nginx) && \
               export PERL5LIB="$(CURDIR)/t/lib:$$lib:$$PERL5LIB" \
                      TEST_NGINX_SERVROOT=$(CURDIR)/build/servroot \
                      TEST_NGINX_TIMEOUT=$${TEST_NGINX_TIMEOUT:-$(TIMEOUT)}

# A choice of tests (TESTS=t/...) goes without the checks of style and docs.

test: test-deps
	@$(MAKE) --no-print-directory all
ifeq ($(origin TESTS),file)
	@$(MAKE) --no-print-directory -k style check-docs
endif
	@$(TEST_ENV) && \
	    TEST_NGINX_BINARY=$$(command -v $(NGINX)) \
	    TEST_NGINX_LOAD_MODULES=$(CURDIR)/$(BUILD)/$(MODULE) \
	    prove $(PROVE) $(TESTS)

# with libraries and proxies of others; what cannot be made here is told

check-clients:
	@tools/deps $(TEST_DEPS) $$(tools/test-deps t/452-*.t) $(BOX_DEPS)
	@tools/test-nginx > /dev/null
	@tools/clients setup || true
	@$(MAKE) --no-print-directory all
	@$(TEST_ENV) && \
	    TEST_NGINX_BINARY=$$(command -v $(NGINX)) \
	    TEST_NGINX_LOAD_MODULES=$(CURDIR)/$(BUILD)/$(MODULE) \
	    MSGBUS_CLIENTS="$(CLIENTS)" prove $(PROVE) t/452-*.t t/clients/*.t

# nginx stays the distribution's: the module alone is compiled with them

asan: CHOICE = $(ASAN_TESTS)
asan: test-deps
	@mkdir -p build/checked
	@$(if $(CC),$(CC),gcc) -O1 -fPIC -W -Wall -c t/checked/ubsan.c -o $(UBSAN_O)
	@$(MAKE) --no-print-directory all BUILD=build/asan \
	    LD_OPT="-fPIC $(SANITIZE_LD) $(UBSAN_O)" \
	    CC_OPT="-g -O1 -fPIC $(WARNINGS) $(SANITIZE)"
	@$(TEST_ENV) TEST_NGINX_PATIENCE=$${TEST_NGINX_PATIENCE:-3} && \
	    tools/checked-prove asan build/asan $(NGINX) $(PROVE) $(ASAN_TESTS)

# all that waits, held, and parked as soon as it may be

PUSH_TESTS  ?= $(wildcard t/016-* t/080-* t/082-* t/09[1-8]-* t/12[1-4]-* t/128-* \
               t/144-park.t t/15[0-2]-* t/22* t/23* t/24* t/25* t/40[59]-* t/42* t/43* \
               t/64[67]-* t/687-*)

test-push: CHOICE = $(PUSH_TESTS)
test-push: test-deps
	@$(MAKE) --no-print-directory all
	@$(TEST_ENV) && \
	    export TEST_NGINX_BINARY=$$(command -v $(NGINX)) \
	           TEST_NGINX_LOAD_MODULES=$(CURDIR)/$(BUILD)/$(MODULE) && \
	    for park in off "on after=1ms"; do \
	        echo "test-push: msgbus_park $$park"; \
	        TEST_NGINX_PARK="$$park" prove $(PROVE) $(PUSH_TESTS) || exit 1; \
	    done

# as asan; where there is a store, threads run beside the event loop

tsan: CHOICE = $(TSAN_TESTS)
tsan: test-deps
	@$(MAKE) --no-print-directory all BUILD=build/tsan LD_OPT="-fPIC $(TSAN_LD)" \
	    CC_OPT="-g -O1 -fPIC $(WARNINGS) $(TSAN)"
	@$(TEST_ENV) TEST_NGINX_PATIENCE=$${TEST_NGINX_PATIENCE:-3} && \
	    tools/checked-prove tsan build/tsan $(NGINX) $(PROVE) $(TSAN_TESTS)

valgrind: TIMEOUT = 30
valgrind: CHOICE = $(VALGRIND_TESTS)
valgrind: test-deps
	@tools/deps valgrind
	@$(MAKE) --no-print-directory all
	@$(TEST_ENV) && \
	    tools/checked-prove valgrind $(BUILD) $(NGINX) $(PROVE) $(VALGRIND_TESTS)

# bash has a variable SECONDS of its own: the environment's does not count

fuzz: SECONDS = 20
fuzz:
	@tools/deps $(FUZZ_DEPS)
	@$(MAKE) --no-print-directory all
	@tools/fuzz -s $(SECONDS) $(FUZZ)

style:
	@tools/configure
	@tools/style

check-docs:
	@tools/check-docs

house:
	@tools/house

.PHONY: status-page status-shots

status-page:
	@tools/status-page

status-shots:
	@tools/deps $(TEST_DEPS) $$(tools/test-deps tools/status-shots) pngquant
	@$(MAKE) --no-print-directory all
	@TEST_NGINX_BINARY=$$(command -v $(NGINX)) \
	    TEST_NGINX_LOAD_MODULES=$(CURDIR)/$(BUILD)/$(MODULE) tools/status-shots

# what of that needs no chroot

BUILT_TESTS ?= $(wildcard t/001-* t/020-* t/031-* t/135-journal.t t/220-* t/230-*)

check-builds:
	@tools/deps $(DEPS) clang
	@$(MAKE) --no-print-directory test BUILD=build/clang CC=clang WERROR=1 \
	    TESTS="$(BUILT_TESTS)"

# in the systems that the module is for: docs/install.md has what came of it

matrix:
	@MATRIX_DEPS="$(TEST_DEPS)" \
	    tools/matrix $(MATRIX_OPTS) $(if $(NGINX_HEAD),--nginx "$(NGINX_HEAD)") \
	    $(if $(filter-out file,$(origin TESTS)),--tests "$(TESTS)") $(CELLS)

# for hours: with all that befalls a bus

soak: CHOICE = tools/soak
soak: test-deps
	@$(MAKE) --no-print-directory all
	@$(TEST_ENV) && \
	    TEST_NGINX_BINARY=$$(command -v $(NGINX)) \
	    TEST_NGINX_LOAD_MODULES=$(CURDIR)/$(BUILD)/$(MODULE) \
	    tools/soak $(HOURS)

bench-quick:
	@tools/deps $(BENCH_DEPS)
	@$(MAKE) --no-print-directory all
	@$(if $(BASE),BASE="$(BASE)") NGINX_SRC=$(NGINX_SRC) \
	    MODULE=$(CURDIR)/$(BUILD)/$(MODULE) bench/quick $(QUICK_OPTS)

bench-mongodb:
	@tools/deps $(BENCH_DEPS)
	@tools/mongodb setup
	@$(MAKE) --no-print-directory all
	@NGINX_SRC=$(NGINX_SRC) MODULE=$(CURDIR)/$(BUILD)/$(MODULE) bench/mongodb

bench-store:
	@tools/deps $(STORE_DEPS)
	@tools/mongodb setup
	@$(MAKE) --no-print-directory all
	@NGINX_SRC=$(NGINX_SRC) MODULE=$(CURDIR)/$(BUILD)/$(MODULE) \
	    bench/store/run $(STORE_OPTS)

bench-push:
	@tools/deps $(PUSH_DEPS)
	@$(MAKE) --no-print-directory all
	@MODULE=$(CURDIR)/$(BUILD)/$(MODULE) bench/push/run $(PUSH_OPTS)

COMPARE      = NGINX=$(NGINX) MODULE=$(CURDIR)/$(BUILD)/$(MODULE) bench/compare

# what was measured before an interruption or a failure is in the report, too

bench: compare-deps
	@$(MAKE) --no-print-directory all
	@rc=0; $(COMPARE) $(if $(RESUME),--resume) || rc=$$?; bench/report; exit $$rc

bench-full: compare-deps
	@$(MAKE) --no-print-directory all
	@$(if $(STEP),STEP=$(STEP)) $(if $(SECONDS),SECONDS=$(SECONDS)) $(COMPARE) \
	    $(if $(STORE),--store $(STORE)) --full "$(SYSTEM)"

bench-report: compare-deps
	@bench/report


clean:
	@rm -rf build run t/servroot*

help:
	@sed -n '/^#: /{s/^#: //;p}' Makefile

#: make              build the module: build/ngx_http_msgbus_module.so, and
#:                   build/msgbus-journal
#: make run          install what is missing, build, run a bus to try on PORT,
#:                   with a page that shows it live
#: make screenshot   the picture of that page in README: docs/images/run.png
#: make test         install what is missing, build, check, run all tests
#:                   TESTS="t/a.t t/b.t" a choice, PROVE_OPTS=-v options,
#:                   TEST_JOBS=2 two files at a time
#: make test-push    run those about whoever waits twice, parked and held;
#:                   PUSH_TESTS="..." a choice
#: make install      put the module where nginx looks for it (DESTDIR), and
#:                   msgbus-journal and its manual page below PREFIX=/usr/local;
#:                   uninstall: take them away
#: make dist         the sources of HEAD as build/msgbus-VERSION.tar.gz
#: make deb          build Debian packages of it: build/deb/; RELEASE=trixie in
#:                   a clean chroot of bookworm, trixie or sid
#: make check-deb    build, install, upgrade and remove them in chroots of all
#:                   three, in 15 minutes; RELEASES=bookworm a choice;
#:                   DEB_OPTS="--by nice" how each chroot is entered
#: make deps         install what "make" and "make run" need, by apt;
#:                   test-deps and bench-deps: what those need
#: make soak         HOURS=2: buses, publishers and subscribers for so long, with
#:                   reloads, kills and stalls; tells what broke the law and
#:                   what grew; docs/testing.md reads its output; SEED=...
#: make style        check the looks of the sources, and who includes whom
#: make check-docs   check that each directive is documented and tested, and
#:                   that each room of src/ is where docs/dev/design.md says
#: make house        draw who includes whom: docs/house.svg
#: make status-page  the page of msgbus_status as a C string, of its parts in
#:                   src/http/status/; status-shots: its pictures, docs/images/
#: make bench        the bus on many servers beside the module: makes
#:                   bench/results/benchmarks.md, in a quarter of an hour;
#:                   RESUME=1 goes on with a run that was interrupted
#: make bench-full   SYSTEM="Tornado Motor": 20 to 2000 requests/s, 40 minutes;
#:                   STORE=fake for the fake database; STEP=200 SECONDS=10
#: make bench-report bench/results/benchmarks.md again, of the last run
#: make bench-quick  the module beside nginx's own ceiling, BASE=FILE: and beside
#:                   another build of it; QUICK_OPTS=--instructions;
#:                   bench-mongodb: with a MongoDB below the bus
#: make bench-store  what a POST costs that a store makes durable, beside what
#:                   the store costs alone; STORE_OPTS=--short: in a minute
#: make bench-push   measure streams beside Nchan and a bare server; 6 minutes;
#:                   PUSH_OPTS="--only memory --markdown FILE"
#: make check-clients  streams with libraries of others, Node's, Python's, Go's,
#:                   Rust's, Java's and Chromium, and with proxies in front;
#:                   CLIENTS="eventsource-4 r3labs" a choice
#: make asan         run the tests that start nginx with the module under ASan
#:                   and UBSan: build/asan/; ASAN_TESTS="..." a choice
#: make tsan         run some that have a MongoDB under TSan, which finds data
#:                   races: build/tsan/; TSAN_TESTS="..." a choice
#: make valgrind     run some of them under valgrind; VALGRIND_TESTS="..."
#: make fuzz         run the harnesses of t/fuzz/, SECONDS=20 each, FUZZ="..."
#: make matrix       build and test in chroots of Debian bookworm, trixie and
#:                   sid, with nginx's latest source, built in, by clang and
#:                   without MongoDB: the table of docs/install.md; needs root;
#:                   CELLS="sid static" TESTS="..." NGINX_HEAD=FOLDER
#: make check-builds   build with clang, whose warnings are errors, and run some
#:                   tests with that; BUILT_TESTS="..." a choice
#: make clean        remove build/ and run/, not what was fetched (.cache/)
#:
#: PORT=8080         of "make run"
#: NGINX=nginx       the nginx that runs, and
#: NGINX_SRC=...     its sources, with NGINX_FLAGS=... for their configure;
#:                   Debian's own, from nginx-dev, when not said
#: MONGODB=no        a module without the store in MongoDB, and its libraries
#: CC=clang          another compiler; WERROR=1: its warnings are errors
