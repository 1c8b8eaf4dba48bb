#!/usr/bin/env bats
# The life of the package timesvc on a booted Debian $RELEASE that knew nothing of it, by the
# commands that the README prints.

load helpers
source "$TESTS/pages.bash"
source "$TESTS/container.bash"
SUPERVISOR=systemd-$RELEASE
PACKAGES='With both, one serves at a time.'

setup_file() {
    export BATS_NO_PARALLELIZE_WITHIN_FILE=true SCRATCH=$BATS_FILE_TMPDIR
    export -f inside
    SERVER_LOG=$SCRATCH/boot.log bare
    export SERVER SERVER_LOG
    checkout "$SCRATCH/tree"
    mkdir "$SCRATCH/a blank"
    (cd "$SCRATCH/tree" && TMPDIR="$SCRATCH/a blank" \
        bash -c "$(printed README.md "$PACKAGES" | head -n 1)") >"$SCRATCH/log" 2>&1 ||
        { tail -n 50 "$SCRATCH/log"; return 1; }
    mkdir "$SCRATCH/root/root/timesvc"
    cp -r "$SCRATCH/tree/dist" "$SCRATCH/root/root/timesvc"
    tar -xf "$SCRATCH"/tree/dist/timesvc-*.tar.gz --strip-components=1 \
        -C "$SCRATCH/root/root/timesvc"
    "$TESTS/inventory" "$SCRATCH/root" >"$SCRATCH/before"
}

teardown_file() {
    stop_serving
}

