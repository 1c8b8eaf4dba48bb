#!/usr/bin/env bats
# The manual pages, the program and what else explains it say the same.

load helpers
source "$TESTS/pages.bash"

# assert_same_lines TEXT TEXT: in whatever order.
assert_same_lines() {
    assert_equal "$(sort -u <<<"$1")" "$(sort -u <<<"$2")"
}

# section NAME: of timesvc(8), as it is written.
section() {
    sed -n "/^\.Sh $1\$/,/^\.Sh /p" "$TREE/timesvc.8"
}

@test "--help and the manual page know the same options" {
    local in_help in_page
    # -t --timeout= where it takes an argument.
    in_help=$("$TIMESVC" --help | sed -nE 's/^  (-.), (--[a-z]+=?).*/\1 \2/p')
    in_page=$(sed -nE 's/^\.It Fl (.) , Fl (-[a-z]+)( Ns (=).*)?$/-\1 -\2\4/p' "$TREE/timesvc.8")
    [ -n "$in_help" ]
    assert_same_lines "$in_page" "$in_help"
}

@test "--help and the manual page have the same synopsis" {
    local in_help in_page
    in_help=$("$TIMESVC" --help | sed '/^Tell/,$d; s/^usage://' | tr -d ' \n')
    in_page=$(mandoc -T ascii "$TREE/timesvc.8" | sed 's/.\x08//g' |
        sed -n '/^SYNOPSIS/,/^DESCRIPTION/p' | sed '1d;$d' | tr -d ' \t\n')
    assert_equal "$in_page" "$in_help"
}

@test "the manual page and the catalog explain the same records and endings" {
    local kinds endings
    kinds=$(section DIAGNOSTICS | sed -nE 's/^\.It ([a-z]+) peer=.*/\1/p')
    [ -n "$kinds" ]
    assert_equal "$(grep -c '^-- ' "$TREE/etc/catalog/timesvc.catalog")" "$(wc -l <<<"$kinds")"
    endings=$(section DIAGNOSTICS | sed -nE 's/^\.It Cm ([a-z]+)$/\1/p')
    [ -n "$endings" ]
    assert_same_lines "$endings" \
        "$(sed -nE '/@TIMESVC_END@/,/^--/s/^([a-z]+)  +.*/\1/p' "$TREE/etc/catalog/timesvc.catalog")"
}

# status COMMAND...: how it exits.
status() {
    local status=0
    "$@" >/dev/null 2>&1 </dev/null || status=$?
    echo "$status"
}

@test "the manual page explains every exit status" {
    local statuses
    # shellcheck disable=SC2016 # the inner shells' to expand
    statuses=$(
        status "$TIMESVC"
        status "$TIMESVC" --bogus
        status bash -c 'echo TIME | "$0" >/dev/full' "$TIMESVC"
        status bash -c 'exec "$0" <&-' "$TIMESVC"
    )
    assert_same_lines "$statuses" "$(section 'EXIT STATUS' | sed -n 's/^\.It \([0-9]*\)$/\1/p')"
}

