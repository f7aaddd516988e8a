"""Those that are pushed to. Each is a bare repository with a hook, as its documentation or its
users have it."""
import fcntl
import glob
import json
import os
import shutil

from measuring import run, script, timed, watched, watched_by

# What a hook prints when it has come to its end.
DONE = "done: deployed"

PRELUDE = """#!/bin/bash
set -e
read -r old new ref
unset GIT_DIR GIT_QUARANTINE_PATH
SITE={site}
REPOSITORY=$SITE/repository.git
# The interpreter that runtime.txt asks for.
python() {{ case $(cat "$1/runtime.txt") in {pythons} esac; }}
"""

# What KuduScript's template for Python does: sync, choose the Python, keep the env when its marker
# is of that one, pip.
KUDU = """
git --git-dir="$REPOSITORY" --work-tree="$SITE/source" checkout -qf main
: >> "$SITE/manifest"
{kudusync} -v 50 -f "$SITE/source" -t "$SITE/wwwroot" -n "$SITE/manifest.new" -p "$SITE/manifest" \\
    -i ".git;.hg;.deployment;deploy.sh"
mv "$SITE/manifest.new" "$SITE/manifest"
cd "$SITE/wwwroot"
PYTHON=$(python "$SITE/source")
VERSION=$(sed 's/^python-//' runtime.txt)
if [ -e "env/azure.env.python-$VERSION.txt" ]; then
    echo "Found compatible virtual environment."
else
    if [ -e env ]; then
        echo "Deleting incompatible virtual environment."
        rm -rf env
    fi
    echo "Creating python-$VERSION virtual environment."
    "$PYTHON" -m venv env
    : > "env/azure.env.python-$VERSION.txt"
fi
echo "Pip install requirements."
env/bin/pip install -r requirements.txt
"""

PIKU = """
[ -e "$SITE/app/.git" ] || git clone --quiet "$REPOSITORY" "$SITE/app"
cd "$SITE/app"
git fetch --quiet
git reset --hard "$new"
first=
if [ ! -e "$SITE/env/bin/activate" ]; then
    {virtualenv} --python="$(python .)" "$SITE/env"
    first=1
fi
. "$SITE/env/bin/activate"
if [ -n "$first" ] || [ requirements.txt -nt "$SITE/env" ]; then
    pip install -r requirements.txt
fi
"""


class Contestant:
    """A place to push to, in a folder of its own."""

    label = ""
    # Its env is deleted by hand when another Python is wanted; `None` where the hook sees to it.
    env = None
    hook = None
    # Each push takes it most of a second or more.
    is_slow = False
    done = f"remote: {DONE}"

    def __init__(self, folder, tools):
        self.site, self.tools = folder, tools
        self.repository = os.path.join(folder, "repository.git")
        self.make()

    @classmethod
    def obstacle(cls, tools):
        """Why it cannot take part; None when it can."""
        return None

    def make(self):
        run("git", "init", "-q", "--bare", "-b", "main", self.repository)
        for name in ("source", "wwwroot"):
            os.makedirs(os.path.join(self.site, name))
        script(os.path.join(self.repository, "hooks", "post-receive"), self.hook_text())

    def hook_text(self):
        pythons = " ".join(
            f"python-{version}) echo {path} ;;" for version, path in self.tools.pythons)
        steps = self.hook.format(kudusync=self.tools.kudusync, virtualenv=self.tools.virtualenv)
        return PRELUDE.format(site=self.site, pythons=pythons) + steps + f"echo {DONE}\n"

    def push(self, project, commit="HEAD"):
        """Milliseconds from the start of `git push` to its end."""
        command = ("git", "-C", project.folder, "push", "--force", self.repository,
                   f"{commit}:refs/heads/main")
        took, said = timed(command)
        self.check(said)
        return took

    def check(self, said):
        """Ends the run when what the push said is no success: git does not mind how a hook ends."""
        if self.done not in said:
            raise SystemExit(f"error: {self.label} did not deploy:\n{said}")

    def toggle(self, project):
        """A push after which another Python is to be there, with what has to be done by hand."""
        if not self.env:
            return self.push(project)
        return timed(("rm", "-rf", os.path.join(self.site, self.env)))[0] + self.push(project)

    def roll_back(self, project):
        return self.push(project, "HEAD~1")

    def settle(self):
        """Waits for what goes on when the push has ended, so that it is in nobody's way."""

    def watch(self, action):
        """Does something untimed, and says what `watched_by` says of the server's side."""
        report = os.path.join(self.site, "watched")
        hook = os.path.join(self.repository, "hooks", "post-receive")
        with watched(hook, None, self.tools.strace, report):
            action()
        return watched_by(report)

    def remove(self):
        shutil.rmtree(self.site)


