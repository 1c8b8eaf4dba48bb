# timesvc: `make help` lists what can be made; README.md tells the story.

PREFIX  ?= /usr/local
SBINDIR ?= $(PREFIX)/sbin
MANDIR  ?= $(PREFIX)/share/man
DOCDIR  ?= $(PREFIX)/share/doc/timesvc
LIBDIR  ?= $(PREFIX)/lib
UNITDIR ?= $(LIBDIR)/systemd/system
PORT    ?= 45000
LISTEN   = $(if $(ADDRESS),$(if $(findstring :,$(ADDRESS)),[$(ADDRESS)],$(ADDRESS)):)$(PORT)
CFLAGS   ?= -O2 -g
C_FLAGS   = -std=c11 -Wall -Wextra -Wpedantic -Wshadow -Wconversion -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 \
            -fstack-protector-strong -fstack-clash-protection $(CF_PROTECTION) -fPIE $(CPPFLAGS) $(CFLAGS)
LD_FLAGS  = -Wl,-z,relro,-z,now,-z,noexecstack $(LDFLAGS)
# Without libsystemd's headers timesvc does by itself what timesvc-static does. The option is x86's.
LIBSYSTEMD := $(shell $(CC) -E -include systemd/sd-daemon.h -x c /dev/null >/dev/null 2>&1 && echo -DHAVE_LIBSYSTEMD)
CF_PROTECTION := $(shell $(CC) -fcf-protection -E -x c /dev/null >/dev/null 2>&1 && echo -fcf-protection)

# A static program at a random address. musl-gcc does not know -static-pie, so it is told to start
# with what relocates itself, rcrt1.o, and where kernel headers are. libc's variables go first, to
# share a page with ours: an idle connection has one less. RELRO would only cost pages, for musl's
# static start does not apply it. Without musl, the compiler's libc serves.
MUSL_CC    ?= musl-gcc
MUSL_LIB   := $(shell LC_ALL=C $(MUSL_CC) -v 2>&1 | sed -n 's|^Reading specs from \(.*\)/musl-gcc.specs$$|\1|p')
STATIC_PIE := -pie -nostartfiles $(addprefix $(MUSL_LIB)/,rcrt1.o crti.o crtn.o) \
              -Wl,-static,--no-dynamic-linker,-z,text,-z,noseparate-code,-z,norelro \
              -Wl,-u,localtime_r,-u,sigaction,-u,getopt_long -lc \
              -idirafter /usr/include -idirafter /usr/include/$(shell $(MUSL_CC) -print-multiarch 2>/dev/null)

PROGRAMS = timesvc timesvc-static
all: $(PROGRAMS) ## build both programs
# The tests' and the bench's programs are built the same way.
export COMPILE        = $(CC) $(C_FLAGS) $(LIBSYSTEMD) -pie $(LD_FLAGS)
export COMPILE_STATIC = $(if $(wildcard $(MUSL_LIB)/rcrt1.o),$(MUSL_CC) $(C_FLAGS) $(LD_FLAGS) $(STATIC_PIE),$(CC) $(C_FLAGS) $(LD_FLAGS) -static-pie)
export COMPILE_CROSS  = $(filter-out -fcf-protection,$(C_FLAGS)) -static $(LD_FLAGS)

timesvc: timesvc.c Makefile
	$(COMPILE) $< -o $@
timesvc-static: timesvc.c Makefile
	$(COMPILE_STATIC) $< -o $@

help: ## tell what can be made
	@sed -n 's/^\([a-z-]*\):.*## /make \1\t/p' Makefile tests/verify/Makefile bench/Makefile | expand -t 20

# Of the environment only TZ crosses --inetd. Root's handlers run as nobody, who need not be able to enter the checkout.
run: SHELL = bash
run: AS = $(if $(filter 0,$(shell id -u)),setpriv --reuid=65534 --regid=65534 --clear-groups)
run: timesvc ## serve port 45000 until Ctrl-C (PORT= and ADDRESS= for another)
	@command -v systemd-socket-activate >/dev/null || { echo 'systemd-socket-activate is missing: ./setup.sh' >&2; exit 1; }
	@exec systemd-socket-activate $${TZ:+-E TZ} --accept --inetd -l $(LISTEN) $(AS) ./timesvc 2> >(exec sed -u \
	    '/^Listening/a Ctrl-C ends it. In another terminal:  nc -C $(or $(ADDRESS),127.0.0.1) $(PORT)  then TIME, and QUIT to leave.' >&2)

