#!/usr/bin/env bats
# The Containerfile of examples/, built and run by podman, by the very commands that it begins
# with. Debian's image is the root directory that setup.sh has made; its packages are fetched.

load helpers
source "$TESTS/pages.bash"

# private_podman DIRECTORY: it keeps what it does there, and is told to be content with a test's
# machine: no cgroups, images that nobody signed, no network of its own while it builds.
private_podman() {
    mount -t tmpfs none /run
    mount -t cgroup2 none /sys/fs/cgroup
    for directory in /var/lib/containers /var/lib/cni /etc/containers; do
        mkdir -p "$directory" "$1$directory"
        mount --bind "$1$directory" "$directory"
    done
    printf '[containers]\ncgroups = "disabled"\n[engine]\nevents_logger = "file"\n' \
        >/etc/containers/containers.conf
    echo '{"default": [{"type": "insecureAcceptAnything"}]}' >/etc/containers/policy.json
    export BUILDAH_ISOLATION=chroot
    podman import --quiet "$TESTS/.roots/bookworm.tar" docker.io/library/debian:12
}

is_served() {
    printf 'TIME\r\nQUIT\r\n' | nc -N -w 2 127.0.0.1 45000 | grep '^JAM '
}

# build_and_serve DIRECTORY BUILD RUN: the commands; then, as a client of the machine, see that it serves,
# and logs.
build_and_serve() {
    set -eu
    private_podman "$1"
    cd "$TREE"
    eval "$2"
    exec unshare --net bash -euc "ip link set lo up; $3 >'$1/log' 2>&1 & retry is_served
        retry grep -E 'timesvc\[[0-9]+\]: ended peer=[0-9.]+ .* end=quit requests=2 ' '$1/log'"
}

@test "Containerfile makes a container that serves the port" {
    skip_unless_root 'makes a container'
    local commands
    mapfile -t commands < <(example_commands Containerfile)
    export -f private_podman is_served retry build_and_serve
    export TESTS TREE
    # shellcheck disable=SC2016 # the inner shell's to expand
    run -0 unshare --mount --pid --fork --kill-child --mount-proc \
        bash -c 'build_and_serve "$@"' bash "$BATS_TEST_TMPDIR" "${commands[@]}"
    assert_line --regexp '^JAM [0-9:]{8}'
}
