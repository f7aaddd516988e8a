"""What is compared with, and what it needs: found on the machine, or fetched once into the target
folder."""
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass

# The newest Python for which every requirement has a wheel.
NEWEST = (3, 13)


@dataclass
class Tools:
    nyala: str
    # `3.12` and its interpreter, twice: the first is there at first, the second is what runtime.txt
    # is toggled to.
    pythons: list
    # Paths, or None where they cannot be had.
    uv: str
    virtualenv: str
    kudusync: str
    poetry: str
    strace: str
    # The folder of the locks, each made once.
    locks: str
    # Of pip and of uv, so that both are as warm as this run has made them.
    caches: str

    def variables(self):
        """What every child is given. uv alone goes before what is on PATH: Pythons and pip stay the
        machine's."""
        variables = {"PIP_CACHE_DIR": os.path.join(self.caches, "pip"),
                     "POETRY_CACHE_DIR": os.path.join(self.caches, "poetry"),
                     "UV_CACHE_DIR": os.path.join(self.caches, "uv")}
        if self.uv:
            folder = os.path.join(self.caches, "bin")
            os.makedirs(folder, exist_ok=True)
            link = os.path.join(folder, "uv")
            if not os.path.lexists(link):
                os.symlink(self.uv, link)
            variables["PATH"] = f"{folder}:{os.environ['PATH']}"
        return variables


def target(root):
    return os.environ.get("CARGO_TARGET_DIR", os.path.join(root, "target"))


def find(folder, root, versions):
    os.makedirs(folder, exist_ok=True)
    pythons = find_pythons(root, versions)
    bin_ = os.path.join(folder, "python-tools", "bin")
    return Tools(
        nyala=os.path.join(target(root), "release", "nyala"),
        pythons=pythons,
        uv=fetch(os.path.join(bin_, "uv"), lambda: from_pypi(bin_, pythons[0][1], "uv")),
        virtualenv=fetch(os.path.join(bin_, "virtualenv"),
                         lambda: from_pypi(bin_, pythons[0][1], "virtualenv")),
        kudusync=find_kudusync(os.path.join(folder, "kudusync")),
        poetry=find_poetry(os.path.join(folder, "poetry", "bin"), pythons[0][1]),
        strace=shutil.which("strace"),
        locks=os.path.join(folder, "locks"),
        caches=os.path.join(folder, "caches"),
    )


def find_pythons(root, versions):
    """Two of the interpreters that can make environments, as `scripts/demo` finds them."""
    command = ["bash", "-c", ". scripts/common.sh; pythons"]
    listed = subprocess.run(command, cwd=root, check=True, text=True, stdin=subprocess.DEVNULL,
                            capture_output=True).stdout
    found = dict(line.split(" ", 1) for line in listed.splitlines())
    newest = [version for version in found if tuple(map(int, version.split("."))) <= NEWEST]
    wanted = versions or newest[-2:]
    missing = [version for version in wanted if version not in found]
    if missing or not wanted:
        wanted, there = ", ".join(missing) or "3", ", ".join(found)
        sys.exit(f"error: no Python {wanted} with venv and pip; there is: {there}")
    # With one only, nothing can be toggled, and that row is left out.
    return [(version, found[version]) for version in wanted]


def on_file_system_of(folder, caches):
    """The caches, copied into the folder unless they are on its disk."""
    os.makedirs(caches, exist_ok=True)
    if os.stat(folder).st_dev == os.stat(caches).st_dev:
        return caches
    return shutil.copytree(caches, os.path.join(folder, "caches"), symlinks=True)


def fetch(path, get):
    """The path, when it is there or could be fetched."""
    try:
        if not os.path.exists(path):
            get()
        return path
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"{os.path.basename(path)} cannot be had, and is left out: {error}", file=sys.stderr)
        return None


def from_pypi(bin_, python, name):
    if not os.path.exists(bin_):
        quietly(python, "-m", "venv", os.path.dirname(bin_))
    pip = (os.path.join(bin_, "python"), "-m", "pip")
    quietly(*pip, "install", "--disable-pip-version-check", name)


def find_poetry(bin_, python):
    return fetch(os.path.join(bin_, "poetry"), lambda: from_pypi(bin_, python, "poetry"))


def find_kudusync(folder):
    path = os.path.join(folder, "node_modules", ".bin", "kudusync")
    os.makedirs(folder, exist_ok=True)
    npm = ("npm", "install", "--no-audit", "--no-fund", "--prefix", folder, "kudusync")
    return fetch(path, lambda: quietly(*npm))


def quietly(*command):
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
