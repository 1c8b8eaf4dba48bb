#!/usr/bin/env bats
# make deb: the Debian packages, as they are built here.

load helpers

# built DIRECTORY [WORD...]: make deb in a copy of this checkout, started by these words.
built() {
    checkout "$1"
    chmod -R "go=$GROUP_AND_OTHERS" "$1"
    mkdir "$1.tmp"
    TMPDIR=$1.tmp "${@:2}" make -C "$1" --no-print-directory deb >"$1.log" 2>&1 ||
        { tail -n 50 "$1.log"; return 1; }
}

# The second time elsewhere, more than a year later, in another zone, with another umask.
setup_file() {
    export ONE=$BATS_FILE_TMPDIR/one TWO=$BATS_FILE_TMPDIR/another/place
    mkdir "$BATS_FILE_TMPDIR/another"
    (umask 077; GROUP_AND_OTHERS='' built "$TWO" env TZ=Pacific/Apia faketime -f +400d) 3>&- &
    (umask 002; GROUP_AND_OTHERS=rwX built "$ONE") 3>&-
    wait $!
}

@test "there is a package for systemd and one for inetd" {
    run -0 bash -c "cd '$ONE/dist' && dpkg-deb -f timesvc_*.deb Package && dpkg-deb -f timesvc-inetd_*.deb Package"
    assert_output $'timesvc\ntimesvc-inetd'
}

@test "whoever builds the packages, wherever and whenever, gets the same bytes" {
    run -0 bash -c "cd '$ONE/dist' && sha256sum *.deb *.dsc *.tar.*"
    (cd "$TWO/dist" && sha256sum --check --strict <<<"$output")
}

@test "lintian has no complaint" {
    local options=(--display-info --fail-on 'error,warning,info')
    [ "$(id -u)" -ne 0 ] || options+=(--allow-root)
    TMPDIR=$BATS_TEST_TMPDIR run -0 lintian "${options[@]}" "$ONE"/dist/*.changes
    assert_output ''
}

@test "every compiler call has Debian's hardening" {
    run -0 blhc --all --debian "$ONE/dist/build.log"
    assert_output ''
}

@test "the package for inetd needs neither systemd nor a library" {
    run -0 dpkg-deb -f "$ONE"/dist/timesvc-inetd_*.deb Depends
    assert_output 'openbsd-inetd | inet-superserver, update-inetd'
}

@test "the package with the static program names the musl that is in it" {
    local musl
    # shellcheck disable=SC2016 # dpkg-query's to expand
    musl=$(dpkg-query -W -f 'musl (= ${source:Version})' musl-dev)
    run -0 dpkg-deb -f "$ONE"/dist/timesvc-inetd_*.deb Static-Built-Using
    assert_output "$musl"
    run -0 bash -c "dpkg-deb --fsys-tarfile '$ONE'/dist/timesvc-inetd_*.deb |
        tar -xO ./usr/share/doc/timesvc-inetd/copyright"
    assert_output --partial 'Rich Felker'
}

@test "the packages have all that make install puts, and name the places of Debian" {
    local root=$BATS_TEST_TMPDIR/root packaged=$BATS_TEST_TMPDIR/packaged package
    for package in "$ONE"/dist/timesvc{,-inetd}_*.deb; do
        dpkg-deb -x "$package" "$packaged"
    done
    run ! grep -rI /usr/local "$packaged"
    make -C "$ONE" --no-print-directory install DESTDIR="$root" PREFIX=/usr SYSTEMD_VERSION=252 >/dev/null
    # names DIRECTORY: the files, by name alone, since each package has documents of its own.
    names() {
        find "$1" \( -type f -o -type l \) -printf '%f\n' | sed 's/\.gz$//' | sort -u
    }
    run -0 comm -23 <(names "$root") <(names "$packaged")
    assert_output static.conf # which takes programs of both
}

@test "each package has every file of ours that its pages, examples and settings name" {
    local package root
    for package in timesvc timesvc-inetd; do
        root=$BATS_TEST_TMPDIR/$package
        dpkg-deb -x "$ONE/dist/$package"_*.deb "$root"
        gunzip -r "$root"
        # To Debian they are one.
        [ ! -d "$root/lib" ] || cp -r "$root/lib" "$root/usr"
        grep -rIhoP '/(usr|lib|etc/sysctl.d)/[^] :,"\t]*timesvc[^] :,"\t]*' "$root/usr" "$root/etc" 2>/dev/null | sort -u |
            tee "$root.named" | while read -r path; do
            compgen -G "$root$path" >/dev/null || echo "$package: $path"
        done
        [ -s "$root.named" ]
    done >"$BATS_TEST_TMPDIR/missing"
    run cat "$BATS_TEST_TMPDIR/missing"
    assert_output ''
}

@test "a package for a later systemd lifts the limit that came with it" {
    local copy=$BATS_TEST_TMPDIR/copy
    # Nor does that systemd tell pkg-config where its units are, without systemd-dev.
    GROUP_AND_OTHERS=rX built "$copy" env SYSTEMD_VERSION=257 PKG_CONFIG_LIBDIR=/nowhere
    run -0 dpkg-deb -c "$copy"/dist/timesvc_*.deb
    assert_output --partial ./usr/lib/systemd/system/timesvc.socket.d/poll-limit.conf
}
