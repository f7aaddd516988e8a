"""What scripts/test-kubernetes looks at. Each case is a function of its name in the table; it gives
what was found, or raises."""
import json
import os
import re
import time

from looking import (Under, claim, is_ending, kill_worker, only_of_live, pods, pushing, quote,
                     running, says, seconds_of, site_deployments)
from machine import REGISTRY, Site, Wrong, wait_for

CASES = []

# How long a rollout may take: one that cannot become ready, and one that does.
SHORT, LONG = "1m", "5m"

# How many seconds a pod goes on after it is taken out of the Service.
LINGER = 5


def case(name):
    def add(function):
        CASES.append((name, function))
        return function
    return add


@case("a first push to an empty namespace")
def first(world):
    site = world.site
    site.commit()
    site.must_succeed()
    site.must_show(1)
    image = site.deployment()["spec"]["template"]["spec"]["containers"][0]["image"]
    if not re.fullmatch(rf"{REGISTRY}/\S+@sha256:[0-9a-f]{{64}}", image):
        raise Wrong(f"the image is {image}")
    return "live, with its image by digest"


@case("a Debian as the base, with its own Python")
def debian(world):
    base = f"http://{REGISTRY}/debian:12"
    site = Site(world.cluster, world.folder, world.site.nyala_path, "debian",
                world.site.namespace, base)
    site.write("runtime.txt", "python-3.11\n")
    site.commit()
    said = site.must_succeed()
    site.must_show(1)
    world.cluster.kubectl("-n", site.namespace, "delete", "deployment", "debian-web")
    return f"live; the log has {quote(said, r'The base has Python.*')}"


@case("five rollouts under load")
def five(world):
    with Under(world, world.site) as load:
        for _ in range(5):
            world.site.commit()
            world.site.must_succeed()
            world.site.must_show(world.site.release)
    return str(load)


@case("control: the same without `preStop`")
def control(world):
    site, name = world.site, f"deployment/{world.site.name}-web"
    of = ("-n", site.namespace)
    patch = [{"op": "remove", "path": "/spec/template/spec/containers/0/lifecycle"}]
    world.cluster.kubectl(*of, "patch", name, "--type=json", "-p", json.dumps(patch))
    world.cluster.kubectl(*of, "rollout", "status", name, "--timeout=120s")
    with Under(world, site) as load:
        load.may_fail = True
        for _ in range(5):
            world.cluster.kubectl(*of, "rollout", "restart", name)
            world.cluster.kubectl(*of, "rollout", "status", name, "--timeout=120s")
    if load.failed == 0:
        raise Wrong(f"nothing failed: {load}")
    site.commit()
    site.must_succeed()
    if '"preStop"' not in site.template():
        raise Wrong("the next push does not put it back")
    # Those without it lose requests until they have ended, which is not the next case's.
    wait_for("the end of the old pods", lambda: not any(map(is_ending, pods(world, site))))
    return f"{load}, as it should; the next push puts it back"


@case("a release that is not healthy, under load")
def sick(world):
    site = world.site
    before, live = site.template(), site.shown
    site.commit(health="503 Service Unavailable")
    site.configure(deadline=SHORT)
    with Under(world, site) as load:
        said = site.must_fail("0 of 3 ready", "503")
        site.configure(deadline=LONG)
        wait_for("the undo", lambda: site.template() == before)
        site.must_show(live)
    return f"{load}; undone; the log has the pod and {quote(said, r'.*statuscode: 503.*')}"


def must_be_undone(site, *texts):
    """Pushes what cannot get ready, with little patience. Gives what git has printed."""
    before, live = site.template(), site.shown
    site.configure(deadline=SHORT)
    try:
        said = site.must_fail(*texts)
    finally:
        site.configure(deadline=LONG)
    if site.template() != before:
        raise Wrong("it is not undone")
    site.must_show(live)
    return said


@case("a release that fails at its import")
def crash(world):
    site = world.site
    site.commit(at_import="raise RuntimeError('no such thing')")
    said = must_be_undone(site, "RuntimeError: no such thing", "exited with")
    return f"undone; the log has the traceback and {quote(said, r'.*exited with.*')}"


@case("an image that cannot be pulled")
def no_image(world):
    site = world.site
    site.write("k8s/image.yaml", f"""apiVersion: apps/v1
kind: Deployment
metadata: {{name: {site.name}-web}}
spec:
  template:
    spec:
      containers:
      - {{name: web, image: "{REGISTRY}/nothing@sha256:{'0' * 64}"}}
""")
    site.commit()
    try:
        said = must_be_undone(site, "ImagePull")
    finally:
        site.remove_patches()
    return f"undone; the log has {quote(said, r'.*(?:ErrImagePull|ImagePullBackOff).*')}"


