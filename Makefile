# timesvc: `make help` lists what can be made; README.md tells the story.

PREFIX   ?= /usr/local
PORT     ?= 45000
MUSL_CC  ?= musl-gcc

SBINDIR  ?= $(PREFIX)/sbin
MANDIR   ?= $(PREFIX)/share/man
DOCDIR   ?= $(PREFIX)/share/doc/timesvc
LIBDIR   ?= $(PREFIX)/lib
UNITDIR  ?= $(LIBDIR)/systemd/system

CFLAGS   ?= -O2 -g
C_FLAGS   = -std=c11 -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror \
            -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong \
            -fstack-clash-protection $(CF_PROTECTION) -fPIE $(CPPFLAGS) $(CFLAGS)
LD_FLAGS  = -Wl,-z,relro,-z,now,-z,noexecstack $(LDFLAGS)
# Control-flow protection exists on x86 alone; elsewhere the option is an error.
CF_PROTECTION := $(shell $(CC) -fcf-protection -E -x c /dev/null >/dev/null 2>&1 && echo -fcf-protection)

# musl has no kernel headers of its own: the system's serve, after all that it has.
MUSL_HEADERS := -idirafter /usr/include -idirafter /usr/include/$(shell $(MUSL_CC) -print-multiarch 2>/dev/null)

# A static program at a random address: musl-gcc does not know -static-pie, so it is told to
# start with what relocates itself, rcrt1.o. libc's few variables go before our large buffers,
# so that they share a page with ours: each idle connection has a page less of its own.
MUSL_LIB   := $(shell LC_ALL=C $(MUSL_CC) -v 2>&1 | sed -n 's|^Reading specs from \(.*\)/musl-gcc.specs$$|\1|p')
STATIC_PIE := -pie -nostartfiles $(addprefix $(MUSL_LIB)/,rcrt1.o crti.o crtn.o) \
              -Wl,-static,--no-dynamic-linker,-z,text,-z,noseparate-code \
              -Wl,-u,localtime_r,-u,sigaction,-u,getopt_long -lc

PROGRAMS := timesvc $(if $(wildcard $(MUSL_LIB)/rcrt1.o),timesvc-static)

all: $(PROGRAMS)
ifeq ($(filter timesvc-static,$(PROGRAMS)),)
	@echo 'timesvc-static was not built: there is no $(MUSL_CC) with rcrt1.o (Debian: musl-tools)'
endif

BUILD        = $(CC) $(C_FLAGS) -DHAVE_LIBSYSTEMD $< -o $@ -pie $(LD_FLAGS)
BUILD_STATIC = $(MUSL_CC) $(C_FLAGS) $(MUSL_HEADERS) $(STATIC_PIE) $< -o $@ $(LD_FLAGS)

timesvc: timesvc.c Makefile
	$(BUILD)

timesvc-static: timesvc.c Makefile
	$(BUILD_STATIC)

# For the tests: each program, made to attempt what its sandbox forbids.
tests/verify/timesvc-forbidden: tests/verify/forbidden.c timesvc.c Makefile
	$(BUILD)

tests/verify/timesvc-static-forbidden: tests/verify/forbidden.c timesvc.c Makefile
	$(BUILD_STATIC)

# For the tests: what each program replies at other times.
tests/verify/zones: tests/verify/zones.c timesvc.c Makefile
	$(BUILD) -Wno-unused-function

tests/verify/zones-static: tests/verify/zones.c timesvc.c Makefile
	$(BUILD_STATIC) -Wno-unused-function

# For the tests: other architectures, by Debian's cross compilers.
tests/verify/timesvc-%: CF_PROTECTION =
tests/verify/timesvc-%: timesvc.c Makefile
	$*-gcc $(C_FLAGS) $< -o $@ -static $(LD_FLAGS)

# For the tests: each architecture's filter, and the calls to be judged by it.
tests/verify/judge-%: CF_PROTECTION =
tests/verify/judge-%: tests/verify/judge.c timesvc.c Makefile
	$*-gcc $(C_FLAGS) $< -o $@ -static $(LD_FLAGS)

# Which version of its plugins qemu takes depends on its own.
tests/verify/calls.so: tests/verify/calls.c Makefile
	$(CC) $(VERIFY_FLAGS) -O2 -fPIC -shared $< -o $@ \
	    -DPLUGIN_VERSION=$(shell qemu-aarch64 --version 2>/dev/null | awk 'NR == 1 { print $$3 < 9 ? 1 : 2 }')

# For the tests: read(2), write(2) and sendto(2) that do no more than $$SHORT bytes.
tests/verify/short.so: tests/verify/short.c Makefile
	$(CC) $(VERIFY_FLAGS) -O2 -fPIC -shared $< -o $@

