# Part of scripts/kubernetes: the nodes. Each is a process that is the first one of its own
# namespaces, so that its end is the end of everything on the node.

group=nyala-kubernetes

start_node() {
    local hierarchy
    mkdir -p "$state/run/node$1"
    for hierarchy in $(hierarchies); do
        mkdir -p "$hierarchy/$group/node$1"
        # Those of cpuset start with nothing in them.
        for what in cpus mems; do
            [ ! -e "$hierarchy/cpuset.$what" ] || tee "$hierarchy/$group/cpuset.$what" \
                "$hierarchy/$group/node$1/cpuset.$what" <"$hierarchy/cpuset.$what" >/dev/null
        done
    done
    background "node$1" nsenter --net="$state/run/net/node$1" -- \
        unshare --mount --uts --ipc --pid --fork --kill-child \
        env state="$state" master=$master group=$group \
        bash scripts/kubernetes.d/node "$1"
}

is_ready() {
    in_cluster "$state/bin/kubectl" get node "$1" --no-headers | grep -q ' Ready '
}

# The hierarchies of control groups of version 1.
hierarchies() { awk '$3 == "cgroup" { print $2 }' /proc/mounts; }

# on_node N COMMAND...: as root of that node.
on_node() {
    local node=$1 pid
    shift
    read -r pid _ <"$state/run/node$node.pid"
    pid=$(tr -d ' ' <"/proc/$pid/task/$pid/children")
    PATH=$state/bin:$PATH nsenter --target "$pid" --all -- "$@"
}

# When nothing runs in them any more.
remove_groups() {
    local hierarchy
    for hierarchy in $(hierarchies); do
        [ ! -d "$hierarchy/$group" ] ||
            wait_for "the control groups to be empty" \
                find "$hierarchy/$group" -depth -type d -exec rmdir {} +
    done
}
