"""What scripts/test-kubernetes looks at of sites whose settings, patches or places change."""
import json
import os

from cases import case, must_be_undone
from looking import Under, claim, pushing, running
from machine import Site, Wrong, wait_for

# What every object of nyala's has.
OURS = "app.kubernetes.io/managed-by=nyala"

SICK = "503 Service Unavailable"


def names(world, namespace, kinds, selector=OURS):
    said = world.cluster.kubectl("-n", namespace, "get", kinds, "-l", selector, "-o", "name")
    return set(said.split())


def another(world, folder, **kubernetes):
    site = Site(world.cluster, world.folder, world.site.nyala_path, folder, world.site.namespace)
    site.configure(replicas=1, **kubernetes)
    return site


@case("`health` is set and removed again, and one that fails is undone")
def probes(world):
    site = another(world, "probes")
    for health in (None, "/health", None):
        site.health = health
        site.configure()
        site.commit()
        site.must_succeed()
        site.must_show(site.release)
    site.health = "/health"
    site.commit(health=SICK)
    must_be_undone(site, "503")
    world.cluster.kubectl("-n", site.namespace, "delete", "deployment", "probes-web")
    return "live each time; undone"


@case("a context with a new name, and a release that is not healthy, under load")
def renamed_context(world):
    site = world.site
    config = json.loads(world.cluster.kubectl("config", "view", "-o", "json"))
    admin = next(it["context"] for it in config["contexts"] if it["name"] == "admin")
    world.cluster.kubectl("config", "set-context", "renamed", f"--cluster={admin['cluster']}",
                          f"--user={admin['user']}")
    site.configure(context="renamed")
    with Under(world, site) as load:
        site.commit(health=SICK)
        must_be_undone(site, "503")
        site.commit()
        site.must_succeed()
        site.must_show(site.release)
        site.configure(context="admin")
        site.commit()
        site.must_succeed()
        site.must_show(site.release)
    return f"undone, and live under both names; {load}"


@case("`apply = false` for a while, and a release that is not healthy")
def not_applied(world):
    site = world.site
    live = site.shown
    site.configure(apply=False)
    site.commit()
    site.must_succeed()
    site.must_show(live)
    site.shown = live
    site.configure(apply=None)
    site.commit(health=SICK)
    must_be_undone(site, "503")
    site.commit()
    site.must_succeed()
    site.must_show(site.release)
    return "what the cluster had is there again"


@case("patches with a Secret, a ConfigMap and an autoscaler, and none of them")
def patches(world):
    site = world.site
    site.write("k8s/more.yaml", f"""apiVersion: v1
kind: Secret
metadata: {{name: registry}}
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: texts}}
---
apiVersion: autoscaling/v1
kind: HorizontalPodAutoscaler
metadata: {{name: {site.name}}}
spec:
  maxReplicas: 4
  scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, name: {site.name}-web}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {site.name}-web}}
spec: {{replicas: null}}
""")
    for _ in range(2):
        site.commit()
        site.must_succeed()
        site.must_show(site.release)
        number = site.deployment()["spec"]["replicas"]
        if number != 3:
            raise Wrong(f"{number} pods, where nobody sets a number and 3 were there")
    kinds = "secrets,configmaps,horizontalpodautoscalers"
    wanted = {"secret/registry", "configmap/texts",
              f"horizontalpodautoscaler.autoscaling/{site.name}"}
    if not wanted <= names(world, site.namespace, kinds):
        raise Wrong(f"{names(world, site.namespace, kinds)} are there")
    code, said = site.nyala("scale", "web=2")
    if code == 0 or "a patch says how many pods" not in said:
        raise Wrong(f"scale: {said}")
    Site.expect(0, site.nyala("stop"))
    wait_for("no pods", lambda: not running(world, site))
    Site.expect(0, site.nyala("start"))
    site.must_show(site.release)
    site.remove_patches()
    site.commit()
    site.must_succeed()
    left = names(world, site.namespace, kinds) & wanted
    if left != {"secret/registry"}:
        raise Wrong(f"{left} are left")
    return "the number of pods stays; what is no longer committed goes, but for the Secret"


@case("another site with the same name and other processes")
def same_name(world):
    site = world.site
    kinds = "deployments,services"
    before = names(world, site.namespace, kinds)
    other = another(world, "same", name=site.name)
    other.write("Procfile", "cron: gunicorn --bind 127.0.0.1:8001 server:app\n")
    other.commit()
    other.must_fail("which is not this site's", site.path)
    if names(world, site.namespace, kinds) != before:
        raise Wrong(f"{names(world, site.namespace, kinds)} are there, and were {before}")
    return "refused, unchanged"