# The parsers alone, which need no library: proved, and fuzzed. A byte beyond an array ends the
# proof, too.
VERIFY_FLAGS = -std=c11 -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror -g
SANITIZE     = -fsanitize=address,undefined -fno-sanitize-recover=all

tests/verify/prove: tests/verify/prove.c timesvc.c Makefile
	$(CC) $(VERIFY_FLAGS) -O2 -fsanitize=bounds -fno-sanitize-recover=all $< -o $@

tests/verify/%-libfuzzer: tests/verify/%.c timesvc.c Makefile
	clang $(VERIFY_FLAGS) -O1 -fsanitize=fuzzer $(SANITIZE) $< -o $@

tests/verify/%-afl: tests/verify/%.c timesvc.c Makefile
	AFL_QUIET=1 afl-clang-fast $(VERIFY_FLAGS) -O1 -fsanitize=fuzzer $(SANITIZE) $< -o $@

# For the bench: its clients, and the programs that timesvc is compared with.
BENCH := $(addprefix bench/,load floor linked unparsed)

bench/load: bench/load.c Makefile
	$(CC) $(VERIFY_FLAGS) -O2 $< -o $@ -pthread

bench/floor: bench/floor.c Makefile
	$(CC) $(VERIFY_FLAGS) -O2 -ffreestanding -fno-stack-protector $< -o $@ \
	    -nostdlib -static -Wl,-e,floor_start,-z,noexecstack

bench/linked: bench/linked.c Makefile
	$(CC) $(C_FLAGS) $< -o $@ -pie $(LD_FLAGS)

bench/unparsed: bench/unparsed.c Makefile
	$(CC) $(VERIFY_FLAGS) -O2 $< -o $@

help:
	@echo 'make               build $(PROGRAMS)'
	@echo 'make run           serve port 45000 until Ctrl-C (PORT= for another)'
	@echo 'make test          run the test suite; make test TESTS=tests/wire.bats for one file'
	@echo 'make prove         prove that the parser is the wire contract'
	@echo 'make fuzz          fuzz the parsers for a minute (FUZZ_SECONDS= for longer)'
	@echo 'make coverage      show which lines of timesvc.c the tests execute'
	@echo 'make sanitizers    run the tests under the address and undefined sanitizers'
	@echo 'make valgrind      run the tests under valgrind'
	@echo 'make mutants       break timesvc.c in 300 ways (MUTANTS=, SEED=): the tests have to notice each'
	@echo 'make bench         measure it beside others, under 5 minutes, into bench/results.*, README.md and docs/scaling.md'
	@echo 'make bench-full    the same for longer, and hold 10,000 connections'
	@echo 'make bench-systemd  the same for its unit under systemd, as root'
	@echo 'make support-table  put what the last test run found into the README'
	@echo 'make lint          check the sources with every analyser'
	@echo 'make install       install below PREFIX=/usr/local (DESTDIR= to stage)'
	@echo 'make uninstall     remove what install put there'
	@echo 'make dist          pack the source: $(TARBALL)'
	@echo 'make deb           build the Debian packages, into dist/ (./setup.sh package first)'
	@echo 'make clean         remove what was built'

# Only TZ crosses: systemd-socket-activate --inetd hands over an empty environment.
run: timesvc
	@command -v systemd-socket-activate >/dev/null || \
	    { echo 'make run needs systemd-socket-activate: run ./setup.sh first' >&2; exit 1; }
	@echo 'Serving the time on port $(PORT) until Ctrl-C. In another terminal:'
	@echo "    nc -C 127.0.0.1 $(PORT)        then type TIME, and QUIT to leave"
	@trap 'kill $$server; exit 0' INT TERM; \
	systemd-socket-activate $${TZ:+-E TZ} --accept --inetd -l $(PORT) ./timesvc & \
	server=$$!; wait $$server || { \
	    echo 'Port $(PORT) cannot be served; if it is taken: make run PORT=45001' >&2; \
	    exit 1; }

ARCHITECTURES = aarch64-linux-gnu riscv64-linux-gnu arm-linux-gnueabihf i686-linux-gnu s390x-linux-gnu
CROSS = $(shell for a in $(ARCHITECTURES); do ! command -v $$a-gcc >/dev/null || \
    echo tests/verify/timesvc-$$a tests/verify/judge-$$a; done) tests/verify/judge-$(shell $(CC) -print-multiarch)

test: all $(PROGRAMS:%=tests/verify/%-forbidden) $(PROGRAMS:timesvc%=tests/verify/zones%) \
    $(addprefix tests/verify/,short.so calls.so) $(CROSS) $(BENCH)
	@tests/run $(TESTS)

