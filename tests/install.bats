#!/usr/bin/env bats
# From the checkout to a machine: make run, make install, make uninstall.

load helpers

teardown() {
    stop_serving
    [ -z "${COPY:-}" ] || rm -r "$COPY"
}

# staged GOAL [VARIABLE=VALUE...]: make, which has to succeed.
staged() {
    run -0 make -C "$TREE" --no-print-directory "$@"
}

# tree_state: every file of the checkout with its content.
tree_state() {
    find "$TREE" -name .git -prune -o -type f -print0 | sort -z | xargs -0 sha256sum
}

@test "uninstall removes just what install put, and the checkout stays as it is" {
    local before root=$BATS_TEST_TMPDIR/root
    mkdir -p "$root/usr/sbin" "$root/usr/share/doc"
    echo theirs >"$root/usr/sbin/other"
    before=$(tree_state)
    staged install DESTDIR="$root" PREFIX=/usr
    run -0 diff <(cd "$TREE/examples" && find . | sort) \
        <(cd "$root/usr/share/doc/timesvc/examples" && find . | sort)
    run -0 bash -c "cd '$root' && find . -type f ! -path '*/examples/*' | sort"
    assert_output - <<'END'
./usr/lib/sysctl.d/00-timesvc.conf
./usr/lib/systemd/catalog/timesvc.catalog
./usr/lib/systemd/system/timesvc.socket
./usr/lib/systemd/system/timesvc.socket.d/poll-limit.conf
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
    # Meanwhile the machine has lost a compiler, and its systemd is older.
    staged uninstall DESTDIR="$root" PREFIX=/usr SYSTEMD_VERSION=252 MUSL_CC=no-such-compiler
    run -0 bash -c "cd '$root' && find . ! -type d -o -name 'timesvc*'"
    assert_output ./usr/sbin/other
    assert_equal "$(tree_state)" "$before"
}

@test "install fails where a file of ours is missing, and puts no empty one" {
    local copy=$BATS_TEST_TMPDIR/copy file
    checkout "$copy"
    for file in timesvc.socket timesvc.8 inetd.conf.example; do
        mv "$copy/$file" "$copy/away"
        run ! make -C "$copy" --no-print-directory install DESTDIR="$copy/root"
        run -0 find "$copy/root" -name "$file"
        assert_output ''
        mv "$copy/away" "$copy/$file"
    done
}

@test "what is installed names the program where it was installed" {
    local root=$BATS_TEST_TMPDIR/root
    staged install DESTDIR="$root" PREFIX=/opt/time
    run ! grep -r /usr/local "$root/opt/time/lib" "$root/opt/time/share"
    run -0 grep -r /sbin/timesvc "$root/opt/time/lib" "$root/opt/time/share"
    assert_output --partial 'ExecStart=/opt/time/sbin/timesvc'
    assert_output --partial 'server      = /opt/time/sbin/timesvc-static'
}

# reserving SYSTEMD SETTINGS PORTS: what is reserved after reserve-port on a machine with these
# settings where these ports were, and what it says.
reserving() {
    skip_unless_root 'sets a port list, in a network namespace'
    # shellcheck disable=SC2016 # the inner shell's to expand
    run -0 unshare --mount --net bash -euc '
        mount -t tmpfs none /run
        mount -t tmpfs none /etc/sysctl.d
        mkdir -p /run/bin "/run/$1"
        printf "#!/bin/sh\nexit 1\n" >/run/bin/ischroot
        chmod 755 /run/bin/ischroot
        echo "$2" >/etc/sysctl.d/10-local.conf
        echo "$3" >/proc/sys/net/ipv4/ip_local_reserved_ports
        PATH=/run/bin:$PATH "$4/etc/reserve-port" configure 2>&1
        cat /proc/sys/net/ipv4/ip_local_reserved_ports' bash "$1" "$2" "$3" "$TREE"
}

@test "the port is reserved with systemd and without it, and no reserved one is lost" {
    local system key=net.ipv4.ip_local_reserved_ports
    for system in systemd/system no-systemd; do
        reserving $system "$key = 45000" ''
        assert_output 45000
        reserving $system "$key = 30000,45000" 45000
        assert_output 30000,45000
        reserving $system "$key = 45000" 44000-45001
        assert_output 44000-45001
        reserving $system "$key = 45000" 30000
        assert_output "timesvc: port 45000 is not reserved, others are: add it to $key in /etc/sysctl.d/10-local.conf
30000"
    done
}

