# What the tests share. $TIMESVC is the program under test, $SUPERVISOR what has started it, at
# $ADDRESS, by `under`; or "pipes" or "unix", where peer.py itself does.

bats_require_minimum_version 1.5.0
bats_load_library bats-support
bats_load_library bats-assert

source "$(dirname "${BASH_SOURCE[0]}")/serving.bash"
SUPERVISOR=${SUPERVISOR:-unix}

# skip_unless_root WHY: in CI nothing is skipped.
skip_unless_root() {
    [ "$(id -u)" -eq 0 ] || skip "needs root: $1"
}

# checkout DIRECTORY: a copy of this checkout, as someone else would have it.
checkout() {
    mkdir "$1"
    tar -c -C "$TREE" --exclude=./.git --exclude=./dist --exclude='./tests/.*' . | tar -x -C "$1"
}

# need FILE...: build these programs of the tests' own, in tests/verify.
need() {
    flock "$TESTS/verify/Makefile" make -s -C "$TREE" "${@/#/tests/verify/}" 3>&-
}

# report COLUMN VALUE: what this run found out about the supervisor, for the support table.
report() {
    [ -z "${SUPPORT:-}" ] || echo "$2" >>"$SUPPORT/$SUPERVISOR.$1"
}

has_no_port() {
    [ "$SUPERVISOR" = pipes ] || [ "$SUPERVISOR" = unix ]
}

# converse STEP...: talk to the program under $SUPERVISOR, as peer.py says.
converse() {
    local before=()
    # It stalls for a second at random, before it starts the program: not the program's fault.
    if [ "$SUPERVISOR" = inetutils-inetd ]; then
        before=('send:\n' 'expect:Invalid request\r\n')
        report but 'a start stalls for a second at random'
    fi
    if has_no_port; then
        run "$TESTS/peer.py" launch --over "$SUPERVISOR" "$@" -- "${EMULATOR:-env}" "$TIMESVC"
    else
        run "$TESTS/peer.py" connect "$ADDRESS" "${before[@]}" "$@"
    fi
    assert_success
}

# last BYTES: the step that expects them behind our half-close. ncat takes that for the end of
# the conversation and may drop what the program still says, from anywhere on.
last() {
    case $SUPERVISOR in
        ncat)
            echo "some-of:$1"
            report but 'it drops replies after the end of input'
            ;;
        *) echo "expect:$1" ;;
    esac
}

# most_at_once COUNT: so many requests, if the supervisor can have them under way. socat and
# ncat, between pipes, write and do not read meanwhile: once the pipes of both directions are
# full they stop for good.
most_at_once() {
    case $SUPERVISOR in
        ncat | socat-pipes)
            echo 2000
            report but 'it stops where both pipes are full'
            ;;
        *) echo "$1" ;;
    esac
}

# launch [OPTION...] STEP... -- [OPTION...]: start the program with these options; $output is
# then what it wrote to standard error.
launch() {
    local words=()
    while [ "$1" != -- ]; do
        words+=("$1")
        shift
    done
    shift
    run "$TESTS/peer.py" launch "${words[@]}" -- "${START[@]}" "$TIMESVC" "$@"
    assert_success
}

# served: the program that the shipped configuration starts under $SUPERVISOR.
served() {
    case $SUPERVISOR in
        systemd-*) echo "$SCRATCH/root/usr/local/sbin/timesvc" ;;
        *) echo /usr/local/sbin/timesvc-static ;;
    esac
}

# serve_with OPTION...: more options than the shipped configuration has, for this file.
serve_with() {
    local program
    program=$(served)
    mv "$program" "$program.real"
    # shellcheck disable=SC2016 # the script's to expand
    printf '#!/bin/sh\nexec "$0.real" %s "$@"\n' "$*" >"$program"
    chmod 755 "$program"
}

serve_as_shipped() {
    local program
    program=$(served)
    mv "$program.real" "$program"
}