@case("a cluster out of room")
def no_room(world):
    site = world.site
    site.configure(resources={"requests": {"cpu": "100"}})
    site.commit()
    try:
        said = must_be_undone(site, "Insufficient cpu")
    finally:
        site.configure(resources=None)
    return f"undone; the log has {quote(said, r'.*Insufficient cpu.*')}"


@case("a node that dies in the middle of a rollout, under load")
def dead_node(world):
    site = world.site
    site.commit()
    with Under(world, site) as load:
        # What it was answering is lost with it, and the cluster notices after a while.
        load.may_fail = True
        said = pushing(world, "1 of 3 ready", lambda: world.cluster.script("kill", "node3"))
        site.must_succeed(said)
        site.must_show(site.release)
    world.cluster.script("start", "node3")
    wait_for("all nodes", world.cluster.are_ready)
    return f"live on the two others; {load} with the node"


def outage(world):
    """Pushes while the API server is away for eight seconds in the middle of it."""
    site = world.site

    def away():
        world.cluster.script("kill", "apiserver")
        time.sleep(8)
        world.cluster.script("start", "apiserver")

    site.commit()
    said = site.must_succeed(pushing(world, "1 of 3 ready", away))
    site.must_show(site.release)
    return quote(said, r".*answers again.*")


@case("an API server that goes away in a rollout and comes back, under load")
def no_server(world):
    with Under(world, world.site) as load:
        # While it is away, the nodes do not learn which pods end.
        load.may_fail = True
        found = outage(world)
    return f"live; {load}; the log has {found}"


@case("the same with a `preStop` that is longer than it is away")
def no_server_for_long(world):
    site = world.site
    container = site.deployment()["spec"]["template"]["spec"]["containers"][0]
    command = container["lifecycle"]["preStop"]["exec"]["command"]
    longer = json.dumps([it.replace(str(LINGER), "40") for it in command])
    if longer == json.dumps(command):
        raise Wrong(f"no {LINGER} in {command}")
    site.write("k8s/longer.yaml", f"""apiVersion: apps/v1
kind: Deployment
metadata: {{name: {site.name}-web}}
spec:
  template:
    spec:
      terminationGracePeriodSeconds: 120
      containers:
      - {{name: web, lifecycle: {{preStop: {{exec: {{command: {longer}}}}}}}}}
""")
    site.commit()
    site.must_succeed()
    with Under(world, site) as load:
        outage(world)
    site.remove_patches()
    return f"live; {load}"


@case("an API server that is away before the push")
def no_server_at_all(world):
    site = world.site
    live = site.shown
    site.commit()
    world.cluster.script("kill", "apiserver")
    try:
        took = seconds_of(lambda: site.must_fail("the API server of the cluster does not answer"))
    finally:
        world.cluster.script("start", "apiserver")
    site.must_show(live)
    return f"refused after {took:.0f} s, unchanged"


@case("two pushes at once")
def two_pushes(world):
    site, logs = world.site, [os.path.join(world.folder, f"push-{it}") for it in (1, 2)]
    pushes = []
    with Under(world, site) as load:
        for path in logs:
            site.commit()
            with open(path, "w") as log:
                pushes.append(site.start_push(log))
            recorded = f"deployments/{len(site_deployments(site)) + 1}"
            wait_for("the deployment", lambda: os.path.exists(os.path.join(site.path, recorded))
                     or pushes[-1].poll() is not None)
        for push in pushes:
            push.wait()
        site.must_show(site.release)
    if "success: deployment" not in open(logs[1]).read():
        raise Wrong(open(logs[1]).read())
    return f"the newest is live; {load}"


@case("a rollback to an earlier release and its settings, under load")
def rollback(world):
    site = world.site
    site.commit()
    Site.expect(0, site.nyala("config", "set", "COLOUR=red"))
    site.must_succeed()
    site.must_show(site.release, "red")
    red, deployment = site.release, site.live()
    Site.expect(0, site.nyala("config", "set", "COLOUR=blue"))
    site.commit()
    site.must_succeed()
    site.must_show(site.release, "blue")
    with Under(world, site) as load:
        took = seconds_of(lambda: Site.expect(0, site.nyala("rollback", deployment)))
        site.must_show(red, "red")
    site.commit()
    site.must_succeed()
    site.must_show(site.release, "blue")
    # The next case finds no colour.
    Site.expect(0, site.nyala("config", "unset", "COLOUR"))
    site.commit()
    site.must_succeed()
    return f"{took:.0f} s; {load}"


@case("a worker killed in the middle of a rollout, and the next push")
def killed(world):
    site = world.site
    found = []
    for when in ("Roll out", "1 of 3 ready"):
        site.commit()
        pushing(world, when, lambda: kill_worker(site))
        if site.live() == str(len(site_deployments(site))):
            raise Wrong("it went live")
        site.commit()
        site.must_succeed()
        site.must_show(site.release)
        found.append(f"“{when}”")
    wait_for("no pods of others", lambda: only_of_live(world, site))
    return f"killed after {', '.join(found)}: the next push is live, nothing is left"


