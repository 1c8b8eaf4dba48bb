#!/usr/bin/env bats
# From the checkout to a machine: make run, make install, make uninstall.

load helpers

teardown() {
    stop_serving
}

# staged GOAL [VARIABLE=VALUE...]: make, which has to succeed.
staged() {
    run -0 make -C "$TREE" --no-print-directory "$@"
}

# state CHECKOUT: every file of it with its content.
state() {
    find "$1" -name .git -prune -o -type f -print0 | sort -z | xargs -0 sha256sum
}

@test "uninstall removes just what install put, and the checkout stays as it is" {
    local before examples root=$BATS_TEST_TMPDIR/root copy="$BATS_TEST_TMPDIR/a copy"
    mkdir -p "$root/usr/sbin" "$root/usr/share/doc"
    echo theirs >"$root/usr/sbin/other"
    checkout "$copy"
    examples=$(ls -A "$copy/examples")
    touch "$copy/examples/"{options.conf~,'#options.conf#',.options.conf.swp,options.conf.orig,my.conf}
    staged -C "$copy" all
    before=$(state "$copy")
    staged -C "$copy" install DESTDIR="$root/" PREFIX=//usr/
    run -0 ls -A "$root/usr/share/doc/timesvc/examples"
    assert_output "$examples"
    run -0 bash -c "cd '$root' && find . -type f ! -path '*/examples/*' | sort"
    assert_output - <<'END'
./usr/lib/sysctl.d/00-timesvc.conf
./usr/lib/systemd/catalog/timesvc.catalog
./usr/lib/systemd/system-generators/timesvc
./usr/lib/systemd/system-preset/50-timesvc.preset
./usr/lib/systemd/system/system-timesvc.slice.d/bounds.conf
./usr/lib/systemd/system/timesvc-tcpserver.service
./usr/lib/systemd/system/timesvc.socket
./usr/lib/systemd/system/timesvc@.service
./usr/lib/sysusers.d/timesvc.conf
./usr/sbin/other
./usr/sbin/timesvc
./usr/sbin/timesvc-static
./usr/share/doc/timesvc/inetd.conf.example
./usr/share/doc/timesvc/xinetd.d/timesvc
./usr/share/man/man8/timesvc.8
./usr/share/man/man8/timesvc.socket.8
END
    # Meanwhile the machine has lost a compiler.
    staged -C "$copy" uninstall DESTDIR="$root" PREFIX=/usr MUSL_CC=no-such-compiler
    run -0 bash -c "cd '$root' && find . ! -type d -o -name 'timesvc*'"
    assert_output ./usr/sbin/other
    [ -d "$root/usr/share/doc" ] # it was there
    assert_equal "$(state "$copy")" "$before"
}

@test "a place with a blank or the like in its name is refused, before anything is touched" {
    local goal place
    touch "$BATS_TEST_TMPDIR/my"
    for goal in install uninstall; do
        for place in {DESTDIR,PREFIX,MANDIR}="$BATS_TEST_TMPDIR/my apps" PREFIX="$BATS_TEST_TMPDIR/it's" \
            PREFIX=usr PREFIX='~/apps' PREFIX='/my /apps'; do
            run -2 make -C "$TREE" "$goal" DESTDIR="$BATS_TEST_TMPDIR/root" "$place"
            assert_output --partial 'DESTDIR, PREFIX and the like may hold only letters'
        done
    done
    run -0 ls "$BATS_TEST_TMPDIR"
    assert_output my
}

@test "install fails where a file of ours is missing, and puts no empty one" {
    local copy=$BATS_TEST_TMPDIR/copy
    checkout "$copy"
    rm "$copy/timesvc.8"
    run ! make -C "$copy" --no-print-directory install DESTDIR="$copy/root"
    run -0 find "$copy/root" -name timesvc.8
    assert_output ''
}

@test "what is installed names the program where it was installed" {
    local root=$BATS_TEST_TMPDIR/root
    staged install DESTDIR="$root" PREFIX=/opt//time/
    run ! grep -r /usr/local "$root/opt/time/lib" "$root/opt/time/share"
    run -0 grep -r /sbin/timesvc "$root/opt/time/lib" "$root/opt/time/share"
    assert_output --partial 'ExecStart=/opt/time/sbin/timesvc'
    assert_output --partial 'server      = /opt/time/sbin/timesvc-static'
}

# reserving SYSTEMD SETTINGS PORTS: what reserve-port says on a machine with these settings where
# these ports are reserved, and which are then.
reserving() {
    # shellcheck disable=SC2016 # the inner shell's to expand
    run -0 unshare --mount --net --pid --fork --mount-proc bash -euc '
        mount -t tmpfs none /run
        mount -t tmpfs none /etc/sysctl.d
        mkdir -p "/run/$1"
        echo "$2" >/etc/sysctl.d/10-local.conf
        echo "$3" >/proc/sys/net/ipv4/ip_local_reserved_ports
        "$4/etc/reserve-port" configure 2>&1
        cat /proc/sys/net/ipv4/ip_local_reserved_ports' bash "$1" "$2" "$3" "$TREE"
}

