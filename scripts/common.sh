# Shared by the scripts here: finds and installs what is missing on this machine.
# Sourced by bash from the root of the repository.

# For tools that only these scripts need.
tools=$PWD/target/test-tools

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

# wait_for WHAT COMMAND...: until the command succeeds.
wait_for() {
    local what=$1 left=1200
    shift
    until "$@" >/dev/null 2>&1; do
        [ $((left -= 1)) -gt 0 ] || fail "waited in vain for $what"
        sleep 0.1
    done
}

# Whether packages can be installed: with apt, as root or with sudo.
can_install() {
    have apt-get && { [ "$(id -u)" = 0 ] || { have sudo && sudo -n true 2>/dev/null; }; }
}

# Once in a script: what apt could install now.
update_lists() {
    [ -z "${lists_updated:-}" ] || return 0
    as_root apt-get update -qq
    lists_updated=yes
}

# install PACKAGE...: with apt. Removes nothing. Fails where nothing can be installed.
install() {
    can_install || return 1
    say "Installing $*"
    update_lists
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends --no-remove "$@" >/dev/null
}

# need COMMAND PACKAGE...: installs the packages if the command is missing.
need() {
    local command=$1
    shift
    have "$command" || install "$@" || fail "$command is required; install: ${*}"
}

# A C compiler, and a Rust that is new enough for this crate, with rustfmt and Clippy: an installed
# one, else the distribution's, else rustup's where the distribution has rustup.
need_rust() {
    local wanted found
    [ ! -x "$HOME/.cargo/bin/cargo" ] || PATH=$HOME/.cargo/bin:$PATH
    export PATH
    need cc build-essential
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
    found=$(cargo --version 2>/dev/null | cut -d' ' -f2) || true
    is_at_least "$wanted" "$found" || install_rust "$wanted" ||
        fail "Rust $wanted or newer is required (found: ${found:-none});" \
            "install it as https://rustup.rs says, and run this again"
}

# is_at_least WANTED VERSION: an empty version is never enough.
is_at_least() { [ "$(printf '%s\n' "$1" "${2:-0}" | sort -V | head -n 1)" = "$1" ]; }

# install_rust VERSION: that or a newer one. Fails if there is none.
install_rust() {
    local cargo others
    can_install || return 1
    update_lists
    # Debian keeps a second, newer one in its stable releases, to build browsers with.
    for cargo in cargo cargo-web; do
        others="rustc rustfmt rust-clippy"
        [ "$cargo" = cargo ] || others="rustc-web rustfmt-web rust-web-clippy"
        if is_at_least "$1" "$(candidate "$cargo")"; then
            # Each of the other packages is a word.
            # shellcheck disable=SC2086
            install "$cargo" $others && return
        fi
    done
    ! have cargo && [ -n "$(candidate rustup)" ] && install rustup ca-certificates &&
        rustup toolchain install --profile default stable
}

# candidate PACKAGE: the version that apt would install; empty when there is none.
candidate() {
    apt-cache policy "$1" 2>/dev/null | sed -n 's/^ *Candidate: \([0-9].*\)/\1/p'
}

# Prints `X.Y PATH` for each installed minor version since 3.9 that can create environments, oldest
# first.
pythons() {
    local root=${PYENV_ROOT:-$HOME/.pyenv}
    local uv=${UV_PYTHON_INSTALL_DIR:-$HOME/.local/share/uv/python} path folders
    IFS=: read -ra folders <<<"$PATH"
    {
        for path in "${folders[@]}"; do
            case $path in
            */shims) ;;
            *) ls -d "$path"/python3 "$path"/python3.[0-9]* 2>/dev/null || true ;;
            esac
        done
        ls -d /usr/local/bin/python3.[0-9]* /opt/python*/bin/python3.[0-9]* \
            "$root"/versions/*/bin/python3.[0-9]* "$uv"/*/bin/python3.[0-9]* 2>/dev/null
        # Most of these paths exist on no machine; that is not a failure.
        true
    } | grep -E 'python3(\.[0-9]+)?$' | while read -r path; do
        "$path" -E -s -c 'import sys, venv, ensurepip
assert sys.version_info[:2] >= (3, 9) and sys.version_info[3] == "final"
assert sys.prefix == sys.base_prefix
print("%d.%d.%d" % sys.version_info[:3], sys.executable)' 2>/dev/null || true
    done | sort -t. -k1,1n -k2,2n -k3,3nr -s | awk '{
        split($1, v, "."); minor = v[1] "." v[2]
        if (!seen[minor]++) print minor, $2
    }'
}

# uv, in a folder of its own. Fails without a package index.
need_uv() {
    [ -x "$tools/uv/bin/uv" ] && return
    "$(pythons | tail -n 1 | cut -d' ' -f2)" -m venv "$tools/uv" &&
        "$tools/uv/bin/python" -m pip install --quiet --disable-pip-version-check uv
}

# Two Pythons, so that runtime.txt can be toggled: installed ones, else the distribution's, else
# uv's. Fails if there is only one in the end.
need_two_pythons() {
    [ "$(pythons | wc -l)" -ge 1 ] || install python3 python3-venv ||
        fail "Python 3.9 or newer with venv is required; install: python3 python3-venv"
    local version
    for version in $(python_packages); do
        [ "$(pythons | wc -l)" -lt 2 ] || return 0
        pythons | grep -q "^${version#python} " || install "$version" "$version-venv" || true
    done
    [ "$(pythons | wc -l)" -lt 2 ] || return 0
    say "Only one Python is installed ($(pythons)); installing another with uv"
    need_uv || return 1
    export UV_PYTHON_INSTALL_DIR=$tools/python
    for version in 3.12 3.13; do
        pythons | grep -q "^$version " && continue
        "$tools/uv/bin/uv" python install --quiet --no-bin "$version" && break
    done
    [ "$(pythons | wc -l)" -ge 2 ]
}

# The Pythons that the distribution has: python3.13, for example, one a line.
python_packages() {
    can_install && update_lists || return 0
    apt-cache --names-only search '^python3\.[0-9]+-venv$' | sed -n 's/-venv .*//p'
}