@case("a site that moves to another namespace")
def moved(world):
    site = another(world, "mover")
    old, new = site.namespace, f"{site.namespace}-new"
    Site.expect(0, site.nyala("config", "set", "COLOUR=red"))
    site.commit()
    site.must_succeed()
    site.must_show(site.release, "red")
    world.cluster.kubectl("create", "namespace", new)
    selector, kinds = "app.kubernetes.io/name=mover", "deployments,services,secrets"
    before = names(world, old, kinds, selector)
    try:
        site.configure(namespace=new, deadline="1m")
        site.commit(health=SICK)
        site.must_fail("503")
        site.must_show(1, "red")
        if names(world, old, kinds, selector) != before:
            raise Wrong("a release that is not healthy has changed what was live")
        wait_for("the removal", lambda: not names(world, new, kinds, selector))
        site.namespace = new
        site.configure(deadline="5m")
        site.commit()
        site.must_succeed()
        site.must_show(site.release, "red")
        wait_for("the removal", lambda: not names(world, old, kinds, selector))
        # A pod that starts later finds its settings, too.
        world.cluster.kubectl("-n", new, "delete", "pods", "-l", selector)
        site.must_show(site.release, "red")
    finally:
        world.cluster.kubectl("delete", "namespace", new, "--wait=false")
    return "a sick release changes nothing; then it is live there, and nothing is left here"


@case("a site that gets another name")
def renamed(world):
    site = another(world, "before")
    selector, kinds = "app.kubernetes.io/name=before", "deployments,services,configmaps"
    site.write("k8s/texts.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: texts}\n"
               "data: {a: b}\n")
    site.commit()
    site.must_succeed()
    before = names(world, site.namespace, kinds, selector)
    site.configure(name="after", deadline="1m")
    site.commit(health=SICK)
    site.must_fail("503")
    if names(world, site.namespace, kinds, selector) != before:
        raise Wrong(f"{names(world, site.namespace, kinds, selector)}, and not {before}")
    site.configure(deadline="5m")
    site.commit()
    site.must_succeed()
    wait_for("the removal", lambda: not names(world, site.namespace, kinds, selector))
    selector = "app.kubernetes.io/name=after"
    found = names(world, site.namespace, kinds, selector)
    if found != {"deployment.apps/after-web", "service/after", "configmap/texts"}:
        raise Wrong(f"{found} are there")
    world.cluster.kubectl("-n", site.namespace, "delete", "deployment", "after-web")
    return "a sick release changes nothing; then all has the new name, also what a patch added"


@case("a rollback while nyala.toml cannot be read")
def unreadable(world):
    site = world.site
    before, deployment = site.shown, site.live()
    site.commit()
    site.must_succeed()
    path = os.path.join(site.path, "nyala.toml")
    with open(path, "a") as file:
        file.write("replicas = [\n")
    Site.expect(0, site.nyala("rollback", deployment))
    site.must_show(before)
    number = site.deployment()["spec"]["replicas"]
    site.configure()
    if number != 3:
        raise Wrong(f"{number} pods")
    site.shown = before
    return "the cluster has the release of before"


@case("a field that somebody takes over while a release is not healthy")
def taken_over(world):
    site = world.site
    before, live = site.template(), site.shown
    site.commit(health=SICK)
    site.configure(deadline="1m")
    said = pushing(world, "0 of 3 ready", lambda: claim(world, "person", {"replicas": 2}))
    site.configure(deadline="5m")
    site.must_fail("of 2 ready", said=said)
    wait_for("the undo", lambda: site.template() == before)
    number = site.deployment()["spec"]["replicas"]
    claim(world, "person", {})
    if number != 3:
        raise Wrong(f"{number} pods after the undo")
    site.must_show(live)
    return "undone, also what was taken over"


@case("`nyala scale` in the middle of a push")
def scale_in_push(world):
    site = world.site
    site.commit()
    found = []
    said = pushing(world, "1 of 3 ready", lambda: found.append(site.nyala("scale", "web=2")))
    site.must_succeed(said)
    Site.expect(0, found[0])
    site.must_show(site.release)
    number = site.deployment()["spec"]["replicas"]
    Site.expect(0, site.nyala("scale", "web=3"))
    if number != 2:
        raise Wrong(f"{number} pods")
    return "it waits; the new release is live, with 2 pods"
