"""More cases of scripts/test-kubernetes: how pods are replaced by others."""
import os

from cases import LONG, SHORT, case, must_be_undone
from looking import Under, pods, quote
from machine import Site, Wrong, wait_for

SICK = "503 Service Unavailable"


def uids(world, site):
    return {it["metadata"]["uid"] for it in pods(world, site)}


@case("`nyala restart` when the new pods cannot start, under load")
def sick_restart(world):
    site = world.site
    site.commit()
    site.must_succeed()
    site.must_show(site.release)
    wait_for("the end of the old pods", lambda: len(pods(world, site)) == 3)
    before, there = site.template(), uids(world, site)
    nodes = ["node1", "node2", "node3"]
    world.cluster.kubectl("cordon", *nodes)
    site.configure(deadline=SHORT)
    try:
        with Under(world, site) as load:
            said = Site.expect(1, site.nyala("restart", "web"))
    finally:
        world.cluster.kubectl("uncordon", *nodes)
        site.configure(deadline=LONG)
    if "the restart failed and is undone" not in said or "0 of 3 ready" not in said:
        raise Wrong(said)
    wait_for("the end of the new pods", lambda: uids(world, site) == there)
    if site.template() != before:
        raise Wrong("it is not undone")
    return f"undone; {load}; the log has {quote(said, r'.*Unschedulable.*')}"


class Watched:
    """`with` it, all that becomes of the pods of a site is noted."""

    def __init__(self, world, site):
        self.path = os.path.join(world.folder, "watched")
        self.command = ("kubectl", "-n", site.namespace, "get", "pods", "--watch", "--no-headers",
                        "-l", f"app.kubernetes.io/name={site.name}", "-L", "nyala/deployment")
        self.cluster = world.cluster

    def __enter__(self):
        with open(self.path, "w") as file:
            self.process = self.cluster.inside(*self.command, stdout=file)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def deployments(self):
        """Of each change, in their order, which deployment's pod it was."""
        with open(self.path) as file:
            return [int(line.split()[-1]) for line in file]


@case("the strategy `recreate`: a rollout, a release that is not healthy, and back to `rolling`")
def recreate(world):
    site = world.site
    wait_for("the end of the old pods", lambda: len(pods(world, site)) == 3)
    site.configure(strategy="recreate")
    with Watched(world, site) as watched:
        site.commit()
        site.must_succeed()
        site.must_show(site.release)
    found = watched.deployments()
    if found != sorted(found) or len(set(found)) != 2:
        raise Wrong(f"pods of both ran at once: {found}")
    site.commit(health=SICK)
    must_be_undone(site, "503")
    site.configure(strategy=None)
    site.commit()
    site.must_succeed()
    site.must_show(site.release)
    if site.deployment()["spec"]["strategy"]["type"] != "RollingUpdate":
        raise Wrong(f"the strategy is {site.deployment()['spec']['strategy']}")
    return "never two releases at once; undone; rolling again"
