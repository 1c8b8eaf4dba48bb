#!/usr/bin/env bats
# make deb: the Debian packages, as they are built here.

load helpers

# built DIRECTORY [WORD...]: make deb in a copy of this checkout, started by these words.
built() {
    checkout "$1"
    chmod -R "$(umask -S | tr x X)" "$1"
    mkdir "$1.tmp"
    TMPDIR=$1.tmp "${@:2}" make -C "$1" --no-print-directory deb >"$1.log" 2>&1 ||
        { tail -n 50 "$1.log"; return 1; }
}

# The second time elsewhere, more than a year later, in another zone, with another umask.
setup_file() {
    export ONE=$BATS_FILE_TMPDIR/one TWO=$BATS_FILE_TMPDIR/another/place
    export UNPACKED=$BATS_FILE_TMPDIR/unpacked
    local package
    mkdir "$BATS_FILE_TMPDIR/another" "$UNPACKED"
    (umask 077; built "$TWO" env TZ=Pacific/Apia faketime -f +400d) 3>&- &
    (umask 002; built "$ONE") 3>&-
    wait $!
    for package in timesvc timesvc-inetd; do
        dpkg-deb -x "$ONE/dist/$package"_*.deb "$UNPACKED/$package"
        # To Debian they are one.
        [ ! -d "$UNPACKED/$package/lib" ] || cp -r "$UNPACKED/$package"/{lib,usr}
    done
    find "$UNPACKED" -type l -name '*.gz' -delete # which gunzip does not follow
    gunzip -r "$UNPACKED"
}

@test "whoever builds the packages, wherever and whenever, gets the same bytes" {
    run -0 bash -c "cd '$ONE/dist' && sha256sum *.deb *.dsc *.tar.*"
    (cd "$TWO/dist" && sha256sum --check --strict <<<"$output")
}

@test "neither lintian nor blhc has a complaint" {
    TMPDIR=$BATS_TEST_TMPDIR run -0 lintian --allow-root --display-info \
        --fail-on error,warning,info "$ONE"/dist/*.changes
    assert_output ''
    run -0 blhc --all --debian "$ONE/dist/build.log"
    assert_output ''
}

@test "the package for inetd needs neither systemd nor a library, and names its musl" {
    local musl
    # shellcheck disable=SC2016 # dpkg-query's to expand
    musl=$(dpkg-query -W -f 'musl (= ${source:Version})' musl-dev)
    run -0 dpkg-deb -f "$ONE"/dist/timesvc-inetd_*.deb Depends Built-Using
    assert_line 'Depends: openbsd-inetd | inet-superserver, update-inetd'
    assert_line "Built-Using: $musl"
    grep -q 'Rich Felker' "$UNPACKED/timesvc-inetd/usr/share/doc/timesvc-inetd/copyright"
}

@test "the packages have all that make install puts, and name the places of Debian" {
    run ! grep -rI /usr/local "$UNPACKED"
    make -s -C "$ONE" install DESTDIR="$BATS_TEST_TMPDIR" PREFIX=/usr >/dev/null
    # names DIRECTORY: without the directories, since each package has documents of its own.
    names() {
        find "$1" \( -type f -o -type l \) -printf '%f\n' | sort -u
    }
    run -0 comm -23 <(names "$BATS_TEST_TMPDIR/usr") <(names "$UNPACKED")
    assert_output ''
}

@test "each package has every file of ours that its pages, examples and settings name" {
    local root path
    for root in "$UNPACKED"/*; do
        grep -rIhoP '/(usr|lib|etc/sysctl.d)/[^] :,"\t]*timesvc[^] :,"\t]*' "$root" | sort -u |
            while read -r path; do
                compgen -G "$root$path" >/dev/null || fail "$root: $path"
            done
    done
}

@test "where pkg-config cannot tell the place of units, without systemd-dev, they go to /usr/lib" {
    built "$BATS_TEST_TMPDIR/copy" env PKG_CONFIG_LIBDIR=/nowhere
    run -0 dpkg-deb -c "$BATS_TEST_TMPDIR"/copy/dist/timesvc_*.deb
    assert_output --partial ./usr/lib/systemd/system/timesvc.socket
}