@test "the port is reserved with systemd and without it, and no reserved one is lost" {
    skip_unless_root 'sets a port list, in a network namespace'
    local system key=net.ipv4.ip_local_reserved_ports
    for system in systemd/system no-systemd; do
        reserving $system "$key = 45000" ''
        assert_output 45000
        reserving $system "$key = 30000,45000" 45000
        assert_output 30000,45000
        reserving $system "$key = 45000" 44000-45001
        assert_output 44000-45001
        reserving $system "$key = 45000" 30000
        assert_line "timesvc: port 45000 is not reserved, others are: add it to $key in \
/etc/sysctl.d/10-local.conf"
        assert_line 30000
    done
}

@test "make dist packs what builds, tests and packs itself, and nothing else that lies there" {
    local copy="$BATS_TEST_TMPDIR/a copy" packed
    checkout "$copy"
    export TMPDIR=$copy/dist # with a blank, too
    staged -C "$copy" dist
    tar -xf "$copy/$output" -C "$TMPDIR"
    packed=$(echo "$TMPDIR"/timesvc-*/)
    run -0 make -C "$packed" all
    run -0 env -u FILTER -u RESULTS "$packed/tests/run" wire
    staged -C "$packed" dist
    cmp "$copy/$output" "$packed/$output"
    # From a git repository, another user's.
    git -C "$copy" init -q
    git -C "$copy" add .
    git -C "$copy" -c user.name=one -c user.email=one@example.org commit -qm one
    touch "$copy/notes~" "$copy/examples/.tcpserver.sh.swp"
    [ "$(id -u)" -ne 0 ] || chown -R nobody "$copy"
    staged -C "$copy" dist
    cmp "$copy/$output" "$packed/$output"
}

