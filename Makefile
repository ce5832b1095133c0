# Copyright (C) the msgbus authors

# The module, its tests and its tools; "make help" says what there is.
#
# nginx's own configure and Makefile do the building, in build/, from config.
# They bring -W (which is -Wextra), -Wall, -Wpointer-arith and -Werror, with
# one exception, that nginx's own callbacks need: -Wno-unused-parameter.  They
# get what else the compiler can see of the house style: no array of variable
# length, and no function that neither a header declares nor is static.

SHELL        = /bin/bash

NGINX_SRC   ?= /usr/share/nginx/src
NGINX_FLAGS ?= --with-compat
NGINX       ?= nginx
PORT        ?= 8080
TESTS       ?= $(sort $(wildcard t/*.t))
PROVE_OPTS  ?=

BUILD        = build
WARNINGS     = -Wvla -Wmissing-prototypes
CC_OPT       = -g -O2 -fPIC $(WARNINGS)
LD_OPT       = -fPIC
SANITIZE     = -fsanitize=address,undefined -fno-omit-frame-pointer

MODULE       = ngx_http_msgbus_module.so

ifeq ($(origin CC),default)
CC           =
endif

# Debian's nginx is in /usr/sbin, which not every user's path has
export PATH := $(PATH):/usr/sbin:/sbin
export NGINX_SRC NGINX_FLAGS PORT BUILD CC CC_OPT LD_OPT

# nginx itself reads $NGINX: the sockets it inherits at a binary upgrade
unexport NGINX


# Debian packages; the nginx of an own NGINX_SRC is the caller's business

ifeq ($(NGINX_SRC),/usr/share/nginx/src)
DEPS         = nginx nginx-dev
endif

DEPS        += gcc libc6-dev make libyajl-dev curl

# the Perl ones are what Test::Nginx needs; libasan and libubsan are gcc's
TEST_DEPS    = $(DEPS) perl nghttp2-client procps psmisc memcached openssl \
               libhttp-message-perl libipc-run-perl liblist-moreutils-perl \
               libtest-base-perl libtest-longstring-perl libtext-diff-perl \
               liburi-perl libwww-perl

BENCH_DEPS   = $(DEPS) python3 util-linux wrk


.PHONY: all asan install deps test-deps bench-deps run test style check-docs \
        bench-quick clean help


# without -j of the caller's: all processors
JOBS         = $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(shell nproc))

all:
	@tools/configure
	@$(MAKE) $(JOBS) -s -C $(NGINX_SRC) -f $(CURDIR)/$(BUILD)/Makefile modules
	@echo "$(BUILD)/$(MODULE) is up to date"

asan:
	@$(MAKE) --no-print-directory all BUILD=build/asan \
	    CC_OPT="-g -O1 -fPIC $(WARNINGS) $(SANITIZE)" LD_OPT="-fPIC $(SANITIZE)"

install: all
	@dir=$$($(NGINX) -V 2>&1 | tr ' ' '\n' | sed -n 's/^--modules-path=//p') && \
	    dir=$${dir:-/usr/local/nginx/modules} && \
	    install -D -m 644 $(BUILD)/$(MODULE) "$(DESTDIR)$$dir/$(MODULE)" && \
	    echo "installed; add to the top of nginx.conf:" && \
	    echo "    load_module $$dir/$(MODULE);"


deps:
	@tools/deps $(DEPS)

test-deps:
	@tools/deps $(TEST_DEPS)
	@tools/test-nginx > /dev/null

bench-deps:
	@tools/deps $(BENCH_DEPS)


run: deps
	@$(MAKE) --no-print-directory all
	@tools/run $(NGINX)

# A choice of tests (TESTS=t/...) goes without the checks of style and docs.

test: test-deps
	@$(MAKE) --no-print-directory all
ifeq ($(origin TESTS),file)
	@$(MAKE) --no-print-directory -k style check-docs
endif
	@lib=$$(tools/test-nginx) && \
	    PERL5LIB="$(CURDIR)/t/lib:$$lib:$$PERL5LIB" \
	    TEST_NGINX_BINARY=$$(command -v $(NGINX)) \
	    TEST_NGINX_LOAD_MODULES=$(CURDIR)/$(BUILD)/$(MODULE) \
	    TEST_NGINX_SERVROOT=$(CURDIR)/build/servroot \
	    prove $(PROVE_OPTS) $(TESTS)

style:
	@tools/configure
	@tools/style

check-docs:
	@tools/check-docs

bench-quick: bench-deps
	@$(MAKE) --no-print-directory all
	@NGX_SRC=$(NGINX_SRC) MODULE=$(CURDIR)/$(BUILD)/$(MODULE) bench/quick


clean:
	@rm -rf build run t/servroot*

help:
	@sed -n '/^#: /{s/^#: //;p}' Makefile

#: make              build the module: build/ngx_http_msgbus_module.so
#: make run          install what is missing, build, run a bus to try on PORT
#: make test         install what is missing, build, check, run all tests
#:                   TESTS="t/a.t t/b.t" a choice, PROVE_OPTS=-v options
#: make install      put the module where nginx looks for it (DESTDIR)
#: make deps         install what "make" and "make run" need, by apt;
#:                   test-deps and bench-deps: what those need
#: make style        check the looks of the sources, and who includes whom
#: make check-docs   check that each directive is documented and tested
#: make bench-quick  measure
#: make asan         build with ASan and UBSan: build/asan/
#: make clean        remove build/ and run/, not what was fetched (.cache/)
#:
#: PORT=8080         of "make run"
#: NGINX=nginx       the nginx that runs, and
#: NGINX_SRC=...     its sources, with NGINX_FLAGS=... for their configure;
#:                   Debian's own, from nginx-dev, when not said
#: CC=clang          another compiler
