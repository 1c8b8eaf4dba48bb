#!/usr/bin/env bats
# The life of the package timesvc on a booted Debian $RELEASE that knew nothing of it, by the
# commands that the README prints.

load helpers
source "$TESTS/pages.bash"
source "$TESTS/container.bash"
SUPERVISOR=systemd-$RELEASE
PACKAGES='for inetd and xinetd.'

setup_file() {
    export BATS_NO_PARALLELIZE_WITHIN_FILE=true SCRATCH=$BATS_FILE_TMPDIR
    export -f inside
    local systemd
    SERVER_LOG=$SCRATCH/boot.log bare
    export SERVER SERVER_LOG
    # As it would be built there.
    systemd=$(inside systemctl --version | sed -n '1s/systemd \([0-9]*\).*/\1/p')
    checkout "$SCRATCH/tree"
    (cd "$SCRATCH/tree" && SYSTEMD_VERSION=$systemd bash -c "$(printed README.md "$PACKAGES" | head -n 1)") \
        >"$SCRATCH/log" 2>&1 || { tail -n 50 "$SCRATCH/log"; return 1; }
    mkdir "$SCRATCH/root/root/timesvc"
    cp -r "$SCRATCH/tree/dist" "$SCRATCH/root/root/timesvc"
    later "$SCRATCH"/tree/dist/timesvc_*.deb "$SCRATCH/root/root/later.deb"
    "$TESTS/inventory" "$SCRATCH/root" >"$SCRATCH/before"
}

teardown_file() {
    stop_serving
}

# later PACKAGE FILE: the next version of the package, in which the program tells another.
later() {
    local tree=$SCRATCH/later version
    version=$("$TREE/timesvc" --version)
    dpkg-deb -R "$1" "$tree"
    sed -i '/^Version:/s/:.*/: 9.9.9-1/' "$tree/DEBIAN/control"
    LC_ALL=C sed -i "s/$version/timesvc 9.9.9/" "$tree/usr/sbin/timesvc"
    dpkg-deb -b "$tree" "$2" >/dev/null
}

