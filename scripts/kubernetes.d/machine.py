"""A site beside the cluster of scripts/kubernetes, and visitors of its application."""
import json
import os
import re
import shutil
import signal
import subprocess
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SCRIPT = os.path.join(ROOT, "scripts", "kubernetes")
STATE = os.environ.get("KUBERNETES_STATE", "/var/tmp/nyala-kubernetes")
REGISTRY = "10.78.0.1:5000"

# Each page takes a few milliseconds, so that requests are under way at any time.
APP = """import os
import time

RELEASE = {release}
{at_import}


def app(environ, start):
    status = "200 OK"
    if environ["PATH_INFO"] == "/health":
        status = "{health}"
    time.sleep(0.005)
    start(status, [("Content-Type", "text/plain")])
    return [f"{{RELEASE}} {{os.environ.get('COLOUR')}}\\n".encode()]
"""

PROCFILE = """web: gunicorn --worker-class gthread --threads 8 --bind 127.0.0.1:$PORT app:app
"""


class Wrong(Exception):
    """What a case has found."""


def wait_for(what, condition, seconds=120):
    end = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > end:
            raise Wrong(f"waited in vain for {what}")
        time.sleep(0.2)
    return found


class Cluster:
    def __init__(self, kubectl):
        """`kubectl` is the one that nyala finds and that is used here."""
        self.programs = os.path.join(STATE, "path")
        shutil.rmtree(self.programs, ignore_errors=True)
        os.makedirs(self.programs)
        os.symlink(kubectl, os.path.join(self.programs, "kubectl"))
        self.environment = {
            **os.environ,
            "PATH": f"{self.programs}:{os.environ['PATH']}",
            "KUBECONFIG": os.path.join(STATE, "run", "kubeconfig"),
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": os.path.join(STATE, "wheels"),
        }

    def script(self, *arguments):
        subprocess.run([SCRIPT, *arguments], check=True, stdout=subprocess.DEVNULL)

    def inside(self, *command, **options):
        """Starts a command where the site is."""
        network = os.path.join(STATE, "run", "net", "site")
        options.setdefault("env", self.environment)
        return subprocess.Popen(["nsenter", f"--net={network}", "--", *command],
                                stdin=subprocess.DEVNULL, text=True, **options)

    def run(self, *command, **options):
        """The exit code of a command, and what it has printed."""
        process = self.inside(*command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              **options)
        said, _ = process.communicate()
        return process.returncode, said

    def kubectl(self, *arguments):
        code, said = self.run("kubectl", *arguments)
        if code:
            raise Wrong(f"kubectl {' '.join(arguments)}: {said}")
        return said

    def objects(self, namespace, kind):
        said = self.kubectl("-n", namespace, "get", kind, "-o", "json")
        return json.loads(said)["items"]

    def are_ready(self):
        nodes = self.kubectl("get", "nodes", "--no-headers")
        return nodes.count(" Ready ") == 3