# reason COMMAND...: that it gives for its fault, up to the first colon.
reason() {
    local line
    line=$("$@" 2>&1 >/dev/null </dev/null | grep -o 'reason=.*')
    line=${line#reason=}
    echo "${line%%: *}"
}

@test "the manual page explains the reasons of a fault" {
    # shellcheck disable=SC2016 # the inner shells' to expand
    local closed='exec "$0" <&-' full='echo TIME | "$0" >/dev/full' reason
    local unconnected='import os, socket, sys
datagrams = socket.socket(type=socket.SOCK_DGRAM)
os.dup2(datagrams.fileno(), 0)
os.execv(sys.argv[1], sys.argv[1:])'
    for reason in "$(reason "$TIMESVC" --bogus)" "$(reason bash -c "$closed" "$TIMESVC")" \
        "$(reason python3 -c "$unconnected" "$TIMESVC")"; do
        [ -n "$reason" ]
        run -0 section DIAGNOSTICS
        assert_line --partial ".It $reason"
    done
    reason=$(reason bash -c "$full" "$TIMESVC")
    assert_equal "$reason" write
    run -0 section DIAGNOSTICS
    assert_output --regexp "[.]Li $reason"
}

@test "the manual page explains the variables of the environment that the program knows" {
    local names name
    names=$(section ENVIRONMENT | grep -E '^\.(It )?Ev' | grep -oE '\b[A-Z_]{2,}\b')
    [ -n "$names" ]
    for name in $names; do
        grep -qaF "$name" "$TREE/timesvc" "$TREE/timesvc-static" || fail "$name"
    done
}

@test "what make is told to do in a document it can do" {
    local goal
    grep -ohE '(`|&& |^    )make [a-z-]+' "$TREE"/*.md "$TREE"/docs/*.md | sed 's/.* //' | sort -u |
        while read -r goal; do
            grep -qE "^([a-z-]+ )*$goal( [a-z-]+)*:" "$TREE/Makefile" "$TREE/tests/verify/Makefile" "$TREE/bench/Makefile" || echo "$goal"
        done >"$BATS_TEST_TMPDIR/unknown"
    run cat "$BATS_TEST_TMPDIR/unknown"
    assert_output ''
}

# Texts by which a test finds the commands that it runs: printed FILE 'TEXT'.
texts() {
    grep -hoE "printed [a-zA-Z0-9.]+ ['\"][^'\"]+" "$TESTS"/*.bats | sed "s/^[^'\"]*.//"
    # .ci/run, package.bats and install.bats do.
    printf '%s\n' 'as any user:' 'is for inetd and xinetd.' 'To remove it completely' 'as shown below.'
}

@test "no command is printed that no test runs" {
    local file
    texts >"$BATS_TEST_TMPDIR/texts"
    for file in README.md timesvc.8 timesvc.socket.8; do
        printed_blocks "$TREE/$file"
    done | awk -F '\t' -v texts="$BATS_TEST_TMPDIR/texts" '
        BEGIN { while ((getline text <texts) > 0) tried[text] = 1 }
        { for (text in tried) if (index($1, text)) next; print }' >"$BATS_TEST_TMPDIR/untried"
    run cat "$BATS_TEST_TMPDIR/untried"
    assert_output ''
}

@test "the system calls of a conversation are those documented, in that order" {
    [ "$(uname -m)" = x86_64 ] || return 0 # elsewhere they have other names
    TIMESVC=$TREE/timesvc-static
    START=(env -u TZ strace -D -qq -o "$BATS_TEST_TMPDIR/calls")
    launch 'send:TIME\r\nQUIT\r\n' 'expect:JAM %T\r\n' eof --
    run sed 's/(.*//; /^+++/d' "$BATS_TEST_TMPDIR/calls"
    # shellcheck disable=SC2016 # those are backquotes in the page
    assert_output "$(sed -n 's/^| \(`[^|]*`\) |.*/\1/p' "$TREE/docs/system-calls.md" |
        grep -o '[a-z0-9_]*')"
}

@test "the figures in README and docs are those of the bench's results" {
    local page head
    for page in README.md docs/scaling.md; do
        cp "$TREE/$page" "$BATS_TEST_TMPDIR/page"
        "$TREE/bench/figures.py" "$BATS_TEST_TMPDIR/page"
        run -0 diff "$TREE/$page" "$BATS_TEST_TMPDIR/page"
    done
    "$TREE/bench/figures.py" | grep -B 1 '^| ---' | grep -v -e '^| ---' -e '^--' >"$BATS_TEST_TMPDIR/heads"
    [ -s "$BATS_TEST_TMPDIR/heads" ]
    while read -r head; do
        grep -qhF "$head" "$TREE/README.md" "$TREE/docs/scaling.md" || fail "nowhere: $head"
    done <"$BATS_TEST_TMPDIR/heads"
}

@test "every test that a document names is there" {
    local file
    grep -ohE '\b[a-z-]+\.bats' "$TREE"/*.md "$TREE"/docs/*.md | sort -u |
        while read -r file; do
            [ -e "$TESTS/$file" ] || echo "$file"
        done >"$BATS_TEST_TMPDIR/missing"
    run cat "$BATS_TEST_TMPDIR/missing"
    assert_output ''
}

@test "every link in a document leads somewhere" {
    local file link
    for file in "$TREE"/*.md "$TREE"/docs/*.md; do
        grep -oE '\]\([^)]+\)' "$file" | tr -d '()]' | grep -v '^https\?:' | sort -u |
            while IFS='#' read -r link section; do
                link=${link:+$(dirname "$file")/$link}
                link=${link:-$file}
                if [ ! -e "$link" ]; then
                    echo "$file: $link"
                elif [ -n "$section" ] && ! grep -qiE "^#+ ${section//-/.}\$" "$link"; then
                    echo "$file: $link, $section"
                fi
            done
    done >"$BATS_TEST_TMPDIR/nowhere"
    run cat "$BATS_TEST_TMPDIR/nowhere"
    assert_output ''
}

@test "the README has a recipe for each example" {
    local file
    for file in "$TREE"/examples/*; do
        file=${file##*/}
        grep -qF "](examples/$file)" "$TREE/README.md" || fail "$file"
    done
}
