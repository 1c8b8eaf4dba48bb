# Hosts joined by a network: each is a network namespace, named by its address. To be used where
# mounts and network are private.

# on HOST COMMAND...: run it there.
on() {
    ip netns exec "$@"
}

# lay_network HOST...: make these hosts, and join them by a bridge.
lay_network() {
    local host port
    ip link add switch type bridge
    ip link set switch up
    for host in "$@"; do
        port=switch-${host##*.}
        ip netns add "$host"
        ip link add "$port" type veth peer name eth0 netns "$host"
        ip link set "$port" master switch up
        ip -n "$host" address add "$host/24" dev eth0
        ip -n "$host" link set eth0 up
    done
}

# listens_on HOST: something listens at its port 45000.
listens_on() {
    on "$1" ss -Hltn 'sport = 45000' | grep -q .
}
