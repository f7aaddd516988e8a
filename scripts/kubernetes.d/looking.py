"""What the cases of scripts/test-kubernetes do and look at in common."""
import json
import os
import re
import signal
import time

from machine import Load, Site, Wrong, wait_for


class Under:
    """`with` it, visitors come all the time."""

    def __init__(self, world, site):
        self.world, self.site = world, site

    def __enter__(self):
        self.load = Load(self.site, self.world.folder)
        return self

    def __exit__(self, kind, *_):
        self.answered, self.failed = self.load.stop()
        if kind is None and self.failed and not getattr(self, "may_fail", False):
            raise Wrong(f"{self.failed} requests failed, {self.answered} were answered")

    def __str__(self):
        return f"{self.answered} requests answered, {self.failed} failed"


def seconds_of(act):
    start = time.monotonic()
    act()
    return time.monotonic() - start


def says(ran, text):
    if text not in Site.expect(0, ran):
        raise Wrong(f"no {text!r} in:\n{ran[1]}")


def quote(said, pattern):
    """The first line that fits, without the name of a pod."""
    found = re.search(pattern, said)
    if not found:
        return "no such line"
    line = re.sub(r"^(found: )?(pod \S+: )?", "", found.group(0).strip()).replace("|", "\\|")
    return f"“{line[:97]}…”" if len(line) > 100 else f"“{line}”"


def pushing(world, text, act):
    """Pushes, acts once the log has a text, and gives what git has printed in the end."""
    path = os.path.join(world.folder, "push")
    with open(path, "w") as log:
        push = world.site.start_push(log)
    wait_for(f"“{text}”", lambda: text in open(path).read() or push.poll() is not None)
    if text not in open(path).read():
        raise Wrong(f"no “{text}” in:\n{open(path).read()}")
    act()
    push.wait()
    return re.sub(r"(?m)^remote: ?| +$", "", open(path).read())


def kill_worker(site):
    """Kills the process that deploys, by its argument that names the site."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline") as file:
                words = file.read().split("\0")
        except OSError:
            continue
        if "worker" in words and any(site.path in word for word in words):
            os.kill(int(pid), signal.SIGKILL)
            return
    raise Wrong("there is no worker")


def site_deployments(site):
    return [it for it in os.listdir(os.path.join(site.path, "deployments")) if it.isdigit()]


def pods(world, site):
    selector = f"app.kubernetes.io/name={site.name}"
    said = world.cluster.kubectl("-n", site.namespace, "get", "pods", "-l", selector, "-o", "json")
    return json.loads(said)["items"]


def is_ending(pod):
    return "deletionTimestamp" in pod["metadata"]


def running(world, site):
    return [it for it in pods(world, site)
            if not is_ending(it) and it["status"]["phase"] == "Running"]


def only_of_live(world, site):
    found = {it["metadata"]["labels"].get("nyala/deployment") for it in running(world, site)}
    return found == {site.live()} and len(running(world, site)) == 3


def claim(world, manager, spec):
    """Has somebody manage these fields of the Deployment of web, and no others."""
    site = world.site
    # A part of an object is all that is claimed.
    claimed = {"apiVersion": "apps/v1", "kind": "Deployment", "spec": spec,
               "metadata": {"name": f"{site.name}-web", "namespace": site.namespace}}
    path = os.path.join(world.folder, "claim.json")
    with open(path, "w") as file:
        json.dump(claimed, file)
    world.cluster.kubectl("apply", "--server-side", "--force-conflicts", "--validate=false", "-f",
                          path, f"--field-manager={manager}")
