# Shared by scripts/package and the scripts that test in a bare Debian: such a tree, and running in
# it.
# Sourced by bash after scripts/common.sh. Needs root, mmdebstrap and a network. Nothing stays
# mounted, and nothing outside target/debian is written.

# make_tree NAME SUITE PACKAGES [ARCHITECTURES]: unpacks a new tree and sets $tree to its path. The
# packages of a suite are fetched once. Packages and architectures are comma-separated, as
# mmdebstrap has them.
make_tree() {
    local name=$1 suite=$2 packages=$3 folder=$PWD/target/debian
    local architectures=${4:-$(dpkg --print-architecture)}
    [ "$(id -u)" = 0 ] || fail "this makes a Debian tree, which only root can: run it with sudo"
    need mmdebstrap mmdebstrap
    tree=$folder/$name
    mkdir -p "$folder"
    if [ ! -s "$tree.tar" ]; then
        say "Making a bare Debian: $suite"
        mmdebstrap --quiet --format=tar --variant=minbase --include="$packages" \
            --architectures="$architectures" "$suite" "$tree.tar.part"
        mv "$tree.tar.part" "$tree.tar"
    fi
    rm -rf "$tree"
    mkdir -p "$tree"
    tar -x -C "$tree" -f "$tree.tar"
    cp -L /etc/resolv.conf /etc/hosts "$tree/etc/"
    # The packages of the registries in use, and the certificates they are checked with.
    cp -a /etc/apt/apt.conf.d/. "$tree/etc/apt/apt.conf.d/"
    if grep -qs "VERSION_CODENAME=$suite" /etc/os-release; then
        rm -f "$tree/etc/apt/sources.list"
        cp -a /etc/apt/. "$tree/etc/apt/"
    fi
    cp --remove-destination -L /etc/ssl/certs/ca-certificates.crt "$tree/etc/ssl/certs/"
    if [ -f /etc/pip.conf ]; then
        cp -a /etc/pip.conf "$tree/etc/"
    elif [ -n "${PIP_CERT:-}" ]; then
        printf '[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n' >"$tree/etc/pip.conf"
    fi
    git clone --quiet --no-hardlinks . "$tree/root/nyala"
}

# in_tree COMMAND...: runs it as root in the clone in the tree, with nothing of this machine but its
# devices and $RUSTFLAGS. What is built in target is kept in NAME.target for the next run.
in_tree() { enter_tree "" "$@"; }

# in_tree_with_rust COMMAND...: the same, with this machine's Rust and the downloads of its cargo.
in_tree_with_rust() {
    enter_tree "${CARGO_HOME:-$HOME/.cargo}:.cargo ${RUSTUP_HOME:-$HOME/.rustup}:.rustup" "$@"
}

# enter_tree "FOLDER:NAME..." COMMAND...: with these folders in /root.
enter_tree() {
    # A mount namespace of its own: when the last process has ended, all of it is gone.
    tree=$tree folders=$1 unshare --mount --pid --fork --kill-child -- sh -euc '
        mount --make-rprivate /
        # unshare in the tests wants a root that is a mount point.
        mount --rbind "$tree" "$tree"
        cd "$tree"
        mount -t proc proc "$tree/proc"
        mount --rbind /dev "$tree/dev"
        home=$tree/root
        for folder in $folders "$tree.target:nyala/target"; do
            mkdir -p "${folder%:*}" "$home/${folder##*:}"
            mount --bind "${folder%:*}" "$home/${folder##*:}"
        done
        chmod 700 "$tree/root"
        exec chroot "$tree" env -i HOME=/root USER=root LANG=C.UTF-8 TERM=dumb \
            RUSTFLAGS="${RUSTFLAGS:-}" \
            PATH=/root/.cargo/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
            bash -c "cd /root/nyala && exec \"\$@\"" in-tree "$@"
    ' in-tree "${@:2}"
}