@test "systemd finds nothing wrong with the units" {
    staged install PREFIX="$BATS_TEST_TMPDIR/prefix"
    run -0 systemd-analyze verify --man=no \
        "$BATS_TEST_TMPDIR/prefix/lib/systemd/system/timesvc.socket"
    assert_output ''
    run -0 systemd-analyze verify --man=no \
        "$BATS_TEST_TMPDIR/prefix/lib/systemd/system/timesvc@1.service"
    assert_output ''
}

@test "only a systemd that knows PollLimit gets it, and a copy that is staged for any" {
    local root=$BATS_TEST_TMPDIR/root drop_in=usr/lib/systemd/system/timesvc.socket.d
    staged install DESTDIR="$root" PREFIX=/usr SYSTEMD_VERSION=254
    [ ! -e "$root/$drop_in" ]
    staged install DESTDIR="$root" PREFIX=/usr
    run -0 cat "$root/$drop_in/poll-limit.conf"
    assert_line PollLimitIntervalSec=0
}

@test "make dist packs what builds, serves, tests and packs itself" {
    local copy=$BATS_TEST_TMPDIR/copy
    checkout "$copy"
    staged -C "$copy" dist
    tar -xf "$copy/$output" -C "$BATS_TEST_TMPDIR"
    run -0 make -C "$BATS_TEST_TMPDIR"/timesvc-* all
    TIMESVC=$(echo "$BATS_TEST_TMPDIR"/timesvc-*/timesvc) SUPERVISOR=unix \
        run -0 bats "$BATS_TEST_TMPDIR"/timesvc-*/tests/wire.bats
    run -0 make -C "$BATS_TEST_TMPDIR"/timesvc-* dist
    cmp "$copy"/dist/timesvc-* "$BATS_TEST_TMPDIR"/timesvc-*/dist/timesvc-*
}

@test "make dist packs what belongs to the checkout, and nothing else that lies there" {
    local copy=$BATS_TEST_TMPDIR/copy
    checkout "$copy"
    staged -C "$copy" dist
    mv "$copy"/dist/timesvc-* "$BATS_TEST_TMPDIR"
    git -C "$copy" init -q
    git -C "$copy" add .
    git -C "$copy" -c user.name=one -c user.email=one@example.org commit -qm one
    mkdir "$copy/.vscode"
    touch "$copy/notes~" "$copy/.vscode/settings.json" "$copy/examples/.tcpserver.sh.swp"
    [ "$(id -u)" -ne 0 ] || chown -R nobody "$copy"
    staged -C "$copy" dist
    cmp "$BATS_TEST_TMPDIR"/timesvc-* "$copy"/dist/timesvc-*
}

