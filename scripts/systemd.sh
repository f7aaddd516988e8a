# Shared by scripts/test-systemd: a real systemd that boots in namespaces, on a tree of
# scripts/debian.sh. Sourced by bash after it. Needs root. Nothing stays mounted or running.

cgroup=nyala-test-$$

# boot: starts the systemd of $tree as process 1 of its own namespaces, with a network that has only
# the loopback interface. Sets $leader to that process.
boot() {
    local groups functions hierarchy unshared
    groups=$(hierarchies)
    functions=$(declare -f hierarchies become_init)
    # Its control groups are below ones of its own.
    for hierarchy in $groups; do mkdir -p "$hierarchy/$cgroup"; done
    (
        for hierarchy in $groups; do echo "$BASHPID" >"$hierarchy/$cgroup/cgroup.procs"; done
        tree=$tree exec unshare --pid --fork --kill-child --mount --net --uts --ipc --cgroup \
            bash -euc "$functions
                become_init" >"$tree.log" 2>&1
    ) &
    unshared=$!
    wait_for "the namespaces" grep -q . "/proc/$unshared/task/$unshared/children"
    leader=$(tr -d ' ' <"/proc/$unshared/task/$unshared/children")
    wait_for "systemd to be up" is_up
}

# Ends what runs there, at once, as when the machine is switched off.
switch_off() {
    local hierarchy
    [ -n "${leader:-}" ] || return 0
    kill -KILL "$leader" 2>/dev/null || true
    wait_for "everything to have ended" test ! -e "/proc/$leader"
    leader=
    for hierarchy in $(hierarchies); do
        [ ! -d "$hierarchy/$cgroup" ] ||
            find "$hierarchy/$cgroup" -depth -type d -exec rmdir {} + 2>/dev/null || true
    done
}

# inside COMMAND...: runs it there as root.
inside() {
    nsenter -t "$leader" -a -- env -i HOME=/root USER=root LANG=C.UTF-8 TERM=dumb \
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"
}

# in_its_network COMMAND...: runs a program of this machine there, such as one that makes load.
in_its_network() { nsenter -t "$leader" -n -- "$@"; }

is_up() { inside systemctl is-active --quiet basic.target dbus.socket; }

# Where control groups are: those of systemd's first version beside the second one, or that alone.
hierarchies() {
    if [ -d /sys/fs/cgroup/systemd ]; then
        echo /sys/fs/cgroup/systemd
        [ ! -d /sys/fs/cgroup/unified ] || echo /sys/fs/cgroup/unified
    else
        echo /sys/fs/cgroup
    fi
}

# In new namespaces: makes $tree the root, and becomes its systemd.
become_init() {
    local groups device
    groups=$(hierarchies)
    mount --make-rprivate /
    mount --bind "$tree" "$tree"
    cd "$tree"
    mount -t proc proc proc
    # Its sysctl must not change this machine's kernel.
    mount --bind proc/sys proc/sys
    mount -o remount,bind,ro proc/sys
    mount -t sysfs -o ro sysfs sys
    mount -t tmpfs -o mode=755 tmpfs run
    mount -t tmpfs tmpfs tmp
    mount -t tmpfs -o mode=755 tmpfs dev
    for device in null zero full random urandom tty; do
        touch "dev/$device"
        mount --bind "/dev/$device" "dev/$device"
    done
    mkdir dev/pts dev/shm
    mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
    ln -s pts/ptmx dev/ptmx
    ln -s /proc/self/fd dev/fd
    if [ "$groups" = /sys/fs/cgroup ]; then
        mount -t cgroup2 cgroup2 sys/fs/cgroup
    else
        mount -t tmpfs -o mode=755 tmpfs sys/fs/cgroup
        mkdir sys/fs/cgroup/systemd
        mount -t cgroup -o none,name=systemd cgroup sys/fs/cgroup/systemd
        if [ "${groups%unified}" != "$groups" ]; then
            mkdir sys/fs/cgroup/unified
            mount -t cgroup2 cgroup2 sys/fs/cgroup/unified
        fi
    fi
    ip link set lo up
    mkdir -p oldroot
    pivot_root . oldroot
    umount -l /oldroot
    exec env -i container=nyala PATH=/usr/sbin:/usr/bin:/sbin:/bin \
        /lib/systemd/systemd --system --log-target=console
}
