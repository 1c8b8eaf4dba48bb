#!/bin/sh
# Install the Debian packages that timesvc is built, run and tested with; nothing is done, and
# nothing said, where all are there. Works as root or through sudo.
#
#     ./setup.sh            to build and run
#     ./setup.sh package    ... and build the Debian packages
#     ./setup.sh test       ... and run make test
#     ./setup.sh test-all   ... and run make test-all
#     ./setup.sh lint       ... and check the sources
#     ./setup.sh verify     ... and fuzz, measure coverage, run under sanitizers and valgrind
#     ./setup.sh bench      ... and measure
set -eu
cd "$(dirname "$0")"

# The one list: what for, then the packages.
packages='
build   gcc libc6-dev make libsystemd-dev musl-tools
run     systemd netcat-openbsd
package git build-essential debhelper pkgconf systemd
test    bats bats-assert bats-support parallel python3 tzdata iproute2 strace
test    ucspi-tcp socat stunnel4 openssl
all     ipsvd tcputils s6 ncat netcat-traditional busybox inetutils-telnet tshark
all     mmdebstrap systemd-container mandoc nftables podman lintian blhc qemu-user faketime
all     gcc-aarch64-linux-gnu gcc-riscv64-linux-gnu gcc-arm-linux-gnueabihf
all     gcc-i686-linux-gnu gcc-s390x-linux-gnu libc6-dev-arm64-cross libc6-dev-riscv64-cross
all     libc6-dev-armhf-cross libc6-dev-i386-cross libc6-dev-s390x-cross valgrind
verify  clang python3-clang afl++ gcovr valgrind
bench   valgrind
lint    clang clang-format clang-tidy cppcheck shellcheck mandoc
'
# Superservers cannot be installed side by side, and installing starts them: they are only
# unpacked, and the libraries that they need are installed.
unpacked='xinetd openbsd-inetd inetutils-inetd rlinetd haproxy'
# The Debian releases whose systemd is booted in a container, as root.
releases='bookworm trixie'

case ${1:-} in
    '') purposes='build|run' ;;
    package | lint) purposes="build|run|$1" ;;
    test) purposes='build|run|test' ;;
    verify) purposes='build|run|test|verify' ;;
    test-all | bench) purposes="build|run|package|test|all|bench" ;;
    *)
        echo "usage: $0 [package|test|test-all|lint|verify|bench]" >&2
        exit 64
        ;;
esac
log=$(mktemp)
trap 'rm -rf "$log" tests/.superservers/part tests/.roots/*.part.tar' EXIT
trap 'exit 130' INT TERM

# stop WHY
stop() {
    echo "$0: $1" >&2
    exit 1
}

# quietly COMMAND...: what it says matters only where it fails.
quietly() {
    "$@" >"$log" 2>&1 </dev/null || {
        cat "$log" >&2
        exit 1
    }
}

# As root, where we are not.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        quietly "$@"
    else
        command -v sudo >/dev/null || stop 'become root first, or install sudo'
        quietly sudo "$@"
    fi
}

# listed PURPOSES: the packages that are for one of these.
listed() {
    echo "$packages" | awk -v purposes="^($1)$" \
        '$1 ~ purposes { for (i = 2; i <= NF; i++) print $i }'
}

# get PACKAGE...: those that are missing.
get() {
    missing=
    for package in "$@"; do
        status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || status=
        [ "$status" = installed ] || missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    command -v apt-get >/dev/null || stop "this is no Debian. Install$missing, or what they are called here:
    dnf install gcc make systemd-devel musl-gcc    apk add build-base    pacman -S base-devel musl"
    echo "Installing:$missing"
    (as_root apt-get update --error-on=any) 2>/dev/null ||
        stop "the package archive cannot be reached, or not as this user: try  apt-get update"
    # shellcheck disable=SC2086 # each word is a package
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing
}

# shellcheck disable=SC2046 # each word is a package
get $(listed "$purposes")
case ${1:-} in test-all | bench) ;; *) exit 0 ;; esac

here=tests/.superservers
for package in $unpacked; do
    [ ! -e "$here/$package.deb" ] || continue
    echo "Unpacking $package"
    rm -rf "${here:?}/$package" "$here/part"
    mkdir -p "$here"
    (cd "$here" && quietly apt-get download "$package")
    quietly dpkg -x "$here/$package"_*.deb "$here/part"
    mv "$here/part" "$here/$package"
    mv "$here/$package"_*.deb "$here/$package.deb"
done

# needed PACKAGE...: what these, unpacked, depend on; of alternatives the first.
needed() {
    for package in "$@"; do
        dpkg-deb -f "$here/$package.deb" Depends
    done | tr ',' '\n' | sed 's/^ *//; s/[ :|].*//' | sort -u
}

# shellcheck disable=SC2046,SC2086 # each word is a package
get $(needed $unpacked | grep '^lib')

# root NAME RELEASE PACKAGE...: a root directory with these packages, besides what boots.
root() {
    file=tests/.roots/$1
    release=$2
    shift 2
    [ ! -e "$file.tar" ] || return 0
    echo "Making a root directory of Debian $release: ${file##*/}"
    quietly mmdebstrap --variant=minbase --include="systemd-sysv iproute2 $*" \
        "$release" "$file.part.tar"
    mv "$file.part.tar" "$file.tar"
}

# Only root boots them.
[ "$(id -u)" -eq 0 ] || exit 0
mkdir -p tests/.roots
for release in $releases; do
    # shellcheck disable=SC2046 # each word is a package
    root "$release" "$release" $(listed 'build|run')
done
# Of this machine's release, as what was unpacked is: the tests install that there. xinetd's unit
# takes for granted that procps is there.
# shellcheck disable=SC1091,SC2046 # each word is a package
root inetd "$(. /etc/os-release && echo "$VERSION_CODENAME")" \
    netcat-openbsd procps $(needed openbsd-inetd xinetd)
