#!/usr/bin/env bats
# The manual page, the program and the documents say the same.

load helpers

setup() {
    cd "$TREE" || return
}

# section NAME: of timesvc(8), as man shows it.
section() {
    mandoc -T ascii timesvc.8 | sed 's/.\x08//g' | sed -n "/^$1\$/,/^[A-Z]/p" | sed '1d;$d'
}

# options: -t, --timeout= where a line begins with one that takes an argument.
options() {
    grep -oE '^ +-., --[a-z]+=?' | tr -d ' ' | sort
}

@test "--help and the manual page have the same synopsis and the same options" {
    assert_equal "$(section SYNOPSIS | tr -d ' \n')" \
        "$(./timesvc --help | sed '/^Tell/,$d; s/^usage://' | tr -d ' \n')"
    assert_equal "$(section DESCRIPTION | options)" "$(./timesvc --help | options)"
}

@test "the manual page and the journal's catalog explain the same records and endings" {
    local catalog=etc/catalog/timesvc.catalog
    assert_equal "$(grep -c '^-- ' $catalog)" "$(section DIAGNOSTICS | grep -cE '^ +[a-z]+ peer=')"
    assert_equal "$(section DIAGNOSTICS | grep -oE '^ {5}[a-z]+ +(The|A) ' | awk '{ print $1 }')" \
        "$(sed -nE '/@TIMESVC_END@/,/^--/s/^([a-z]+)  +.*/\1/p' $catalog)"
}

@test "the manual page explains each exit status, and the reason for a fault" {
    local start reasons
    reasons=$(section DIAGNOSTICS | sed '1,/The reasons are:/d')
    # shellcheck disable=SC2016 # the inner shells' to expand
    for start in '"$0" --bogus' '"$0" <&-' '"$0" <>/dev/udp/127.0.0.1/9' \
        'echo TIME | "$0" >/dev/full'; do
        run --separate-stderr bash -c "$start" "$TIMESVC"
        assert_regex "$(section 'EXIT STATUS')" " $status  "
        [[ $stderr =~ reason=([^:]*) ]]
        assert_regex "$reasons" "\b${BASH_REMATCH[1]}\b"
    done
}

@test "no command in a manual page breaks at 80 columns" {
    local page
    for page in *.8; do
        mandoc -T ascii "$page" | sed 's/.\x08//g' >"$BATS_TEST_TMPDIR/page"
        sed -n 's/\\e/\\/g; s/^\.Dl //p' "$page" | while IFS= read -r command; do
            grep -qxF "           $command" "$BATS_TEST_TMPDIR/page" || fail "$command"
        done
    done
}

@test "the system calls of a conversation are those documented, in that order" {
    [ "$(uname -m)" = x86_64 ] || return 0 # elsewhere they have other names
    TIMESVC=$TREE/timesvc-static
    START=(env -u TZ strace -D -qq -o "$BATS_TEST_TMPDIR/calls")
    launch 'send:TIME\r\nQUIT\r\n' 'expect:JAM %T\r\n' eof --
    # shellcheck disable=SC2016 # those are backquotes in the page
    assert_equal "$(sed 's/(.*//; /^+++/d' "$BATS_TEST_TMPDIR/calls")" \
        "$(sed -n 's/^| \(`[^|]*`\) |.*/\1/p' docs/system-calls.md | grep -o '[a-z0-9_]*')"
}

@test "the figures in README and docs are those of the bench's results" {
    local page
    for page in README.md docs/scaling.md; do
        cp $page "$BATS_TEST_TMPDIR/page"
        bench/figures.py "$BATS_TEST_TMPDIR/page"
        run -0 diff $page "$BATS_TEST_TMPDIR/page"
    done
}

@test "whatever a document tells to make, make help knows" {
    local told
    told=$(grep -ohE '(`|&& |^    )make [a-z-]+' ./*.md docs/*.md | sed 's/.*make //' | sort -u)
    run -0 comm -23 - <(make help | awk '{ print $2 }' | sort) <<<"$told"
    assert_output ''
}

@test "every file that a document links to, every test that it names is there" {
    local page file
    while IFS=: read -r page file; do
        [ -e "${page%/*}/$file" ] || fail "$page: $file"
    done < <(grep -oP '\]\(\K(?!http)[^)#]+' ./*.md docs/*.md)
    grep -ohE '\b[a-z-]+\.bats' ./*.md docs/*.md | (cd tests && xargs ls)
}

@test "the README has a recipe for each example" {
    local file
    while read -r file; do
        grep -qF "]($file)" README.md || fail "$file"
    done < <(find examples -type f)
}
