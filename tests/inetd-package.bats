#!/usr/bin/env bats
# The life of the package timesvc-inetd on a booted Debian where $SUPERSERVER is the inetd, and
# what README and timesvc(8) print for that.

load helpers
source "$TESTS/container.bash"
source "$TESTS/pages.bash"
RELEASE=inetd
SUPERVISOR=$SUPERSERVER

setup_file() {
    export BATS_NO_PARALLELIZE_WITHIN_FILE=true SCRATCH=$BATS_FILE_TMPDIR
    SERVER_LOG=$SCRATCH/boot.log bare
    export SERVER
    checkout "$SCRATCH/tree"
    make -C "$SCRATCH/tree" --no-print-directory deb >"$SCRATCH/log" 2>&1 ||
        { tail -n 50 "$SCRATCH/log"; return 1; }
    cp "$SCRATCH"/tree/dist/timesvc-inetd_*.deb "$SCRATCH/root/root/timesvc-inetd.deb"
    cp "$SCRATCH"/tree/dist/timesvc_*.deb "$SCRATCH/root/root/timesvc.deb"
    cp "$TESTS/.superservers/$SUPERSERVER.deb" "$SCRATCH/root/root"
    apt install "/root/$SUPERSERVER.deb" >"$SCRATCH/log" || { cat "$SCRATCH/log"; return 1; }
    "$TESTS/inventory" "$SCRATCH/root" >"$SCRATCH/before"
    export -f inside upgrades
}

teardown_file() {
    stop_serving
}

# Each test finds the package installed.
setup() {
    inside dpkg-query --show timesvc-inetd >/dev/null 2>&1 || apt install /root/timesvc-inetd.deb
    retry nc -z "$HOST" 45000
}

refuses() {
    ! nc -z "$HOST" 45000
}

journal_has() {
    journal -t timesvc | grep -qF "$1"
}

@test "as soon as the package is installed, port 45000 answers, and is reserved" {
    apt purge timesvc-inetd
    run -0 apt install /root/timesvc-inetd.deb
    retry nc -z "$HOST" 45000 # xinetd reads its configuration a moment later
    inside sh <"$TREE/debian/tests/conversation"
    answers
    retry journal_has 'ended peer=10.45.0.1 '
    assert_equal "$(inside cat /proc/sys/net/ipv4/ip_local_reserved_ports)" 45000
}

@test "more connections than inetd lets through by default are served" {
    run -0 "$TESTS/flood.py" burst "$ADDRESS" 400 50 quit
    assert_output --partial '400 answered'
    answers
}

@test "beside another line for port 45000 it adds none, and says so" {
    apt purge timesvc-inetd
    lines "\$a127.0.0.1:45000\tstream\ttcp\tnowait\tnobody\t/bin/cat\tcat"
    run -0 apt install /root/timesvc-inetd.deb
    [ "$SUPERSERVER" = xinetd ] || assert_line --partial 'timesvc-inetd: no line of /etc/inetd.conf '
    run inside sh -c 'cat /etc/inetd.conf 2>/dev/null | grep -c ^45000'
    assert_output 0
    lines '/cat$/d'
    apt purge timesvc-inetd
}

# upgrades: after each edit of what it is served by; the edit stays, and nothing comes beside it.
upgrades() {
    local edit edits conf=$SCRATCH/root/etc/inetd.conf
    edits=('' 's/^45000/127.0.0.1:&/' 's/^[0-9.]*:45000/#<off># &/' '/timesvc-static/d')
    if [ "$SUPERSERVER" = xinetd ]; then
        conf=$SCRATCH/root/etc/xinetd.d/timesvc edits=('s/# Options.*/server_args = -v/')
    fi
    for edit in "${edits[@]}"; do
        sed -i "$edit" "$conf"
        cp "$conf" "$SCRATCH/edited"
        inside dpkg -i /root/timesvc-inetd.deb </dev/null && cmp "$SCRATCH/edited" "$conf" || return
    done
}

@test "an upgrade leaves a conversation alone, and what the administrator has edited or deleted" {
    converse 'send:TIME' 'expect:JAM %T' run:upgrades \
        'send:\r\nTIME\r\n' 'expect:\r\nJAM %T\r\n' 'send:QUIT\r\n' eof
    apt purge timesvc-inetd
}