prove: tests/verify/prove
	@tests/verify/prove

FUZZ_SECONDS ?= 60
fuzz: $(foreach what,fuzz fuzz_proxy,tests/verify/$(what)-libfuzzer tests/verify/$(what)-afl)
	@tests/verify/fuzz $(FUZZ_SECONDS)

# The same tests with programs that watch themselves.
coverage sanitizers valgrind: $(PROGRAMS:timesvc%=tests/verify/zones%)
	@tests/verify/instrumented $@

MUTANTS ?= 300
SEED    ?= 1
mutants: all tests/verify/zones-static tests/verify/timesvc-static-forbidden
	@tests/verify/mutants --count $(MUTANTS) --seed $(SEED)

# The results are kept in bench/.
.PHONY: bench bench-full bench-systemd
bench: all $(BENCH)
	@bench/run -o bench
	@bench/tables README.md docs/scaling.md

bench-full: all $(BENCH)
	@bench/run -r 15 -t 900 -s 1 -l 10000 -o bench
	@bench/tables README.md docs/scaling.md

# Beside the least and the most of a unit, under the systemd of each release.
bench-systemd: all $(BENCH)
	@bench/systemd -o bench
	@bench/tables README.md docs/scaling.md

# From the last whole run of the tests.
support-table:
	@tests/support-table README.md

lint: all
	@tests/lint

clean:
	rm -rf timesvc timesvc-static dist tests/.superservers tests/.roots tests/.support \
	    $(addprefix tests/verify/,timesvc-*[!c] judge-* calls.so short.so zones zones-static prove \
	    fuzz-libfuzzer fuzz-afl fuzz_proxy-libfuzzer fuzz_proxy-afl found) $(BENCH)

# What is installed names the places that it is installed in. A drop-in lifts the limit that
# systemd has since 255 and that older ones would warn about.
SYSTEMD_VERSION ?= $(shell systemctl --version 2>/dev/null | sed -n '1s/systemd \([0-9]*\).*/\1/p')
POLL_LIMIT := $(shell [ 0$(SYSTEMD_VERSION) -ge 255 ] && echo timesvc.socket.d/poll-limit.conf)
PLACES  = s|/usr/local/sbin|$(SBINDIR)|g; s|/usr/local/share/doc/timesvc|$(DOCDIR)|g; s|/usr/local/lib|$(LIBDIR)|g
# Where there is no static program, the other one takes its place.
NAMES   = $(if $(filter %-static,$(PROGRAMS)),,s|timesvc-static|timesvc|g)

UNITS     = timesvc.socket timesvc@.service
PAGES     = timesvc.8 timesvc.socket.8
EXAMPLES := $(shell [ ! -d examples ] || find examples -type f)

CONFIGURED = $(UNITS:%=$(UNITDIR)/%) $(DOCDIR)/inetd.conf.example $(DOCDIR)/xinetd.d/timesvc \
             $(EXAMPLES:%=$(DOCDIR)/%)
INSTALLED  = $(PROGRAMS:%=$(SBINDIR)/%) $(CONFIGURED) $(POLL_LIMIT:%=$(UNITDIR)/%) \
             $(LIBDIR)/sysusers.d/timesvc.conf $(LIBDIR)/sysctl.d/00-timesvc.conf \
             $(LIBDIR)/systemd/catalog/timesvc.catalog \
             $(PAGES:%=$(MANDIR)/man8/%) $(MANDIR)/man8/timesvc-static.8

# A staged or private copy is only files; on the live system the units are made known, too.
ifneq ($(filter $(PREFIX),/usr /usr/local),)
LIVE := $(shell [ -z '$(DESTDIR)' ] && [ -d /run/systemd/system ] && [ "$$(id -u)" = 0 ] && echo yes)
endif

install: all
	install -d $(sort $(dir $(INSTALLED:%=$(DESTDIR)%)))
	install $(PROGRAMS) $(DESTDIR)$(SBINDIR)
	install -m 644 $(UNITS) $(DESTDIR)$(UNITDIR)
	for file in $(POLL_LIMIT); do install -m 644 etc/$$file $(DESTDIR)$(UNITDIR)/$$file || exit 1; done
	install -m 644 etc/sysusers.d/timesvc.conf $(DESTDIR)$(LIBDIR)/sysusers.d
	install -m 644 etc/sysctl.d/00-timesvc.conf $(DESTDIR)$(LIBDIR)/sysctl.d
	install -m 644 etc/catalog/timesvc.catalog $(DESTDIR)$(LIBDIR)/systemd/catalog
	install -m 644 $(PAGES) $(DESTDIR)$(MANDIR)/man8
	ln -sf timesvc.8 $(DESTDIR)$(MANDIR)/man8/timesvc-static.8
	install -m 644 inetd.conf.example $(DESTDIR)$(DOCDIR)
	install -m 644 etc/xinetd.d/timesvc $(DESTDIR)$(DOCDIR)/xinetd.d
	for file in $(EXAMPLES); do mode=644; [ ! -x $$file ] || mode=755; \
	    install -m $$mode $$file $(DESTDIR)$(DOCDIR)/$$file || exit 1; done
	sed -i '$(PLACES)' $(PAGES:%=$(DESTDIR)$(MANDIR)/man8/%)
	sed -i '$(PLACES); $(NAMES)' $(CONFIGURED:%=$(DESTDIR)%)