# as_printed TEXT: the last command that the README has behind the sentence, in the container.
as_printed() {
    inside bash -euc "cd /root/timesvc
        sudo() { \"\$@\"; }
        apt() { DEBIAN_FRONTEND=noninteractive command apt -q -y -o Dpkg::Use-Pty=0 \"\$@\" 2>&1; }
        $(printed README.md "$1" | tail -n 1)"
}

install() {
    as_printed "$PACKAGES"
}

purge() {
    as_printed 'Off the machine again'
}

# Each test finds the package installed.
setup() {
    inside dpkg-query --show timesvc >/dev/null 2>&1 || install
}

answers() {
    converse 'send:TIME\r\n' 'expect:JAM %T\r\n' 'send:QUIT\r\n' eof
}

# running_version: that of the program that serves the one conversation.
running_version() {
    # shellcheck disable=SC2016 # the inner shell's to expand
    inside bash -c 'grep -ao "timesvc [0-9]\.[0-9]\.[0-9]" \
        "/proc/$(systemctl show --property=MainPID --value "timesvc@*")/exe"'
}
export -f running_version

@test "as soon as the package is installed, port 45000 answers" {
    purge
    run -0 install
    refute_output --regexp '[Ee]rror|[Ff]ailed|timesvc: '
    answers
}

@test "the package's own test passes" {
    cp "$TREE/debian/tests/conversation" "$SCRATCH/root/root"
    run -0 inside /root/conversation
}

@test "systemctl status says what listens, since when and where to read on" {
    run -0 inside systemctl status --no-pager timesvc.socket
    assert_line --partial 'timesvc.socket - Time service on TCP port 45000'
    assert_line --regexp 'Loaded: loaded \(/(usr/)?lib/systemd/system/timesvc.socket; enabled; '
    assert_line --partial 'Active: active (listening) since '
    assert_line --partial 'Docs: man:timesvc.socket(8)'
    assert_line --partial 'man:timesvc(8)'
    assert_line --partial 'Listen: [::]:45000 (Stream)'
    run -0 inside journalctl --no-pager --output=cat --priority=warning --unit=timesvc.socket
    assert_output ''
}

@test "no outgoing connection can take the port" {
    run -0 inside cat /proc/sys/net/ipv4/ip_local_reserved_ports
    assert_output 45000
}

# The list that a test has set goes with it.
teardown() {
    inside rm -f /etc/sysctl.d/10-local.conf
    reserve ''
    inside /usr/lib/systemd/systemd-sysctl --prefix=/net/ipv4/ip_local_reserved_ports
}

# reserve PORTS: by hand, in place of what is reserved.
reserve() {
    # shellcheck disable=SC2016 # the inner shell's to expand
    inside sh -c 'echo "$1" >/proc/sys/net/ipv4/ip_local_reserved_ports' sh "$1"
}

reserved() {
    inside cat /proc/sys/net/ipv4/ip_local_reserved_ports
}

NOT_RESERVED='timesvc: port 45000 is not reserved, others are: add it to net.ipv4.ip_local_reserved_ports in /etc/sysctl.d/99-local.conf'

@test "ports that someone has reserved stay reserved, and the package says that its own is not" {
    purge
    reserve 30000-30010
    run -0 install
    assert_line "$NOT_RESERVED"
    assert_equal "$(reserved)" 30000-30010
    purge
    assert_equal "$(reserved)" 30000-30010
}

@test "the ports in the administrator's file are what is reserved, as from the next boot on" {
    purge
    reserve ''
    mkdir -p "$SCRATCH/root/etc/sysctl.d"
    echo 'net.ipv4.ip_local_reserved_ports = 30000-30010' >"$SCRATCH/root/etc/sysctl.d/10-local.conf"
    run -0 install
    assert_line "${NOT_RESERVED/99-local/10-local}"
    assert_equal "$(reserved)" 30000-30010
    # It is added there, as the line said.
    purge
    mkdir -p "$SCRATCH/root/etc/sysctl.d"
    echo 'net.ipv4.ip_local_reserved_ports = 30000-30010,45000' >"$SCRATCH/root/etc/sysctl.d/10-local.conf"
    reserve ''
    run -0 install
    refute_output --partial 'not reserved'
    assert_equal "$(reserved)" 30000-30010,45000
    inside /usr/lib/systemd/systemd-sysctl # as at the next boot
    assert_equal "$(reserved)" 30000-30010,45000
    purge
    assert_equal "$(reserved)" 30000-30010,45000
}

@test "an upgrade leaves a conversation alone, and the next one gets the new program" {
    converse 'send:TIME' 'expect:JAM %T' \
        "run:inside dpkg -i /root/later.deb >'$BATS_TEST_TMPDIR/log' 2>&1
         running_version >'$BATS_TEST_TMPDIR/old'" \
        'send:\r\nTIME\r\n' 'expect:\r\nJAM %T\r\n' 'send:QUIT\r\n' eof
    run -0 cat "$BATS_TEST_TMPDIR/old"
    assert_output "$("$TREE/timesvc" --version)"
    retry no_instance
    converse 'send:TIME' 'expect:JAM %T' "run:running_version >'$BATS_TEST_TMPDIR/new'" \
        'send:QUIT\r\n' eof
    run -0 cat "$BATS_TEST_TMPDIR/new"
    assert_output 'timesvc 9.9.9'
}

no_instance() {
    [ -z "$(inside systemctl list-units --all --plain --no-legend 'timesvc@*')" ]
}

@test "removal closes the conversations and the port" {
    converse 'send:TIME' 'expect:JAM %T' "run:inside apt-get -q -y remove timesvc >'$BATS_TEST_TMPDIR/log' 2>&1" eof
    run ! nc -z "$HOST" 45000
    run -0 inside systemctl list-units --plain --no-legend 'timesvc*' 'system-timesvc*'
    assert_output ''
}

@test "after a purge nothing is left: no file, no user, no setting" {
    run -0 purge
    run -0 comm -3 "$SCRATCH/before" <("$TESTS/inventory" "$SCRATCH/root")
    assert_output ''
    run -1 inside systemctl list-unit-files --no-legend 'timesvc*'
    assert_output ''
    run -0 inside cat /proc/sys/net/ipv4/ip_local_reserved_ports
    assert_output ''
}

@test "installed again, it serves again" {
    purge
    install
    answers
}

@test "where the port is taken, the package is installed all the same and says what to do" {
    purge
    inside systemd-run --quiet --unit=squatter nc -l -k 45000
    retry nc -z "$HOST" 45000
    run -0 install
    assert_line 'timesvc: installed, but timesvc.socket cannot listen: another program may have TCP port 45000.'
    # shellcheck disable=SC2016 # dpkg-query's to expand
    run -0 inside dpkg-query --show --showformat='${db:Status-Status}' timesvc
    assert_output installed
    run -0 inside ss -ltnp 'sport = :45000'
    assert_output --partial '"nc"'
    inside systemctl stop squatter
    inside systemctl start timesvc.socket
    answers
}

@test "make install and make uninstall let stay reserved what someone has reserved" {
    purge
    tar -xf "$SCRATCH"/tree/dist/timesvc-*.tar.gz --strip-components=1 -C "$SCRATCH/root/root/timesvc"
    reserve 30000-30010
    run -0 inside make -C /root/timesvc install
    assert_line "$NOT_RESERVED"
    assert_equal "$(reserved)" 30000-30010
    run -0 inside make -C /root/timesvc uninstall
    assert_equal "$(reserved)" 30000-30010
}

@test "make uninstall leaves nothing but empty directories of what make install has made" {
    purge
    tar -xf "$SCRATCH"/tree/dist/timesvc-*.tar.gz --strip-components=1 -C "$SCRATCH/root/root/timesvc"
    run -0 inside make -C /root/timesvc install
    inside systemctl --quiet enable --now timesvc.socket
    answers
    run -0 inside make -C /root/timesvc uninstall
    run ! nc -z "$HOST" 45000
    run diff <(grep -v '^d' "$SCRATCH/before") <("$TESTS/inventory" "$SCRATCH/root" | grep -v '^d')
    assert_output ''
    run -0 inside systemctl list-units --plain --no-legend 'timesvc*' 'system-timesvc*'
    assert_output ''
    run -0 inside cat /proc/sys/net/ipv4/ip_local_reserved_ports
    assert_output ''
}