class Site:
    """A site, and a clone that is pushed to it."""

    def __init__(self, cluster, folder, nyala, name, namespace, base="scratch"):
        self.cluster, self.nyala_path, self.name = cluster, nyala, name
        self.namespace, self.base = namespace, base
        self.path = os.path.join(folder, name)
        self.work = os.path.join(folder, name + "-work")
        self.kubernetes = {"context": "admin", "namespace": namespace, "replicas": 3,
                           "deadline": "5m"}
        self.health = "/health"
        # The last one that was committed, and the one that visitors get.
        self.release = self.shown = 0
        self.expect(0, self.nyala("init", self.path, "--branch", "main", site=False))
        with open(os.path.join(self.path, "nyala.toml")) as file:
            self.settings = file.read()
        self.configure()
        os.mkdir(self.work)
        self.write("requirements.txt", "gunicorn\n")
        self.write("Procfile", PROCFILE)
        for command in ("init -q -b main", "config user.email a@example.org",
                        "config user.name A", f"remote add site {self.path}/repository.git"):
            subprocess.run(["git", *command.split()], cwd=self.work, check=True)

    @staticmethod
    def expect(code, ran):
        if ran[0] != code:
            raise Wrong(f"exit code {ran[0]}, expected {code}:\n{ran[1]}")
        return ran[1]

    def configure(self, **kubernetes):
        """Writes nyala.toml with these settings of [kubernetes]; None removes one."""
        self.kubernetes.update(kubernetes)
        wanted = {key: it for key, it in self.kubernetes.items() if it is not None}
        lines = [f"{key} = {toml(it)}" for key, it in wanted.items()]
        more = [f'[image]\nrepository = "http://{REGISTRY}/{self.namespace}/{self.name}"',
                f'base = "{self.base}"', '[run]\nhealth_timeout = "3m"',
                *([f'health = "{self.health}"'] if self.health else []), "[kubernetes]", *lines]
        # Only what is no table of its own can stay as it was.
        with open(os.path.join(self.path, "nyala.toml"), "w") as file:
            file.write(self.settings.split("\n[")[0] + "\n" + "\n".join(more) + "\n")

    def write(self, name, text):
        path = os.path.join(self.work, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)

    def remove_patches(self):
        shutil.rmtree(os.path.join(self.work, "k8s"))

    def commit(self, at_import="", health="200 OK"):
        """A new release of the application."""
        self.release += 1
        self.write("app.py", APP.format(release=self.release, at_import=at_import, health=health))
        for command in (("add", "-A"), ("commit", "-q", "-m", f"Release {self.release}")):
            subprocess.run(["git", *command], cwd=self.work, check=True)

    def start_push(self, log):
        return self.cluster.inside("git", "push", "site", "main", cwd=self.work,
                                   stdout=log, stderr=subprocess.STDOUT)

    def push(self, **options):
        """What git has printed, without the words with which it marks it."""
        _, said = self.cluster.run("git", "push", "site", "main", cwd=self.work, **options)
        return re.sub(r"(?m)^remote: ?| +$", "", said)

    def must_succeed(self, said=None):
        said = said or self.push()
        if "success: deployment" not in said:
            raise Wrong(f"the push did not succeed:\n{said}")
        self.shown = self.release
        return said

    def must_fail(self, *texts, said=None, **options):
        """Pushes what cannot be rolled out: the log has all the texts."""
        live = self.live()
        said = said or self.push(**options)
        missing = [text for text in texts if text not in said]
        if missing or "success: deployment" in said:
            raise Wrong(f"not in the log: {missing}\n{said}")
        if self.live() != live:
            raise Wrong(f"{self.live()} is live, and no longer {live}:\n{said}")
        return said

    def live(self):
        try:
            return os.path.basename(os.readlink(os.path.join(self.path, "wwwroot")))
        except OSError:
            return None

    def nyala(self, *arguments, site=True, **options):
        given = ["--site", self.path] if site else []
        return self.cluster.run(self.nyala_path, *given, *arguments, **options)

    def address(self):
        service = self.cluster.kubectl("-n", self.namespace, "get", "service", self.name, "-o",
                                       "jsonpath={.spec.clusterIP}")
        return f"http://{service}/"

    def page(self):
        _, said = self.cluster.run("curl", "--silent", "--show-error", "--max-time", "10",
                                   self.address())
        return said.strip()

    def must_show(self, release, colour="None"):
        """All pods that visitors reach answer with this release. The nodes learn a little later
        than nyala which pods these are."""
        wanted = f"{release} {colour}"
        wait_for(f"the page {wanted}; it is {self.page()}",
                 lambda: {self.page() for _ in range(8)} == {wanted}, 30)

    def deployment(self):
        return json.loads(self.cluster.kubectl(
            "-n", self.namespace, "get", "deployment", f"{self.name}-web", "-o", "json"))

    def template(self):
        """What the cluster runs: a change of it would have been a change for visitors."""
        return json.dumps(self.deployment()["spec"]["template"]["spec"], sort_keys=True)


def toml(value):
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml(it)}" for key, it in value.items()) + " }"
    return json.dumps(value)


class Load:
    """Visitors with connections that they keep (wrk) and without (hey), until it is stopped."""

    def __init__(self, site, folder):
        self.files = [os.path.join(folder, it) for it in ("wrk", "hey")]
        address = site.address()
        commands = (
            ["wrk", "-t1", "-c4", "-d900s", "--timeout", "20s", address],
            ["hey", "-z", "900s", "-c", "4", "-q", "50", "-t", "20", "-disable-keepalive", address])
        self.processes = [
            site.cluster.inside(*command, stdout=open(file, "w"), stderr=subprocess.STDOUT)
            for command, file in zip(commands, self.files)]
        time.sleep(2)

    def stop(self):
        """How many requests were answered, and how many failed."""
        for process in self.processes:
            process.send_signal(signal.SIGINT)
        for process in self.processes:
            process.wait()
        wrk, hey = (open(file).read() for file in self.files)
        answered = int(re.search(r"(\d+) requests in", wrk).group(1))
        failed = sum(int(it) for line in re.findall(r"Socket errors:(.*)", wrk)
                     for it in re.findall(r"\d+", line))
        failed += sum(int(it) for it in re.findall(r"Non-2xx.*: (\d+)", wrk))
        codes, _, errors = hey.partition("Error distribution:")
        for code, count in re.findall(r"\[(\d+)\]\s+(\d+) responses", codes):
            if code == "200":
                answered += int(count)
            else:
                failed += int(count)
        failed += sum(int(it) for it in re.findall(r"\[(\d+)\]", errors))
        if answered < 500:
            raise Wrong(f"no load:\n{wrk}\n{hey}")
        return answered, failed
