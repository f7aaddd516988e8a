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

# install PACKAGE...: with apt. Fails without apt, or without root and sudo.
install() {
    have apt-get || return 1
    [ "$(id -u)" = 0 ] || { have sudo && sudo -n true 2>/dev/null; } || return 1
    say "Installing $*"
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# need COMMAND PACKAGE...: installs the packages if the command is missing.
need() {
    local command=$1
    shift
    have "$command" || install "$@" || fail "$command is required; install: ${*}"
}

# A cargo that is new enough for this crate, and a C compiler.
need_rust() {
    local wanted found
    [ ! -x "$HOME/.cargo/bin/cargo" ] || PATH=$HOME/.cargo/bin:$PATH
    export PATH
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
    found=$(cargo --version 2>/dev/null | cut -d' ' -f2) || true
    [ "$(printf '%s\n' "$wanted" "${found:-0}" | sort -V | head -n 1)" = "$wanted" ] ||
        fail "Rust $wanted or newer is required (found: ${found:-none});" \
            "install it as https://rustup.rs says, and run this again"
    need cc build-essential
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

# Two Pythons, so that runtime.txt can be toggled: installed ones, else from packages, else from uv.
# Fails if there is only one in the end.
need_two_pythons() {
    [ "$(pythons | wc -l)" -ge 1 ] || install python3 python3-venv ||
        fail "Python 3.9 or later with venv is required"
    [ "$(pythons | wc -l)" -ge 2 ] && return
    say "Only one Python is installed ($(pythons | tail -n 1)); installing another with uv"
    need_uv || return 1
    export UV_PYTHON_INSTALL_DIR=$tools/python
    local version
    for version in 3.12 3.13; do
        pythons | grep -q "^$version " && continue
        "$tools/uv/bin/uv" python install --quiet --no-bin "$version" && break
    done
    [ "$(pythons | wc -l)" -ge 2 ]
}
