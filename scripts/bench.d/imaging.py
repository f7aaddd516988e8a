"""Times the way of a one-line change into a registry: nyala image against buildah with the usual
Dockerfile, in seconds and in bytes that were sent."""
import argparse
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

import report
import tools

REQUIREMENTS = "flask\ngunicorn\nsqlalchemy\nrequests\n"

OF_PIP = ("/etc/pip.conf", "/etc/ssl/certs/ca-certificates.crt")

APP = """from flask import Flask
app = Flask(__name__)

@app.get("/")
def page():
    return "change {number}"
"""

DOCKERFILE = """FROM {base}
WORKDIR /srv/app
COPY requirements.txt .
RUN pip install --no-cache-dir --break-system-packages -r requirements.txt
COPY . .
CMD gunicorn --bind 0.0.0.0:8000 app:app
"""

REGISTRY = """version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {folder}/registry}}}}
http: {{addr: "{address}"}}
"""


def arguments(given):
    parser = argparse.ArgumentParser(prog="scripts/bench image", description=__doc__)
    add = parser.add_argument
    add("--nyala", help="a nyala that is built already")
    add("--times", type=int, default=7, help="how often a change is sent (7)")
    add("--write", action="store_true", help="put the table into docs/performance.md")
    return parser.parse_args(given)


def run(*command, **options):
    ran = subprocess.run(command, capture_output=True, text=True, **options)
    if ran.returncode:
        sys.exit(f"error: {' '.join(command)}:\n{ran.stdout}{ran.stderr}")
    return ran.stdout


def timed(*command, **options):
    """The seconds, the peak memory of the command in MB, and what it printed."""
    start = time.monotonic()
    with tempfile.TemporaryFile("w+") as out:
        child = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, **options)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.monotonic() - start
        out.seek(0)
        said = out.read()
    if child.returncode:
        sys.exit(f"error: {' '.join(command)}:\n{said}")
    return seconds, usage.ru_maxrss / 1024, said


def size(folder):
    """The bytes of the blobs of a registry."""
    total = 0
    for path, _, names in os.walk(os.path.join(folder, "registry")):
        total += sum(os.path.getsize(os.path.join(path, it)) for it in names if it == "data")
    return total