class Empty(Contestant):
    label = "an empty hook"

    def hook_text(self):
        return f"#!/bin/sh\necho {DONE}\n"


class Kudu(Contestant):
    label = "Kudu's steps"
    hook = KUDU
    is_slow = True

    @classmethod
    def obstacle(cls, tools):
        is_there = tools.kudusync and shutil.which("node")
        return None if is_there else "kudusync cannot be had from npm"


class Piku(Contestant):
    label = "piku's way"
    hook = PIKU
    env = "env"

    @classmethod
    def obstacle(cls, tools):
        return None if tools.virtualenv else "virtualenv cannot be had from PyPI"


class Nyala(Contestant):
    label = "nyala, pip"
    installer = "pip"
    done = "success: "

    def make(self):
        run(self.tools.nyala, "init", self.site, "--installer", self.installer)

    @classmethod
    def obstacle(cls, tools):
        return None

    def roll_back(self, project):
        took, said = timed((self.tools.nyala, "rollback", "--site", self.site))
        self.check(said)
        return took

    def settle(self):
        # A worker has its log locked until it ends.
        for log in glob.glob(os.path.join(self.site, "deployments", "*", "log.txt")):
            with open(log) as file:
                fcntl.flock(file, fcntl.LOCK_SH)

    def redeploy(self):
        run(self.tools.nyala, "redeploy", "--site", self.site)

    def watch_command(self, *words):
        """`watch` for a command of nyala's."""
        file, report = os.path.join(self.site, "command"), os.path.join(self.site, "watched")
        command = [self.tools.nyala, *words, "--site", self.site]
        with watched(file, command, self.tools.strace, report):
            run(file)
        return watched_by(report)

    def move_staging_tree(self, aside):
        """The next deployment writes its whole tree."""
        staging = os.path.join(self.site, "releases", ".staging")
        if os.path.isdir(staging):
            os.rename(staging, aside)

    def newest(self):
        """The record of the last deployment, and when it was written (in seconds since 1970)."""
        folder = os.path.join(self.site, "deployments")
        last = max(int(name) for name in os.listdir(folder) if name.isdigit())
        path = os.path.join(folder, str(last), "deployment.json")
        with open(path) as file:
            # Its last change is the rename that put it there.
            return json.load(file), os.stat(path).st_ctime

    def step(self, name):
        """Milliseconds that a step of the last deployment took."""
        record, _ = self.newest()
        steps = (step for step in record["steps"] if step["name"] == name)
        return sum(step["seconds"] * 1000 for step in steps)


class NyalaUv(Nyala):
    label = "nyala, uv"
    installer = "uv"

    @classmethod
    def obstacle(cls, tools):
        if not tools.uv:
            return "uv cannot be had from PyPI"
        folder = os.path.join(tools.caches, "tried")
        init = '"$0" init "$1" --installer uv 2>&1 || echo refused'
        said = run("sh", "-c", init, tools.nyala, folder)
        shutil.rmtree(folder, ignore_errors=True)
        return "this nyala does not work with that uv" if "refused" in said else None


ALL = {"empty": Empty, "kudu": Kudu, "piku": Piku, "pip": Nyala, "uv": NyalaUv}
