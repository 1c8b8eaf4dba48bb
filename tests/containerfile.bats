#!/usr/bin/env bats
# The Containerfile of examples/, built and run by podman, by the very commands that it begins
# with. Debian's image is the root directory that setup.sh has made; its packages are fetched.

load helpers
source "$TESTS/pages.bash"

is_served() {
    printf 'TIME\r\nQUIT\r\n' | nc -N -w 2 127.0.0.1 45000 | grep '^JAM '
}

# build_and_serve BUILD RUN: the commands, by a podman of its own that is content with a test's
# machine: no cgroups, and no network of its own while it builds. As a client of the machine, see
# that it serves, and logs.
build_and_serve() {
    set -eu
    local directory
    cd "$BATS_TEST_TMPDIR"
    mount -t tmpfs none /run
    mount -t cgroup2 none /sys/fs/cgroup
    for directory in containers cni; do
        mkdir -p $directory "/var/lib/$directory"
        mount --bind $directory "/var/lib/$directory"
    done
    export CONTAINERS_CONF=$PWD/containers.conf BUILDAH_ISOLATION=chroot
    printf '[containers]\ncgroups = "disabled"\n[engine]\nevents_logger = "file"\n' >containers.conf
    podman import --quiet "$TESTS/.roots/bookworm.tar" docker.io/library/debian:12
    (cd "$TREE" && eval "$1")
    unshare --net bash -euc "ip link set lo up
        $2 >log 2>&1 &
        retry is_served
        retry grep -E 'ended peer=[0-9.]+ .* end=quit requests=2 ' log
        '$TESTS/peer.py' connect 127.0.0.1:45000 send:TIME 'expect:JAM %T' 'run:podman stop --all' eof
        wait
        grep -E 'ended peer=[0-9.]+ .* end=terminated requests=1 ' log"
}

@test "Containerfile makes a container that serves the port, and ends its conversations in order" {
    skip_unless_root 'makes a container'
    local commands
    mapfile -t commands < <(example_commands Containerfile)
    export -f is_served retry build_and_serve
    export TESTS TREE BATS_TEST_TMPDIR
    # shellcheck disable=SC2016 # the inner shell's to expand
    run -0 unshare --mount --pid --fork --kill-child --mount-proc \
        bash -c 'build_and_serve "$@"' bash "${commands[@]}"
    assert_line --regexp '^JAM [0-9:]{8}'
}