# readme TEXT: the last command that the README has behind the sentence, in the container.
readme() {
    inside bash -euc "cd /root/timesvc
        sudo() { \"\$@\"; }
        apt() { DEBIAN_FRONTEND=noninteractive command apt -q -y -o Dpkg::Use-Pty=0 \"\$@\" 2>&1; }
        $(printed README.md "$1" | tail -n 1)"
}

install() {
    readme "$PACKAGES"
}

purge() {
    readme 'To remove it (a locked'
}

# Each test finds the package installed.
setup() {
    inside dpkg-query --show timesvc >/dev/null 2>&1 || install
}

RESERVED=/proc/sys/net/ipv4/ip_local_reserved_ports

# reserve PORTS: by hand, in place of what is reserved.
reserve() {
    inside tee "$RESERVED" <<<"$1" >/dev/null
}

assert_reserved() {
    assert_equal "$(inside cat "$RESERVED")" "$1"
}

# What a test has reserved is no longer, and what it has set is gone.
teardown() {
    inside rm -rf /etc/sysctl.d/10-local.conf /etc/systemd/system/timesvc@.service.d
    reserve ''
    inside /usr/lib/systemd/systemd-sysctl --prefix=/net/ipv4/ip_local_reserved_ports
}

@test "as soon as the package is installed, port 45000 answers, and is reserved" {
    purge
    run -0 install
    refute_output --regexp '[Ee]rror|[Ff]ailed|timesvc: '
    inside sh <"$TREE/debian/tests/conversation"
    answers
    assert_reserved 45000
    run inside systemctl is-enabled timesvc.socket timesvc-tcpserver.service
    assert_output $'enabled\ndisabled'
    inside systemctl preset timesvc.socket timesvc-tcpserver.service # as an image's first boot does
    run inside systemctl is-enabled timesvc.socket timesvc-tcpserver.service
    assert_output $'enabled\ndisabled'
}

@test "ports that someone has reserved stay reserved, and the package says that its own is not" {
    purge
    reserve 30000-30010
    run -0 install
    assert_line 'timesvc: port 45000 is not reserved, others are: add it to '\
'net.ipv4.ip_local_reserved_ports in /etc/sysctl.d/99-local.conf'
    purge
    assert_reserved 30000-30010
}

@test "the ports in the administrator's file are what is reserved, as from the next boot on" {
    purge
    mkdir -p "$SCRATCH/root/etc/sysctl.d"
    echo 'net.ipv4.ip_local_reserved_ports = 30000-30010,45000' \
        >"$SCRATCH/root/etc/sysctl.d/10-local.conf"
    install
    inside /usr/lib/systemd/systemd-sysctl # as at the next boot
    assert_reserved 30000-30010,45000
    purge
    assert_reserved 30000-30010,45000
}

@test "built on Debian 12, it lifts a later systemd's limit, and an older one has no complaint" {
    run -0 inside systemctl show --property=PollLimitIntervalUSec timesvc.socket
    [ -z "$output" ] || assert_output PollLimitIntervalUSec=2ms
    run -0 inside systemd-analyze verify --man=no timesvc.socket
    assert_output ''
}

@test "an upgrade leaves conversations and settings alone, and the next one gets the new program" {
    local version
    mkdir "$SCRATCH/root/etc/systemd/system/timesvc@.service.d"
    cp "$TREE/examples/options.conf" "$SCRATCH/root/etc/systemd/system/timesvc@.service.d"
    echo '# edited' >>"$SCRATCH/root/etc/sysctl.d/00-timesvc.conf"
    inside systemctl daemon-reload
    version=$(inside timesvc --version)
    dpkg-deb -R "$SCRATCH"/tree/dist/timesvc_*.deb "$SCRATCH/later"
    sed -i '/^Version:/s/:.*/: 9.9.9-1/' "$SCRATCH/later/DEBIAN/control"
    LC_ALL=C sed -i "s/$version/timesvc 9.9.9/" "$SCRATCH/later/usr/sbin/timesvc"
    dpkg-deb -b "$SCRATCH/later" "$SCRATCH/root/root/later.deb"
    converse 'send:TIME' 'expect:JAM %T' 'run:inside dpkg -i /root/later.deb' \
        'send:\r\nTIME\r\n' 'expect:\r\nJAM %T\r\n' 'send:QUIT\r\n' eof
    run -0 inside timesvc --version
    assert_output 'timesvc 9.9.9'
    answers
    run -0 inside systemctl show --property=DropInPaths timesvc@1.service
    assert_output --partial options.conf
    inside grep -qx '# edited' /etc/sysctl.d/00-timesvc.conf
}

@test "where tcpserver's service is enabled instead, an upgrade leaves it alone, a new installation starts it" {
    local upgrade='dpkg -i /root/timesvc/dist/timesvc_*.deb'
    inside systemctl --quiet disable --now timesvc.socket
    inside systemctl --quiet enable --now timesvc-tcpserver.service
    retry nc -z "$HOST" 45000
    converse 'send:TIME' 'expect:JAM %T' "run:inside sh -c '$upgrade'" \
        'send:\r\nTIME\r\n' 'expect:\r\nJAM %T\r\n' 'send:QUIT\r\n' eof
    inside apt-get -q -y remove timesvc
    run ! nc -z "$HOST" 45000
    install
    retry nc -z "$HOST" 45000
    inside systemctl is-active timesvc-tcpserver.service
    purge
}

# assert_no_service: no unit of ours is there, and nothing answers.
assert_no_service() {
    run ! nc -z "$HOST" 45000
    run -0 inside systemctl list-units --plain --no-legend 'timesvc*' 'system-timesvc*'
    assert_output ''
}

@test "removal closes the conversations and the port" {
    converse 'send:TIME' 'expect:JAM %T' 'run:inside apt-get -q -y remove timesvc' eof
    assert_no_service
}

# The account is left, where it may be someone's, but no one can log in as it.
account_goes() {
    run -0 inside passwd --status timesvc
    assert_output --partial 'timesvc L '
    inside userdel timesvc
}

@test "after a purge nothing is left but the locked account: no file, no setting" {
    run -0 purge
    account_goes
    run -0 comm -3 "$SCRATCH/before" <("$TESTS/inventory" "$SCRATCH/root")
    assert_output ''
    assert_reserved ''
}

@test "where the port is taken, the package is installed all the same and says what to do" {
    purge
    inside systemd-run --quiet --unit=squatter nc -l -k 45000
    retry nc -z "$HOST" 45000
    run -0 install
    assert_line --partial 'timesvc: installed, but timesvc.socket cannot listen: another program '
    inside systemctl stop squatter
    inside systemctl start timesvc.socket
    answers
}

@test "of the package and make install the one that stays serves on, and from the next boot on" {
    local gone
    for gone in 'apt-get -q -y purge timesvc' 'make -C /root/timesvc uninstall'; do
        install
        inside make -C /root/timesvc install
        converse 'send:TIME' 'expect:JAM %T' "run:inside $gone" \
            'send:\r\nTIME\r\n' 'expect:\r\nJAM %T\r\n' 'send:QUIT\r\n' eof
        answers
        assert_reserved 45000
        run -0 inside systemctl show --property=WantedBy --value timesvc.socket
        assert_output sockets.target
    done
}

@test "the one that stays serves on by tcpserver, too, even if the program was the other's" {
    inside systemctl --quiet disable --now timesvc.socket
    inside systemctl --quiet enable --now timesvc-tcpserver.service
    inside make -C /root/timesvc install
    purge
    retry answers
    install
    converse 'send:TIME' 'expect:JAM %T' 'run:inside apt-get -q -y purge timesvc' \
        'send:\r\n' 'expect:\r\n' 'send:QUIT\r\n' eof
    install
    inside make -C /root/timesvc uninstall
    retry answers
    purge
}

# in_chroot COMMAND: in one that has the system's files, as a copy, and its /run.
in_chroot() {
    # shellcheck disable=SC2086 # a command's words
    inside $UNSHARED chroot /mnt/root sh -euc "$1" 2>&1
}

# Each installation, and its end.
all_in_chroot() {
    in_chroot 'dpkg --purge timesvc
        dpkg -i /root/timesvc/dist/timesvc_*.deb
        make -C /root/timesvc install
        dpkg --purge timesvc
        make -C /root/timesvc uninstall'
}

@test "in a chroot nothing outside changes, whatever of the system is bound into it" {
    export UNSHARED=''
    export -f in_chroot all_in_chroot
    inside sh -euc 'mount -t tmpfs none /mnt
        mkdir /mnt/upper /mnt/work /mnt/root
        mount -t overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work none /mnt/root
        mount --rbind --make-rslave /run /mnt/root/run'
    # Without a /proc, with one of its own, and with the system's.
    for UNSHARED in '' 'unshare --pid --fork --mount-proc=/mnt/root/proc' env; do
        [ "$UNSHARED" != env ] || inside mount --rbind --make-rslave /proc /mnt/root/proc
        converse 'send:TIME' 'expect:JAM %T' run:all_in_chroot \
            'send:\r\n' 'expect:\r\n' 'send:QUIT\r\n' eof
        answers
        assert_reserved 45000
    done
    reserve ''
    inside systemctl stop timesvc.socket
    run -0 in_chroot 'dpkg -i /root/timesvc/dist/timesvc_*.deb; make -C /root/timesvc install'
    refute_output --partial 'timesvc: '
    run ! nc -z "$HOST" 45000
    assert_reserved ''
    inside umount --lazy /mnt
    inside systemctl start timesvc.socket
}

@test "make uninstall leaves but empty directories, the account and what someone else has reserved" {
    purge
    local ports live=(DESTDIR=/ PREFIX=/usr/local/) # other names of what is meant without
    for ports in '' 30000-30010; do
        reserve "$ports"
        inside make -C /root/timesvc install "${live[@]}"
        inside systemctl --quiet enable --now timesvc.socket
        answers
        assert_reserved "${ports:-45000}"
        inside make -C /root/timesvc uninstall "${live[@]}"
        assert_no_service
        assert_reserved "$ports"
        account_goes
        run diff <(grep -v '^d' "$SCRATCH/before") \
            <("$TESTS/inventory" "$SCRATCH/root" | grep -v '^d')
        assert_output ''
    done
}