# lines SED: change lines of inetd.conf, which xinetd's Debian may not have.
lines() {
    [ "$SUPERSERVER" = xinetd ] || sed -i "$1" "$SCRATCH/root/etc/inetd.conf"
}

@test "removal closes the port, and a purge leaves no file, none of its lines, no setting" {
    # Also a line for IPv6; not another program's.
    lines 's/^\(45000.*\)tcp\(.*\)/&\n\1tcp6\2\n45000\tdgram\tudp\twait\tnobody\t\/bin\/cat\tcat/'
    run -0 apt remove timesvc-inetd
    retry refuses
    run -0 apt install /root/timesvc-inetd.deb
    retry nc -z "$HOST" 45000
    run inside grep -c ^45000 /etc/inetd.conf
    [ "$SUPERSERVER" = xinetd ] || assert_output 3
    run -0 apt purge timesvc-inetd
    run inside grep ^45000 /etc/inetd.conf
    [ "$SUPERSERVER" = xinetd ] || assert_output --regexp '^45000.*cat$'
    lines '/^45000.*cat$/d'
    run -0 comm -3 "$SCRATCH/before" <("$TESTS/inventory" "$SCRATCH/root")
    assert_output ''
    assert_equal "$(inside cat /proc/sys/net/ipv4/ip_local_reserved_ports)" ''
}

@test "every-record.conf has each client's record kept, however much the service logs" {
    local unit=${SUPERSERVER#openbsd-} file=inetd.conf options=' -v'
    [ "$unit" = inetd ] || file=xinetd.d/timesvc options='\n\tserver_args = -v'
    sed -i "s/timesvc-static$/&$options/" "$SCRATCH/root/etc/$file"
    run -0 inside bash -euc "cd /usr/share/doc/timesvc-inetd/examples
        $(example_commands every-record.conf | sed "s/inetd/$unit/")"
    retry nc -z "$HOST" 45000
    connect pump:40000 'send:QUIT' eof
    connect 'send:\n' 'expect:Invalid request\r\n' 'send:QUIT' eof
    retry journal_has ' requests=40001 '
    retry journal_has ' requests=2 invalid=1 '
}

# both FIRST: install both packages, this one first, which serves.
both() {
    local second=timesvc serves=failed
    [ "$1" != timesvc ] || second=timesvc-inetd serves=active
    inside dpkg --purge timesvc timesvc-inetd
    inside dpkg -i "/root/$1.deb"
    retry answers
    inside dpkg -i "/root/$second.deb"
    answers
    run inside systemctl is-active timesvc.socket
    assert_output "$serves"
}

@test "with both packages installed, in either order, either may go and the other serves on" {
    local first gone
    for first in timesvc timesvc-inetd; do
        for gone in timesvc timesvc-inetd; do
            both "$first"
            inside dpkg --purge "$gone"
            retry nc -z "$HOST" 45000
            answers
            assert_equal "$(inside cat /proc/sys/net/ipv4/ip_local_reserved_ports)" 45000
        done
    done
}

@test "with both packages installed, a socket that is disabled does not take over" {
    both timesvc-inetd
    inside systemctl disable timesvc.socket
    inside dpkg --purge timesvc-inetd
    retry refuses
    inside dpkg --purge timesvc
}

# serves_as_printed FILE TEXT: by the commands behind that sentence, where nothing served before.
serves_as_printed() {
    rm -f "$SCRATCH/root/etc/xinetd.d/timesvc"
    : >"$SCRATCH/root/etc/inetd.conf"
    inside systemctl reset-failed "${SUPERSERVER#openbsd-}" # as restarted too often
    inside systemctl restart "${SUPERSERVER#openbsd-}"
    as_printed "$1" "$2"
    retry nc -z "$HOST" 45000
    answers
}

@test "what make install has put is served by the commands that are printed for it" {
    apt purge timesvc-inetd
    make -C "$SCRATCH/tree" install DESTDIR="$SCRATCH/root"
    case $SUPERSERVER in
        xinetd)
            serves_as_printed README.md '**xinetd**'
            serves_as_printed timesvc.8 'with the installed stanza:'
            ;;
        openbsd-inetd)
            serves_as_printed README.md '**inetd**'
            serves_as_printed timesvc.8 'with the installed line:'
            ;;
    esac
}
