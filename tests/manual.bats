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

# statement PATTERN: the lines of timesvc.c from one that matches to the end of that statement.
statement() {
    sed -n "/$1/,/};/p" "$TREE/timesvc.c"
}

@test "--help, the manual page and the table of options know the same options" {
    local in_table in_help in_page
    # -t --timeout= where it takes an argument.
    in_table=$(statement 'struct option names' |
        sed -nE "s/.*\{\"([a-z]+)\", (no|required)_argument, NULL, '(.)'.*/-\3 --\1\2/p" |
        sed 's/no$//; s/required$/=/')
    in_help=$("$TIMESVC" --help | sed -nE 's/^  (-.), (--[a-z]+=?).*/\1 \2/p')
    in_page=$(sed -nE 's/^\.It Fl (.) , Fl (-[a-z]+)( Ns (=).*)?$/-\1 -\2\4/p' "$TREE/timesvc.8")
    [ -n "$in_table" ]
    assert_same_lines "$in_table" "$in_help"
    assert_same_lines "$in_table" "$in_page"
}

@test "--help and the manual page have the same synopsis" {
    local in_help in_page
    in_help=$("$TIMESVC" --help | sed '/^Tell/,$d; s/^usage://' | tr -d ' \n')
    in_page=$(mandoc -T ascii "$TREE/timesvc.8" | sed 's/.\x08//g' |
        sed -n '/^SYNOPSIS/,/^DESCRIPTION/p' | sed '1d;$d' | tr -d ' \t\n')
    assert_equal "$in_page" "$in_help"
}

@test "the manual page and the catalog explain every kind of record and every ending" {
    local kinds endings
    kinds=$(statement '^} kinds' | sed -nE 's/.*LOG_[A-Z]+, [A-Z]+, "([a-z]+)".*/\1/p')
    [ -n "$kinds" ]
    assert_same_lines "$kinds" \
        "$(section DIAGNOSTICS | sed -nE 's/^\.It ([a-z]+) peer=.*/\1/p')"
    assert_equal "$(grep -c '^-- ' "$TREE/etc/catalog/timesvc.catalog")" "$(wc -l <<<"$kinds")"
    # None ends as open.
    endings=$(statement 'endings\[\] = ' | grep -oE '= "[a-z]+"' | tr -d '=" ' | grep -vx open)
    assert_same_lines "$endings" "$(section DIAGNOSTICS | sed -nE 's/^\.It Cm ([a-z]+)$/\1/p')"
    assert_same_lines "$endings" \
        "$(sed -nE '/@TIMESVC_END@/,/^--/s/^([a-z]+)  +.*/\1/p' "$TREE/etc/catalog/timesvc.catalog")"
}

@test "the manual page explains every exit status" {
    local statuses
    statuses=$({
        echo '#include <sysexits.h>'
        grep -oE '\bEX_[A-Z]+' "$TREE/timesvc.c"
    } | gcc -E - | grep -E '^[0-9]+$')
    assert_same_lines "$statuses" "$(section 'EXIT STATUS' | sed -n 's/^\.It \([0-9]*\)$/\1/p')"
}

# reason COMMAND...: that it gives for its fault, up to the first colon.
reason() {
    local line
    line=$("$@" 2>&1 >/dev/null </dev/null | grep -o 'reason=.*')
    line=${line#reason=}
    echo "${line%%: *}"
}

@test "the manual page explains every reason of a fault" {
    # shellcheck disable=SC2016 # the inner shell's to expand
    local closed='exec "$0" <&-' reason
    for reason in "$(reason "$TIMESVC" --bogus)" "$(reason bash -c "$closed" "$TIMESVC")" \
        "$(statement 'launch_misuse' | grep -oE 'standard input is [a-z ]+' | head -n 1)"; do
        [ -n "$reason" ]
        run -0 section DIAGNOSTICS
        assert_line --partial ".It $reason"
    done
    # The calls that connection_fault and connection_broken are told of.
    grep -oE 'connection_(fault|broken)\(c, "[a-z]+"' "$TREE/timesvc.c" | grep -oE '[a-z]+"' |
        tr -d '"' >"$BATS_TEST_TMPDIR/calls"
    [ -s "$BATS_TEST_TMPDIR/calls" ]
    while read -r reason; do
        run -0 section DIAGNOSTICS
        assert_output --regexp "[.]Li $reason"
    done <"$BATS_TEST_TMPDIR/calls"
}

@test "the manual page explains every variable of the environment that the program asks for" {
    local names
    names=$(sed -nE 's/.*getenv\("([A-Z_]+)"\).*/\1/p; s/^ *\{"([A-Z_]+)", "([A-Z_]+)"\},.*/\1\n\2/p' \
        "$TREE/timesvc.c")
    assert_same_lines "$names"$'\nTZ' \
        "$(section ENVIRONMENT | grep -E '^\.(It )?Ev' | grep -oE '\b[A-Z_]{2,}\b')"
}

@test "what make is told to do in a document it can do" {
    local goal
    grep -ohE '(`|&& |^    )make [a-z-]+' "$TREE"/*.md "$TREE"/docs/*.md | sed 's/.* //' | sort -u |
        while read -r goal; do
            grep -qE "^([a-z-]+ )*$goal( [a-z-]+)*:" "$TREE/Makefile" || echo "$goal"
        done >"$BATS_TEST_TMPDIR/unknown"
    run cat "$BATS_TEST_TMPDIR/unknown"
    assert_output ''
}

# Texts by which a test finds the commands that it runs: printed FILE 'TEXT'.
texts() {
    grep -hoE "printed [a-zA-Z0-9.]+ ['\"][^'\"]+" "$TESTS"/*.bats | sed "s/^[^'\"]*.//"
    # .ci/run, debian.bats, package.bats and install.bats do.
    printf '%s\n' 'directories of Debian (1 GB' 'is for inetd and xinetd.' 'Off the machine again' \
        'Then tell your supervisor'
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
    assert_output "$(sed -n 's/^| `\([a-z0-9_]*\)` |.*/\1/p' "$TREE/docs/system-calls.md")"
}

@test "the figures in README and docs are those of the bench's results" {
    local page head
    for page in README.md docs/scaling.md; do
        cp "$TREE/$page" "$BATS_TEST_TMPDIR/page"
        "$TREE/bench/tables" "$BATS_TEST_TMPDIR/page"
        run -0 diff "$TREE/$page" "$BATS_TEST_TMPDIR/page"
    done
    "$TREE/bench/tables" | grep -B 1 '^| ---' | grep -v -e '^| ---' -e '^--' >"$BATS_TEST_TMPDIR/heads"
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
        grep -qF "[$file](examples/$file)" "$TREE/README.md" || fail "$file"
    done
}