@test "the version that the program tells is that of the changelogs and the package" {
    local version
    version=$("$TREE/timesvc" --version)
    version=${version#timesvc }
    run -0 sed -n '1s/timesvc (\(.*\)-[0-9]*).*/\1/p' "$TREE/debian/changelog"
    assert_output "$version"
    run -0 sed -n 's/^## //p' "$TREE/CHANGELOG.md"
    assert_line --index 0 "$version"
}

# build_with VARIABLE=VALUE...: both programs, in a directory that has what a build needs, and
# nothing else. They serve, inside their sandbox.
build_with() {
    BUILT=$BATS_TEST_TMPDIR/build
    mkdir "$BUILT"
    cp "$TREE/Makefile" "$TREE/timesvc.c" "$BUILT"
    run -0 env -u MAKEFLAGS make -C "$BUILT" "$@" # which may say -s
    local program
    for program in timesvc timesvc-static; do
        [[ $(printf 'TIME\nQUIT\n' | "$BUILT/$program" -q --sandbox=required) = 'JAM '* ]]
    done
}

@test "without musl-gcc the static program has the compiler's own libc" {
    build_with MUSL_CC=no-such-compiler
    run -0 readelf --dynamic "$BUILT/timesvc-static"
    refute_output --partial NEEDED
}

@test "without libsystemd's headers timesvc serves, and takes what LISTEN_FDS passes" {
    mkdir "$BATS_TEST_TMPDIR/systemd"
    echo '#error there are none' >"$BATS_TEST_TMPDIR/systemd/sd-daemon.h"
    build_with CC="gcc -I$BATS_TEST_TMPDIR"
    run ! grep -qa dlopen "$BUILT/timesvc"
    TIMESVC=$BUILT/timesvc SUPERVISOR=systemd-socket-activate serve
    connect 'send:TIME\r\n' 'expect:JAM %T\r\n'
}

@test "clang builds both programs" {
    command -v clang >/dev/null || skip 'there is no clang'
    build_with CC=clang MUSL_CC=no-such-compiler
}

@test "a distribution's own macros do not get in the way of the build" {
    eval "build_with $(DEB_CPPFLAGS_SET='-D_FORTIFY_SOURCE=3 -D_GNU_SOURCE' \
        dpkg-buildflags --export=cmdline)"
}

# musl: its directory, as musl-gcc knows it.
musl() {
    LC_ALL=C musl-gcc -v 2>&1 | sed -n 's|^Reading specs from \(.*\)/musl-gcc.specs|\1|p'
}

@test "a compiler whose libc is musl builds both programs" {
    # As Alpine's, which knows -static-pie, and has the kernel's headers beside libc's.
    local cc=$BATS_TEST_TMPDIR/cc lib
    lib=$(musl)
    cat >"$cc" <<END
#!/bin/bash
static='-pie -nostartfiles $lib/rcrt1.o $lib/crti.o $lib/crtn.o
    -Wl,-static,--no-dynamic-linker,-z,text'
exec musl-gcc -idirafter /usr/include -idirafter /usr/include/$(gcc -print-multiarch) \
    \${@/#-static-pie/\$static}
END
    chmod 755 "$cc"
    build_with CC="$cc" MUSL_CC=no-such-compiler
    run ! grep -qa 'GLIBC_' "$BUILT/timesvc" "$BUILT/timesvc-static"
}

@test "timesvc-static is built with the musl that musl-gcc has, wherever that is" {
    local musl=$BATS_TEST_TMPDIR/musl
    cp -rL "$(musl)" "$musl"
    sed -i "s|$(musl)|$musl|g" "$musl/musl-gcc.specs"
    printf '#!/bin/sh\nexec gcc -specs %s "$@"\n' "$musl/musl-gcc.specs" >"$musl/musl-gcc"
    chmod 755 "$musl/musl-gcc"
    build_with MUSL_CC="$musl/musl-gcc"
    assert_output --partial "$musl/rcrt1.o"
}

# make_run VARIABLE=VALUE...: as an ordinary user, where we can become one; with $WITHIN before it.
make_run() {
    local as=()
    [ "$(id -u)" -ne 0 ] || as=(setpriv --reuid 65534 --regid 65534 --clear-groups)
    chmod 711 "$BATS_RUN_TMPDIR"
    cp -p "$TREE"/{Makefile,timesvc.c,timesvc} "$BATS_TEST_TMPDIR"
    leash "${WITHIN[@]}" "${as[@]}" env -u ADDRESS \
        make -C "$BATS_TEST_TMPDIR" --no-print-directory run "$@"
}

@test "make run serves an ordinary user's port, and says how to talk to it" {
    local port=$((RANDOM % 10000 + 20000)) log=$BATS_TEST_TMPDIR/log
    make_run PORT="$port" >"$log" 2>&1 3>&- &
    SERVER=$!
    retry grep -qxF "Ctrl-C ends it. In another terminal:  nc -C 127.0.0.1 $port  \
then TIME, and QUIT to leave." "$log"
    ADDRESS=127.0.0.1:$port connect 'send:TIME\r\n' 'expect:JAM %T\r\n' 'send:QUIT\r\n' eof
    retry grep -q 'ended peer=127.0.0.1 .* end=quit' "$log"
}

@test "make run serves one address alone if it is told to" {
    local port=$((RANDOM % 10000 + 20000)) log=$BATS_TEST_TMPDIR/log
    make_run PORT="$port" ADDRESS=::1 >"$log" 2>&1 3>&- &
    SERVER=$!
    retry grep -qF "nc -C ::1 $port " "$log"
    ADDRESS=::1:$port connect 'send:TIME\r\n' 'expect:JAM %T\r\n'
    run ! nc -z 127.0.0.1 "$port"
}

@test "make run says so when the port is taken" {
    SUPERVISOR=tcpserver serve
    run ! make_run PORT="$PORT"
    assert_output --partial "Failed to open '$PORT': Address already in use"
    refute_output --partial 'In another terminal'
}

@test "an ordinary user is told why make run cannot serve port 80" {
    skip_unless_root 'becomes an ordinary user, in a network namespace'
    local WITHIN=(unshare --net)
    run ! make_run PORT=80
    assert_output --partial "Failed to open '80': Permission denied"
}

@test "make run as root serves as nobody, even a low port, in a checkout that nobody can enter" {
    skip_unless_root 'its handler becomes nobody'
    local copy=$BATS_TEST_TMPDIR/copy log=$BATS_TEST_TMPDIR/log port=$((RANDOM % 300 + 700))
    checkout "$copy"
    chmod 700 "$copy"
    leash make -C "$copy" run PORT="$port" ADDRESS=127.0.0.1 >"$log" 2>&1 3>&- &
    SERVER=$!
    retry grep -qF "nc -C 127.0.0.1 $port " "$log"
    ADDRESS=127.0.0.1:$port connect 'send:TIME\r\n' 'expect:JAM %T\r\n' \
        "run:grep -E '^([UG]id|Groups|CapEff)' /proc/\$(sed -n 's/.* as PID \(.*\)\./\1/p' '$log')/status"
    run -0 tr -s '\t ' ' ' <<<"$output"
    assert_output "$(printf '%s 65534 65534 65534 65534\n' Uid: Gid:
        echo 'Groups: '; echo 'CapEff: 0000000000000000')"
}

@test "in a chroot on a bind mount a container's command acts in the container, and nowhere else" {
    skip_unless_root 'boots a container'
    mkdir "$BATS_TEST_TMPDIR/there"
    # shellcheck disable=SC2016 # the inner shells' to expand
    run -0 unshare --mount bash -euc '
        mount --rbind / "$1"
        mount --make-rprivate "$1"
        exec chroot "$1" "$2/isolated" "$2/under" systemd-bookworm bash -euc \
            "source \"$2/container.bash\"; inside touch /here; ls \"\$SCRATCH/root/here\""
        ' bash "$BATS_TEST_TMPDIR/there" "$TESTS"
    assert_output --partial root/here
    [ ! -e /here ]
}

@test "the setup script is silent where nothing is missing, and refuses what it does not know" {
    run -0 "$TREE/setup.sh" test
    assert_output ''
    run -64 "$TREE/setup.sh" everything
}