class Bench:
    def __init__(self, given, folder):
        self.given, self.folder = given, folder
        root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
        if not given.nyala:
            run("cargo", "build", "--release", "--locked", "--quiet", cwd=root)
        self.nyala = given.nyala or os.path.join(tools.target(root), "release", "nyala")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = "127.0.0.1:%d" % free.getsockname()[1]
        settings = os.path.join(folder, "registry.yml")
        with open(settings, "w") as file:
            file.write(REGISTRY.format(folder=folder, address=self.address))
        # It complains about each blob that is asked for and not there yet.
        self.registry = subprocess.Popen(
            ["docker-registry", "serve", settings], stderr=subprocess.DEVNULL)
        while socket.socket().connect_ex(tuple_of(self.address)):
            time.sleep(0.05)

    def base(self):
        """A Debian with Python and pip, in the registry."""
        tar, name = os.path.join(self.folder, "base.tar"), f"{self.address}/base:1"
        run("mmdebstrap", "--variant=minbase", "--include=python3,python3-pip", "bookworm", tar)
        container = run("buildah", "from", "scratch").strip()
        run("buildah", "add", container, tar, "/")
        run("buildah", "config", "--env", "PATH=/usr/local/bin:/usr/bin:/bin", container)
        run("buildah", "commit", "--rm", container, name)
        run("buildah", "push", "--tls-verify=false", name)
        return name

    def project(self):
        self.site, self.work = (os.path.join(self.folder, it) for it in ("site", "work"))
        run(self.nyala, "init", self.site, "--branch", "main")
        os.mkdir(self.work)
        self.write("requirements.txt", REQUIREMENTS)
        self.write("runtime.txt", "python-3.11\n")
        self.write("Procfile", "web: gunicorn --bind 127.0.0.1:$PORT app:app\n")
        for command in ("init -q -b main", "config user.email a@example.org",
                        "config user.name A", f"remote add site {self.site}/repository.git"):
            run("git", *command.split(), cwd=self.work)

    def write(self, name, text):
        with open(os.path.join(self.work, name), "w") as file:
            file.write(text)

    def change(self, number):
        self.write("app.py", APP.format(number=number))
        run("git", "add", "-A", cwd=self.work)
        run("git", "commit", "-q", "-m", f"Change {number}", cwd=self.work)
        run("git", "push", "-q", "site", "main", cwd=self.work)

    def image(self, base):
        to = f"{self.address}/nyala"
        return timed(self.nyala, "image", "--site", self.site, "--push", to, "--base", base)

    def buildah(self):
        to = f"{self.address}/buildah:1"
        # pip finds the index in there, and trusts it, as on this machine.
        here = [f"--volume={it}:{it}:ro" for it in OF_PIP if os.path.exists(it)]
        start = time.monotonic()
        run("buildah", "bud", "--layers", "--isolation=chroot", "--tls-verify=false", *here,
            "-t", to, self.work)
        run("buildah", "push", "--tls-verify=false", to)
        return time.monotonic() - start

    def measure(self):
        base = self.base()
        self.project()
        self.write("Dockerfile", DOCKERFILE.format(base=base))
        self.change(0)
        rows = {"nyala image": [], "buildah": []}
        memory = []

        def sent(what, act):
            before = size(self.folder)
            result = act()
            seconds = result[0] if isinstance(result, tuple) else result
            if isinstance(result, tuple):
                memory.append(result[1])
            rows[what].append((seconds, size(self.folder) - before))

        sent("nyala image", lambda: self.image(base))
        sent("buildah", self.buildah)
        for number in range(1, self.given.times + 1):
            self.change(number)
            sent("nyala image", lambda: self.image(base))
            sent("buildah", self.buildah)
        scratch = self.image("scratch")
        return rows, memory, scratch


def tuple_of(address):
    host, port = address.split(":")
    return host, int(port)


def text(rows, memory, scratch):
    def line(what):
        first, *changes = rows[what]
        seconds = statistics.median(it[0] for it in changes)
        sent = statistics.median(it[1] for it in changes)
        return [what, f"{first[0]:.2f} s", f"{first[1] / 1e6:.1f} MB", f"{seconds:.2f} s",
                f"{sent / 1e3:.1f} kB"]

    table = report.table(
        ["", "first image", "sent", "one-line change", "sent"], [line(what) for what in rows])
    seconds, peak, said = scratch
    whole = re.findall(r"Layer (\w+), ([^.]+(?:\.\d+)? \w+)\.", said)
    layers = ", ".join(f"{name} {size}" for name, size in whole)
    return (f"{table}\n\nPeak memory of `nyala image`: {max(memory):.0f} MB. "
            f"With `base = \"scratch\"`, the first image takes {seconds:.1f} s and "
            f"{peak:.0f} MB of memory; its layers: {layers}.\n")


def main(given):
    given = arguments(given)
    for needed in ("docker-registry", "buildah", "mmdebstrap"):
        if not shutil.which(needed):
            sys.exit(f"error: {needed} is missing: apt-get install {needed}")
    with tempfile.TemporaryDirectory(prefix="nyala-image-") as folder:
        # buildah keeps its images there, and not among the user's.
        os.environ["CONTAINERS_STORAGE_CONF"] = os.path.join(folder, "storage.conf")
        with open(os.environ["CONTAINERS_STORAGE_CONF"], "w") as file:
            file.write(f'[storage]\ndriver = "vfs"\ngraphroot = "{folder}/images"\n'
                       f'runroot = "{folder}/run"\n')
        bench = Bench(given, folder)
        try:
            found = text(*bench.measure())
        finally:
            bench.registry.terminate()
            bench.registry.wait()
    print(found)
    if given.write:
        root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
        report.replace(os.path.join(root, "docs", "performance.md"), found, "image")