@case("a worker killed, and no next push but `nyala redeploy`")
def killed_sick(world):
    site = world.site
    live = site.shown
    site.commit(health="503 Service Unavailable")
    pushing(world, "0 of 3 ready", lambda: kill_worker(site))
    site.must_show(live)
    Site.expect(0, site.nyala("redeploy", site.live()))
    site.must_show(live)
    wait_for("no pods of others", lambda: only_of_live(world, site))
    return "what was live is rolled out, nothing is left"


@case("what is not there: kubectl, a context, a namespace, a right; another site's name")
def not_there(world):
    site = world.site
    live, before = site.shown, site.template()
    site.commit()
    without = {**world.cluster.environment, "PATH": world.without_kubectl}
    site.must_fail("there is no kubectl on this machine", env=without)
    tries = (({"context": "nowhere"}, "has no context nowhere"),
             ({"namespace": "nowhere"}, "has no namespace nowhere"),
             ({"context": "developer"}, "refuses it"))
    normal = dict(site.kubernetes)
    for change, text in tries:
        site.configure(**change)
        site.commit()
        text = ("the user of the kubeconfig",) if text == "refuses it" else (text,)
        site.must_fail(*text)
        site.configure(**normal)
    other = Site(world.cluster, world.folder, site.nyala_path, "other", site.namespace)
    other.configure(name=site.name)
    other.commit()
    other.must_fail("which is not this site's", site.path)
    if site.template() != before:
        raise Wrong("the cluster was changed")
    site.must_show(live)
    return "five clear errors, unchanged"


@case("a field that somebody else manages")
def conflict(world):
    site = world.site
    live = site.shown
    claim(world, "autoscaler", {"replicas": 2})
    site.commit()
    said = site.must_fail("autoscaler", "replicas")
    site.must_show(live)
    # The autoscaler gives it back.
    claim(world, "autoscaler", {})
    return f"refused, unchanged; the log has {quote(said, r'.*autoscaler.*')}"


@case("a release command that fails")
def release_command(world):
    site = world.site
    live = site.live()
    procfile = open(os.path.join(site.work, "Procfile")).read()
    site.write("Procfile", procfile + "release: python3 -c \"exit('no database')\"\n")
    shown = site.page()
    site.commit()
    site.must_fail("no database")
    site.write("Procfile", procfile)
    if (site.page(), site.live()) != (shown, live):
        raise Wrong(f"the page is {site.page()}")
    return "failed with its output, unchanged"


@case("a worker killed in its release command, which goes on, and the next push")
def killed_in_release_command(world):
    site = world.site
    procfile = open(os.path.join(site.work, "Procfile")).read()
    goes_on = "import signal, time; signal.signal(15, lambda *_: None)\n"
    goes_on += "print('migration begins', flush=True); time.sleep(60)"
    site.write("migrate.py", goes_on)
    site.write("Procfile", procfile + "release: python3 migrate.py\n")
    site.commit()
    pushing(world, "migration begins", lambda: kill_worker(site))
    site.write("migrate.py", "print('migration of the next')")
    site.commit()
    said = site.must_succeed()
    waits = "Waiting for the release command of an earlier deployment."
    if not 0 < said.find(waits) < said.find("migration of the next"):
        raise Wrong(f"it was not waited for:\n{said}")
    site.must_show(site.release)
    site.write("Procfile", procfile)
    return "it is waited for; the next push is live"


@case("`status`, `ps`, `logs`, `run`, `scale`, `restart`, `stop`, `start`")
def commands(world):
    site = world.site
    site.commit()
    site.must_succeed()
    Site.expect(0, site.nyala("status"))
    says(site.nyala("ps"), "web")
    says(site.nyala("logs"), "Listening at")
    says(site.nyala("run", "--", "python3", "-c", "import app; print('release', app.RELEASE)"),
         f"release {site.release}")
    Site.expect(3, site.nyala("run", "--", "python3", "-c", "raise SystemExit(3)"))
    with Under(world, site) as load:
        Site.expect(0, site.nyala("scale", "web=2"))
        Site.expect(0, site.nyala("restart"))
    count = len(running(world, site))
    if site.deployment()["spec"]["replicas"] != 2:
        raise Wrong(f"{count} pods after scale web=2")
    site.commit()
    site.must_succeed()
    if site.deployment()["spec"]["replicas"] != 2:
        raise Wrong("a push does not keep what was scaled")
    Site.expect(0, site.nyala("stop"))
    wait_for("no pods", lambda: not running(world, site))
    Site.expect(0, site.nyala("start"))
    wait_for("the page", lambda: site.page().startswith(f"{site.release} "))
    return f"as on one machine; {load}"
