#!/bin/sh
# Install the Debian packages that timesvc is built, run and tested with; nothing is done, and
# nothing said, where all are there. Works as root or through sudo.
#
#     ./setup.sh          to build, run and test
#     ./setup.sh lint     to check the sources, too
set -eu

# The one list: what for, then the packages.
packages='
build   gcc libc6-dev make libsystemd-dev musl-tools
run     systemd netcat-openbsd
test    bats bats-assert bats-support parallel python3 ucspi-tcp tzdata iproute2 strace tshark
lint    clang clang-format clang-tidy cppcheck shellcheck mandoc
'

if [ $# -gt 1 ] || { [ $# -eq 1 ] && [ "$1" != lint ]; }; then
    echo "usage: $0 [lint]" >&2
    exit 64
fi
purposes="build|run|test${1:+|$1}"

missing=
for package in $(echo "$packages" | awk -v purposes="^($purposes)$" \
    '$1 ~ purposes { for (i = 2; i <= NF; i++) print $i }'); do
    status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || status=
    [ "$status" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

echo "Installing:$missing"
as_root=
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "$0: become root first, or install sudo" >&2; exit 1; }
    as_root=sudo
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# The list of packages is read apart, so that a name is one word for apt-get.
for step in 'update' "install -y --no-install-recommends$missing"; do
    # shellcheck disable=SC2086 # the words of a step are apt-get's arguments
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get $step >"$log" 2>&1 </dev/null || {
        cat "$log" >&2
        exit 1
    }
done
