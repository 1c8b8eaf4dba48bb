#!/usr/bin/env bats
# The bench itself, in seconds: what it prints is no measurement.

load helpers

setup_file() {
    make -s -C "$TREE" bench-programs
}

bench() {
    run "$TREE/bench/run" -r 1 -s 0.05 -n 3 "$@"
}

@test "a bench measures each program, and prints each ratio of the README" {
    skip_unless_root 'makes namespaces'
    bench -l 20 -o "$BATS_TEST_TMPDIR"
    assert_success
    local row
    while read -r row; do
        assert_line --partial "| $row | "
    done < <(sed -n '/^| ratio/,/^$/{/^| ratio/d; /^| ---/d; s/^| \([^|]*\) |.*/\1/p}' "$TREE/README.md")
    assert_line --regexp '^held-20 +unconfined +private_kb +[1-9]'
    grep -q '"linked"' "$BATS_TEST_TMPDIR/results.json"
}

@test "a bench fails where a program answers wrongly" {
    skip_unless_root 'makes namespaces'
    local program=$BATS_TEST_TMPDIR/wrong
    printf '#!/bin/sh\nread -r request; printf "JAM 1:2:3\\r\\n"\n' >"$program"
    chmod +x "$program"
    bench -p "$program"
    assert_failure 1
    assert_line --regexp '^load: .*: a wrong reply$'
    assert_line --regexp 'timesvc-static: no connections-1$'
}
