# What the tests share. $TIMESVC is the program under test, $SUPERVISOR what has started it, at
# $ADDRESS, by `under`; or "pipes" or "unix", where peer.py itself does; or "remote": the server at
# $ADDRESS is anyone's, and bats needs no libraries.

bats_require_minimum_version 1.8.0
SUPERVISOR=${SUPERVISOR:-unix}
if [ "$SUPERVISOR" != remote ]; then
    bats_load_library bats-support
    bats_load_library bats-assert
fi
source "$(dirname "${BASH_SOURCE[0]}")/serving.bash"
START=(${EMULATOR:+"$EMULATOR"}) # what starts the program where peer.py does

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

# report COLUMN VALUE: this was found; docs/supervisors.md has to tell it of the supervisor.
report() {
    grep "^| ${SUPERVISOR} " "$TREE/docs/supervisors.md" | grep -qF "| $2 |" ||
        fail "docs/supervisors.md does not tell that with $SUPERVISOR the $1 is: $2"
}

# converse STEP...: talk to the program under $SUPERVISOR, as peer.py says.
converse() {
    case $SUPERVISOR in
        pipes | unix) launch --over "$SUPERVISOR" "$@" -- ;;
        # It stalls for a second at random, before it starts the program: not the program's fault.
        inetutils-inetd) connect 'send:\n' 'expect:Invalid request\r\n' "$@" ;;
        *) connect "$@" ;;
    esac
}

connect() {
    run "$TESTS/peer.py" connect "$ADDRESS" "$@"
    # shellcheck disable=SC2154 # run sets them
    [ "$status" -eq 0 ] || { echo "$output"; return 1; }
}

# last BYTES: the step that expects them behind our half-close. ncat takes that for the end, and
# may drop what the program still says, from anywhere on.
last() {
    [ "$SUPERVISOR" = ncat ] && echo "some-of:$1" || echo "expect:$1"
}

# most_at_once COUNT: so many requests, if the supervisor can have them under way. socat and ncat,
# between pipes, do not read while they write: with the pipes of both directions full they stop.
# Nor is anyone's server to be burdened.
most_at_once() {
    [[ $SUPERVISOR =~ ^(ncat|socat-pipes|remote)$ ]] && echo 2000 || echo "$1"
}

# launch [OPTION...] STEP... -- [OPTION...]: start the program with these options; $output is
# then what it wrote to standard error. What is remote was started long ago, and tells nothing.
launch() {
    local words=()
    while [ "$1" != -- ]; do
        words+=("$1")
        shift
    done
    shift
    [ "$SUPERVISOR" != remote ] || { connect "${words[@]}"; return; }
    run "$TESTS/peer.py" launch "${words[@]}" -- "${START[@]}" "$TIMESVC" "$@"
    assert_success
}

# recorded TEXT: it is in the record of what was launched.
recorded() {
    [ "$SUPERVISOR" = remote ] || assert_output --partial "$1"
}

# serve_with OPTION...: more options than the shipped configuration has, from now on.
serve_with() {
    local served=/usr/local/sbin/timesvc-static
    [[ $SUPERVISOR != systemd-* ]] || served=$SCRATCH/root/usr/local/sbin/timesvc
    mv "$served" "$served.real"
    # shellcheck disable=SC2016 # the script's to expand
    printf '#!/bin/sh\nexec "$0.real" %s "$@"\n' "$*" >"$served"
    chmod 755 "$served"
}