test: all ## test what any user can, in two minutes (TESTS=tests/wire.bats for one file)
	@tests/run $(TESTS)
check: test
test-all: all ## test everything, as root
	@tests/run $(or $(TESTS),--all)
conformance: ; @tests/conformance '$(ADDRESS)' ## judge any server of the protocol, at ADDRESS=host:port
experiment: timesvc ; @tests/experiment ## as root, repeat and capture the original experiment
kernels: all; @tests/run --$@ ## boot Debian's kernels, and test what depends on them
lint: all ## check the sources with every analyser
	@tests/lint

# These directories have a Makefile of their own.
prove fuzz coverage sanitizers valgrind mutants: all
	@$(MAKE) --no-print-directory -C tests/verify $@
bench bench-full bench-systemd: all
	@$(MAKE) --no-print-directory -C bench $@
tests/verify/%: FORCE
	@$(MAKE) --no-print-directory -C tests/verify $*

clean: ## remove what was built; distclean: what setup.sh fetched, too
	rm -rf timesvc timesvc-static dist experiment.pcapng experiment.svg
	$(MAKE) -C tests/verify clean
	$(MAKE) -C bench clean
distclean: clean
	rm -rf tests/.superservers tests/.roots tests/.kernels

# Places are normalised (a relative DESTDIR stays); what make, sed or sh would misread is refused.
$(if $(filter-out /%,$(PREFIX) $(SBINDIR) $(MANDIR) $(DOCDIR) $(LIBDIR) $(UNITDIR))$(shell printf %s \
    '$(subst ','\'',$(DESTDIR)$(PREFIX)$(SBINDIR)$(MANDIR)$(DOCDIR)$(LIBDIR)$(UNITDIR))' | tr -d '[:alnum:]/_.,:@+~\200-\377-'), \
    $(error DESTDIR, PREFIX and the like may hold only letters, digits and /_.,:@+~-; all but DESTDIR begin with /))
$(foreach p,DESTDIR PREFIX SBINDIR MANDIR DOCDIR LIBDIR UNITDIR,$(eval override $p := $(patsubst %/,%,$(or $(abspath $(filter /%,$($p))),$($p)))))
# What is installed, as FILE=PLACE, of examples/ what README names; the places that a text names become ours.
into  = $(foreach file,$3,$2$(file)=$1/$(file))
FILES = $(call into,$(UNITDIR)-generators,etc/system-generators/,timesvc) $(call into,$(MANDIR)/man8,,timesvc.8 timesvc.socket.8) \
        $(call into,$(UNITDIR),,timesvc.socket timesvc@.service) $(call into,$(UNITDIR),etc/,timesvc-tcpserver.service system-timesvc.slice.d/bounds.conf) \
        $(call into,$(LIBDIR),etc/,sysusers.d/timesvc.conf sysctl.d/00-timesvc.conf) \
        $(call into,$(UNITDIR)-preset,etc/system-preset/,50-timesvc.preset) $(call into,$(LIBDIR)/systemd,etc/,catalog/timesvc.catalog) $(call into,$(DOCDIR),etc/,xinetd.d/timesvc) \
        $(call into,$(DOCDIR),,inetd.conf.example $(sort $(shell grep -o 'examples/[A-Za-z0-9./-]*[a-z]' README.md)))
PLACES = s|/usr/local/|\n|g; s|\nsbin|$(SBINDIR)|g; s|\nshare/doc/timesvc|$(DOCDIR)|g; s|\nlib|$(LIBDIR)|g; s|\n|/usr/local/|g
# A staged or private copy, or one in a chroot, is only files; on the live system the units are made known, too.
LIVE := $(if $(filter /usr /usr/local,$(if $(DESTDIR),,$(PREFIX))),$(shell [ -w /run/systemd/system ] && [ / -ef /proc/1/root ] && grep -xE 'systemd|init' /proc/1/comm))

install: all ## install below PREFIX=/usr/local (DESTDIR= to stage)
	install -D -t $(DESTDIR)$(SBINDIR) $(PROGRAMS)
	@set -e; for pair in $(FILES); do \
	    from=$${pair%%=*} to=$(DESTDIR)$${pair#*=} mode=644; [ ! -x $$from ] || mode=755; \
	    echo $$to; install -D -m $$mode $$from $$to; sed -i '$(PLACES)' $$to; done
	ln -sf timesvc.8 $(DESTDIR)$(MANDIR)/man8/timesvc-static.8
	$(if $(LIVE),systemd-sysusers timesvc.conf && etc/reserve-port configure && \
	    journalctl --quiet --update-catalog && systemctl daemon-reload)

uninstall: ## remove what install put there
	rm -f $(PROGRAMS:%=$(DESTDIR)$(SBINDIR)/%) $(DESTDIR)$(MANDIR)/man8/timesvc-static.8 \
	    $(DESTDIR)$(UNITDIR)/timesvc.socket.d/poll-limit.conf $(foreach pair,$(FILES),$(DESTDIR)$(lastword $(subst =, ,$(pair))))
	@rmdir --ignore-fail-on-non-empty $(wildcard $(patsubst %,$(DESTDIR)%, \
	    $(DOCDIR)/examples/wireshark $(DOCDIR)/examples $(DOCDIR)/xinetd.d $(DOCDIR) $(UNITDIR)/timesvc.socket.d $(UNITDIR)/system-timesvc.slice.d)) 2>/dev/null || true
	$(if $(LIVE),-[ -e /usr/lib/systemd/system/timesvc.socket ] || { systemctl --quiet disable --now timesvc.socket timesvc-tcpserver.service; \
	    systemctl --quiet stop 'timesvc@*.service' system-timesvc.slice; }; etc/reserve-port; journalctl --quiet --update-catalog; \
	    systemctl daemon-reload; ! grep -qs $(SBINDIR)/timesvc-static /proc/$$(systemctl show -P MainPID timesvc-tcpserver)/cmdline || systemctl restart timesvc-tcpserver)

VERSION  = $(shell sed -n 's/^.define TIMESVC_VERSION "\(.*\)"/\1/p' timesvc.c)
NAME     = timesvc-$(VERSION)
# Without git, all that is here, cleaned; either way the same bytes from the same files.
dist: ## pack the source, into dist/
	@set -e; mkdir -p dist; work=$$(mktemp -d); trap 'rm -rf "$$work"' EXIT; mkdir "$$work/$(NAME)"; \
	if [ -e .git ]; then git -c safe.directory='*' archive HEAD | tar -x -C "$$work/$(NAME)"; \
	else tar -c --exclude=./dist . | tar -x -C "$$work/$(NAME)"; $(MAKE) -s -C "$$work/$(NAME)" distclean; fi; \
	tar -c --sort=name --owner=0 --group=0 --numeric-owner --mode=u+rw,go=u-w -C "$$work" \
	    --mtime="$$(sed -n '/^ -- /{s/.*>  //p;q}' debian/changelog)" $(NAME) | gzip -9n >dist/$(NAME).tar.gz; echo dist/$(NAME).tar.gz
# To Debian, what is in debian/ is no part of the program's source.
deb: dist ## build the Debian packages, into dist/ (./setup.sh package first)
	@set -e; work=$$(mktemp -d); trap 'rm -rf "$$work"' EXIT; tar -xpf dist/$(NAME).tar.gz -C "$$work"; \
	gzip -dc dist/$(NAME).tar.gz | tar -f - --delete $(NAME)/debian | gzip -9n >"$$work/timesvc_$(VERSION).orig.tar.gz"; \
	(cd "$$work/$(NAME)" && dpkg-buildpackage -us -uc) >dist/build.log 2>&1 || { cat dist/build.log; exit 1; }; \
	find "$$work" -maxdepth 1 -type f -exec mv -t dist {} +
	@ls dist/*.deb
.PHONY: FORCE all help run test check test-all conformance experiment kernels lint prove fuzz coverage sanitizers valgrind mutants \
    bench bench-full bench-systemd clean distclean install uninstall dist deb
