# Part of scripts/kubernetes: a network namespace for each machine, all at one switch.
#
#   10.78.0.1        the control plane and the registry
#   10.78.0.11-13    the nodes
#   10.78.0.100      the site, and those who visit the application
#   10.244.N.0/24    the pods of node N
#   10.96.0.0/16     Services; the site's way to them is node 1

master=10.78.0.1

make_networks() {
    local node
    mkdir -p "$state/run/net"
    make_network switch
    at switch ip link add bridge type bridge
    at switch ip link set bridge up
    join control $master
    for node in 1 2 3; do join "node$node" "10.78.0.1$node"; done
    join site 10.78.0.100
    for node in 1 2 3; do
        at control ip route add "10.244.$node.0/24" via "10.78.0.1$node"
    done
    at site ip route add 10.96.0.0/16 via 10.78.0.11
}

# The namespace is kept by a mount, as `ip netns` does it, but in the state folder.
make_network() {
    touch "$state/run/net/$1"
    unshare --net="$state/run/net/$1" ip link set lo up
}

# join NAME ADDRESS: makes a network, and joins it to the switch.
join() {
    make_network "$1"
    at switch ip link add "$1" type veth peer name eth0 netns "$state/run/net/$1"
    at switch ip link set "$1" master bridge up
    at "$1" ip address add "$2/24" dev eth0
    at "$1" ip link set eth0 up
    [ "$2" = $master ] || at "$1" ip route add default via $master
    at "$1" sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
}

# at NAME COMMAND...: runs it in that network.
at() {
    local name=$1
    shift
    nsenter --net="$state/run/net/$name" -- "$@"
}

remove_networks() {
    local network
    for network in "$state"/run/net/*; do
        ! mountpoint -q "$network" || umount "$network"
    done
}

# in_cluster COMMAND...: runs it where the site is, in the folder that this was called from.
in_cluster() {
    KUBECONFIG=${KUBECONFIG:-$state/run/kubeconfig} at site env --chdir="$here" "$@"
}