@test "the version that the program tells is that of the changelogs and the package" {
    local version
    version=$("$TREE/timesvc" --version)
    version=${version#timesvc }
    run -0 sed -n '1s/timesvc (\(.*\)-[0-9]*).*/\1/p' "$TREE/debian/changelog"
    assert_output "$version"
    run -0 sed -n 's/^## //p' "$TREE/CHANGELOG.md"
    assert_line --index 0 "$version"
    # The manual pages name none, so there is nothing to forget.
    run ! grep -E '(version|timesvc|Os) [0-9]+\.' "$TREE"/*.8
}

# serves: what was built in $1 serves, inside its sandbox.
serves() {
    local program
    for program in timesvc timesvc-static; do
        run -0 bash -c "printf 'TIME\nQUIT\n' | '$1/$program' -q --sandbox=required"
        assert_output --regexp '^JAM '
    done
}

# build_with VARIABLE=VALUE...: in a directory that has what a build needs, and nothing else.
build_with() {
    rm -rf "$BATS_TEST_TMPDIR/build"
    mkdir "$BATS_TEST_TMPDIR/build"
    cp "$TREE/Makefile" "$TREE/timesvc.c" "$BATS_TEST_TMPDIR/build"
    run -0 make -C "$BATS_TEST_TMPDIR/build" "$@"
    serves "$BATS_TEST_TMPDIR/build"
}

@test "without musl-gcc the static program has the compiler's own libc" {
    build_with MUSL_CC=no-such-compiler
    run -0 readelf --dynamic "$BATS_TEST_TMPDIR/build/timesvc-static"
    refute_output --partial NEEDED
}

@test "without libsystemd's headers timesvc serves, and takes what LISTEN_FDS passes" {
    local none=$BATS_TEST_TMPDIR/none
    mkdir -p "$none/systemd"
    echo '#error there are none' >"$none/systemd/sd-daemon.h"
    build_with CC="gcc -I$none"
    run ! grep -qa dlopen "$BATS_TEST_TMPDIR/build/timesvc"
    TIMESVC=$BATS_TEST_TMPDIR/build/timesvc SUPERVISOR=systemd-socket-activate serve
    run -0 "$TESTS/peer.py" connect "$ADDRESS" 'send:TIME\r\n' 'expect:JAM %T\r\n'
}

@test "clang builds both programs" {
    command -v clang >/dev/null || skip 'there is no clang'
    build_with CC=clang MUSL_CC=no-such-compiler
}

@test "a distribution's own macros do not get in the way of the build" {
    build_with CPPFLAGS=-D_FORTIFY_SOURCE=3
    build_with CPPFLAGS=-D_GNU_SOURCE
    eval "build_with $(DEB_CPPFLAGS_SET='-D_FORTIFY_SOURCE=3 -D_GNU_SOURCE' dpkg-buildflags --export=cmdline)"
}

@test "a compiler whose libc is musl builds both programs" {
    # As Alpine's, which knows -static-pie, and has the kernel's headers beside libc's.
    cat >"$BATS_TEST_TMPDIR/cc" <<'END'
#!/bin/bash
lib=$(LC_ALL=C musl-gcc -v 2>&1 | sed -n 's|^Reading specs from \(.*\)/musl-gcc.specs|\1|p')
static="-pie -nostartfiles $lib/rcrt1.o $lib/crti.o $lib/crtn.o -Wl,-static,--no-dynamic-linker,-z,text"
exec musl-gcc -idirafter /usr/include -idirafter "/usr/include/$(gcc -print-multiarch)" ${@/#-static-pie/$static}
END
    chmod 755 "$BATS_TEST_TMPDIR/cc"
    build_with CC="$BATS_TEST_TMPDIR/cc" MUSL_CC=no-such-compiler
    run ! grep -qa 'GLIBC_' "$BATS_TEST_TMPDIR/build/timesvc" "$BATS_TEST_TMPDIR/build/timesvc-static"
}

@test "timesvc-static is built with the musl that musl-gcc has, whatever the architecture is called" {
    local musl=$BATS_TEST_TMPDIR/musl lib
    lib=$(LC_ALL=C musl-gcc -v 2>&1 | sed -n 's/^Reading specs from //p')
    cp -rL "${lib%/*}" "$musl"
    sed -i "s|${lib%/*}|$musl|g" "$musl/musl-gcc.specs"
    # As on armhf, where musl is in no directory of the compiler's name.
    # shellcheck disable=SC2016 # the script's to expand
    printf '#!/bin/sh\n[ "$1" != -dumpmachine ] || exec echo other-linux\nexec gcc -specs %s "$@"\n' \
        "$musl/musl-gcc.specs" >"$BATS_TEST_TMPDIR/musl-gcc"
    chmod 755 "$BATS_TEST_TMPDIR/musl-gcc"
    cp "$TREE/Makefile" "$TREE/timesvc.c" "$BATS_TEST_TMPDIR"
    run -0 make -C "$BATS_TEST_TMPDIR" MUSL_CC="$BATS_TEST_TMPDIR/musl-gcc"
    assert_output --partial "$musl/rcrt1.o"
    run -0 bash -c "printf 'TIME\nQUIT\n' | '$BATS_TEST_TMPDIR/timesvc-static' -q"
    assert_output --regexp '^JAM '
}

# make run, as SUPERVISOR: an ordinary user's, where we can become one.
supervise_make_run() {
    local as=()
    [ "$(id -u)" -ne 0 ] || as=(setpriv --reuid 65534 --regid 65534 --clear-groups)
    leash "${as[@]}" make -C "$COPY" --no-print-directory run PORT="$1"
}

# A checkout that an ordinary user can read.
copy_tree() {
    COPY=$(mktemp -d)
    chmod 755 "$COPY"
    cp -p "$TREE"/{Makefile,timesvc.c,timesvc} "$COPY"
}

@test "make run serves an ordinary user's port, and says how to talk to it" {
    copy_tree
    local port=$((RANDOM % 10000 + 20000)) log=$BATS_TEST_TMPDIR/log
    (supervise_make_run "$port") >"$log" 2>&1 3>&- &
    SERVER=$!
    retry grep -q Listening "$log"
    run -0 cat "$log"
    assert_line "Ctrl-C ends it. In another terminal:  nc -C 127.0.0.1 $port  then TIME, and QUIT to leave."
    run -0 bash -c "printf 'TIME\r\nQUIT\r\n' | nc -N 127.0.0.1 $port"
    assert_output --regexp '^JAM '
    retry grep -q 'ended peer=127.0.0.1 .* end=quit' "$log"
}

@test "make run says so when the port is taken" {
    SUPERVISOR=tcpserver serve
    run ! env -u ADDRESS make -C "$TREE" --no-print-directory run PORT="$PORT"
    assert_output --partial "Failed to open '$PORT': Address already in use"
    refute_output --partial 'In another terminal'
}

@test "make run serves one address alone if it is told to" {
    local port=$((RANDOM % 10000 + 20000)) log=$BATS_TEST_TMPDIR/log
    leash make -C "$TREE" --no-print-directory run PORT="$port" ADDRESS=::1 >"$log" 2>&1 3>&- &
    SERVER=$!
    retry grep -qF "nc -C ::1 $port " "$log"
    run -0 bash -c "printf 'TIME\r\nQUIT\r\n' | nc -N ::1 $port"
    assert_output --regexp '^JAM '
    run ! nc -z 127.0.0.1 "$port"
}

@test "an ordinary user is told why make run cannot serve port 80" {
    skip_unless_root 'becomes an ordinary user, in a network namespace'
    copy_tree
    run ! unshare --net setpriv --reuid 65534 --regid 65534 --clear-groups \
        env -u ADDRESS make -C "$COPY" --no-print-directory run PORT=80
    assert_output --partial "Failed to open '80': Permission denied"
}

@test "a person with nc is served on port 45000" {
    skip_unless_root 'makes a network namespace, where port 45000 is free'
    run --separate-stderr unshare --net bash -c "
        ip link set lo up
        make -C '$TREE' --no-print-directory run >'$BATS_TEST_TMPDIR/log' 2>&1 3>&- &
        for _ in {1..200}; do
            grep -q Listening '$BATS_TEST_TMPDIR/log' && break
            sleep 0.02
        done
        printf 'TIME\r\nFOO\r\n\r\ntime\r\nTIME\nQUIT\r\nTIME\r\n' | nc -N 127.0.0.1 45000
        kill \$!; wait \$!"
    assert_output --regexp $'^JAM [0-9:]{8}\r\nInvalid request\r\nInvalid request\r\nInvalid request\r\nJAM [0-9:]{8}\r$'
}

@test "in a chroot on a bind mount a container's command acts in the container, and nowhere else" {
    skip_unless_root 'boots a container'
    local there=$BATS_TEST_TMPDIR/there
    mkdir "$there"
    # shellcheck disable=SC2016 # the inner shells' to expand
    run -0 unshare --mount bash -euc 'mount --rbind / "$1"
        mount --make-rprivate "$1"
        exec chroot "$1" "$2/isolated" "$2/under" systemd-bookworm bash -euc \
            "source \"$2/container.bash\"; inside touch /here; cd \"\$SCRATCH/root\"; ls here"' bash "$there" "$TESTS"
    assert_output here
    [ ! -e /here ]
}

@test "the setup script is silent where nothing is missing, and refuses what it does not know" {
    run -0 "$TREE/setup.sh" test
    assert_output ''
    run -64 "$TREE/setup.sh" everything
}
