#!/bin/sh
# Install the Debian packages that timesvc is built, run and tested with, as root or through sudo.
# Where all are installed it does and says nothing. For one or more purposes:
#
#     ./setup.sh            to build and run
#     ./setup.sh package    ... and build the Debian packages
#     ./setup.sh experiment ... and run make experiment
#     ./setup.sh test       ... and run make test
#     ./setup.sh test-all   ... and run make test-all
#     ./setup.sh lint       ... and check the sources
#     ./setup.sh verify     ... and fuzz, measure coverage, run under sanitizers and valgrind
#     ./setup.sh bench      ... and measure
set -eu
cd "$(dirname "$0")"

# What for, then the packages. More for `package` is listed in debian/control.
packages='
build   gcc libc6-dev make libsystemd-dev musl-tools
run     systemd netcat-openbsd
package git
experiment ucspi-tcp tshark mscgen iproute2 python3
test    bats bats-assert bats-support parallel python3 tzdata strace ucspi-tcp socat busybox
all     ipsvd tcputils s6 wget ncat netcat-traditional inetutils-telnet iproute2 stunnel4 openssl
all     mmdebstrap systemd-container mandoc nftables podman lintian blhc qemu-user faketime
all     gcc-aarch64-linux-gnu gcc-riscv64-linux-gnu gcc-arm-linux-gnueabihf
all     gcc-i686-linux-gnu gcc-s390x-linux-gnu libc6-dev-arm64-cross libc6-dev-riscv64-cross
all     libc6-dev-armhf-cross libc6-dev-i386-cross libc6-dev-s390x-cross valgrind qemu-system-x86
verify  clang python3-clang afl++ gcovr valgrind
lint    clang clang-format clang-tidy cppcheck shellcheck lua-check mandoc
'
# Superservers cannot be installed side by side, and installing starts them: they are only
# unpacked, and the libraries that they need are installed.
unpacked='xinetd openbsd-inetd inetutils-inetd rlinetd haproxy monit prometheus-blackbox-exporter
    monitoring-plugins-basic nginx-common nginx libnginx-mod-stream'

purposes='build|run'
for purpose in "$@"; do
    case $purpose in
        package | experiment | test | lint) purposes="$purposes|$purpose" ;;
        verify) purposes="$purposes|test|verify" ;;
        test-all | bench) purposes="$purposes|package|experiment|test|all" ;;
        *)
            echo "usage: $0 [package|experiment|test|test-all|lint|verify|bench]..." >&2
            exit 64
            ;;
    esac
done
log=$(mktemp)
trap 'rm -rf "$log" tests/.superservers/part tests/.roots/part.tar tests/.kernels/part*' EXIT
trap 'exit 130' INT TERM

stop() {
    echo "$0: $1" >&2
    exit 1
}

# quietly COMMAND...: what it says matters only where it fails.
quietly() {
    "$@" >"$log" 2>&1 </dev/null || stop "$* failed: $(cat "$log")"
}

# listed PURPOSES: the packages that are for one of these.
listed() {
    echo "$packages" | sed -nE "s/^($1) +//p" | tr ' ' '\n' | sort -u
}

# bring WHAT COMMAND...: have it installed by this command of apt-get.
bring() {
    what=$1
    shift
    command -v apt-get >/dev/null ||
        stop "this is not Debian: install $what, or what they are called here:
    dnf install gcc make systemd-devel musl-gcc    apk add build-base    pacman -S base-devel musl"
    sudo=sudo
    [ "$(id -u)" -ne 0 ] || sudo=
    $sudo true 2>/dev/null ||
        stop "only root can install $what: you are not root, and cannot use sudo"
    echo "Installing: $what"
    $sudo apt-get update --error-on=any >"$log" 2>&1 </dev/null ||
        stop "the package lists cannot be updated: $(sed -n 's/^E: //p' "$log" | head -n 1)"
    quietly $sudo env DEBIAN_FRONTEND=noninteractive apt-get -y --no-install-recommends "$@"
}

# get PACKAGE...: those that are missing.
get() {
    missing=
    for package in "$@"; do
        status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || status=
        [ "$status" = installed ] || missing="$missing $package"
    done
    # shellcheck disable=SC2086 # each word is a package
    [ -z "$missing" ] || bring "${missing# }" install $missing
}

# shellcheck disable=SC2046 # each word is a package
get $(listed "$purposes")
case $purposes in *package*)
    dpkg-checkbuilddeps 2>/dev/null || bring 'the Build-Depends of debian/control' build-dep ./
esac
case $purposes in *all*) ;; *) exit 0 ;; esac

here=tests/.superservers
for package in $unpacked; do
    [ ! -e "$here/$package.deb" ] || continue
    echo "Unpacking $package"
    rm -rf "$here/part"
    mkdir -p "$here/part"
    (cd "$here/part" && quietly apt-get download "$package" &&
        quietly dpkg -x ./*.deb "../$package")
    mv "$here/part"/*.deb "$here/$package.deb"
done

# needed PACKAGE...: what these, unpacked, depend on; of alternatives the first.
needed() {
    for package in "$@"; do
        dpkg-deb -f "$here/$package.deb" Depends
    done | tr ',' '\n' | sed 's/^ *//; s/[ :|].*//' | sort -u
}

# shellcheck disable=SC2046,SC2086 # each word is a package
get $(needed $unpacked | grep '^lib')

# root NAME RELEASE PACKAGES: a root directory with these packages, besides what boots.
root() {
    [ ! -e "tests/.roots/$1.tar" ] || return 0
    echo "Making a root directory of Debian $2: $1"
    quietly mmdebstrap --variant=minbase --include="systemd-sysv iproute2 $3" "$2" \
        tests/.roots/part.tar
    mv tests/.roots/part.tar "tests/.roots/$1.tar"
}

[ "$(id -u)" -eq 0 ] || exit 0 # only root boots them
mkdir -p tests/.roots
root bookworm bookworm "ucspi-tcp-ipv6 $(listed 'build|run')"
root trixie trixie "ucspi-tcp-ipv6 $(listed 'build|run')"
# Of this machine's release, as what was unpacked is: the tests install that there. xinetd's unit
# takes for granted that procps is there.
# shellcheck disable=SC1091
root inetd "$(. /etc/os-release && echo "$VERSION_CODENAME")" \
    "netcat-openbsd procps $(needed openbsd-inetd xinetd)"

# kernel NAME RELEASE PACKAGE [SOURCE...]: only its kernel is kept of this package.
kernel() {
    [ ! -e "tests/.kernels/$1" ] || return 0
    echo "Fetching the kernel of Debian $1"
    name=$1 release=$2 package=$3
    shift 3
    quietly mmdebstrap --variant=extract --include="$package" "$release" tests/.kernels/part.tar "$@"
    tar -xOf tests/.kernels/part.tar --wildcards '*/vmlinuz*' >tests/.kernels/part
    mv tests/.kernels/part "tests/.kernels/$name"
}
mkdir -p tests/.kernels
kernel bookworm bookworm linux-image-cloud-amd64
kernel trixie trixie linux-image-cloud-amd64
debian='deb http://deb.debian.org/debian'
kernel trixie-backports trixie linux-image-cloud-amd64/trixie-backports \
    "$debian trixie main" "$debian trixie-backports main"