ifneq ($(LIVE),)
	systemd-sysusers timesvc.conf
	etc/reserve-port configure
	journalctl --quiet --update-catalog
	systemctl daemon-reload
endif

# What any install could have put goes, whatever this machine has by now. So does each
# directory that is empty then, up to those that any system has.
DIRECTORIES = $(patsubst %/,%,$(sort $(dir $(INSTALLED)) $(UNITDIR)/timesvc.socket.d/))
STANDARD    = $(or $(DESTDIR),$(patsubst %/,%,$(dir $(PREFIX))) $(addprefix /usr/local/,sbin lib share share/man))

uninstall:
ifneq ($(LIVE),)
	-systemctl --quiet disable --now timesvc.socket
	-systemctl --quiet stop 'timesvc@*.service' system-timesvc.slice
endif
	rm -f $(INSTALLED:%=$(DESTDIR)%) $(DESTDIR)$(SBINDIR)/timesvc-static \
	    $(DESTDIR)$(UNITDIR)/timesvc.socket.d/poll-limit.conf
	@for dir in $(DIRECTORIES:%=$(DESTDIR)%); do \
	    while case ' $(STANDARD) ' in *" $$dir "*) false ;; *) [ -d "$$dir" ] ;; esac; do \
	        rmdir --ignore-fail-on-non-empty "$$dir"; \
	        [ ! -d "$$dir" ] || break; \
	        dir=$${dir%/*}; \
	    done; \
	done
ifneq ($(LIVE),)
	-userdel timesvc
	-etc/reserve-port
	-journalctl --quiet --update-catalog
	-systemctl daemon-reload
endif

# The source as others get it, cleaned: from the same files the same bytes, whoever packs them
# where and when. Of a checkout what git knows, without an editor's leavings; root may pack an
# ordinary user's.
VERSION  = $(shell sed -n 's/^.define TIMESVC_VERSION "\(.*\)"/\1/p' timesvc.c)
RELEASED = $(shell sed -n '/^ -- /{s/.*>  //p;q}' debian/changelog)
TARBALL  = dist/timesvc-$(VERSION).tar.gz
PACK     = tar -c --sort=name --format=gnu --owner=0 --group=0 --numeric-owner \
           --mode=u+rw,go=u-w --mtime='$(RELEASED)'

dist:
	@set -e; mkdir -p dist; work=$$(mktemp -d); trap 'rm -rf "$$work"' EXIT; \
	tree=$$work/timesvc-$(VERSION); mkdir "$$tree"; \
	if [ -e .git ]; then git -c safe.directory='*' ls-files -z >"$$work/files"; \
	else find . -path ./dist -prune -o -path './tests/.*' -prune -o ! -type d -print0 >"$$work/files"; fi; \
	tar -c --null --files-from="$$work/files" -f "$$work/tar"; tar -xf "$$work/tar" -C "$$tree"; \
	$(MAKE) --silent -C "$$tree" clean; \
	$(PACK) -C "$$work" timesvc-$(VERSION) | gzip -9n >$(TARBALL)
	@echo $(TARBALL)

# The Debian packages, their source and the log of their build. To Debian, what is in debian/
# is no part of the program's source.
deb: dist
	@set -e; work=$$(mktemp -d); trap 'rm -rf "$$work"' EXIT; \
	tar -xpf $(TARBALL) -C "$$work"; \
	$(PACK) --exclude=debian -C "$$work" timesvc-$(VERSION) | \
	    gzip -9n >"$$work/timesvc_$(VERSION).orig.tar.gz"; \
	(cd "$$work/timesvc-$(VERSION)" && dpkg-buildpackage -us -uc) >dist/build.log 2>&1 || \
	    { cat dist/build.log; exit 1; }; \
	find "$$work" -maxdepth 1 -type f -exec mv -t dist {} +
	@ls dist/*.deb

.PHONY: all help run test prove fuzz coverage sanitizers valgrind mutants support-table lint clean install uninstall dist deb
