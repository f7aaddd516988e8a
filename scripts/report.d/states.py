"""Makes ten sites, each in a state that its report has to tell of: states.py NYALA FOLDER.

Each is a real site of `nyala init`, with the records, the logs and the link of what is live as a
worker leaves them."""

import datetime
import json
import os
import random
import subprocess
import sys

NYALA, FOLDER = sys.argv[1:]
START = datetime.datetime(2026, 1, 5, 9, 0, tzinfo=datetime.timezone.utc)
HOSTILE = (
    "</pre></details></title></style><script>window.broken = 1; alert(1)</script>"
    "<img src=x onerror=alert(2)> \u202egnp.exe\u202c \u2066 \x1b[2J\x07 &lt;b&gt; \"'`"
)


def stamp(minutes, seconds=0.0):
    at = START + datetime.timedelta(minutes=minutes, seconds=seconds)
    return at.isoformat().replace("+00:00", "Z")


class Site:
    def __init__(self, name):
        self.path = os.path.join(FOLDER, name)
        subprocess.run([NYALA, "init", self.path], check=True, stdout=subprocess.DEVNULL)
        self.number = 0
        self.env = None
        self.minutes = 0

    def deploy(self, message, *, author="Ada Lovelace <ada@example.org>", status="succeeded",
               decision="reuse", reasons=None, python="3.12.4", install=0.0, lines=(), error=None,
               rolled_back_to=None, **more):
        self.number += 1
        number = self.number
        self.minutes += random.randint(20, 900)
        made = decision in ("create", "update")
        if status == "succeeded" and made:
            self.env = number
        seconds = {"plan": 0.01, "check out": 0.02, "env": 3.1 if decision == "create" else 0.1,
                   "install": install, "collectstatic": 0.4, "start": 0.3, "activate": 0.01}
        steps = [{"name": name, "seconds": took} for name, took in seconds.items()]
        total = sum(seconds.values())
        went_live = status == "succeeded"
        if isinstance(error, str):
            error = {"fact": error, "found": [], "fixes": []}
        text = error and "\n".join([error["fact"], *error["found"], *error["fixes"]])
        env = self.env if went_live else None
        record = {
            "id": number, "status": status, "commit": f"{number:07x}".ljust(40, "c"),
            "tree": None, "message": message, "author": author,
            "trigger": "rollback" if rolled_back_to else "push", "refname": "refs/heads/main",
            "old_oid": "0" * 40, "new_oid": "c" * 40,
            "python": {"version": python, "wanted": python[:4], "origin": "runtime.txt"},
            "env": {"id": env, "decision": decision, "reasons": reasons or
                    ["Python, requirements, and settings have not changed since it was made"]},
            "steps": steps, "error": text, "error_parts": error,
            "superseded_by": None, "rolled_back_to": rolled_back_to,
            "activated_at": stamp(self.minutes, total) if went_live else None,
            "created_at": stamp(self.minutes), "started_at": stamp(self.minutes),
            "ended_at": stamp(self.minutes, total), **more,
        }
        end = (f"success: deployment {number} is live" if went_live
               else f"error: deployment {number} failed: {error and error['fact']}")
        log = [f"       Deployment {number}: {message}", "-----> Plan ",
               f"       Python {python} (runtime.txt asks for {python[:4]})",
               f"       Environment: {decision}, because", "       Done in 0.01 s. ",
               "-----> Check out 1a2b3c4 ", "       214 files, 31 folders, 1.2 MB ",
               "       Done in 0.02 s. "]
        if made:
            log += ["-----> Pip install requirements.", "       Collecting flask==3.0.3",
                    *(f"       {line}" for line in lines)]
        else:
            log += ["       Found compatible virtual environment.",
                    *(f"       {line}" for line in lines)]
        if went_live:
            log += ["       Done in 2.10 s.", "-----> Activate ",
                    f"       wwwroot -> releases/{number} ", "       Done in 0.00 s. "]
        elif error:
            log += ["error: " + text.replace("\n", "\n       ")]
        folder = os.path.join(self.path, "deployments", str(number))
        os.makedirs(folder)
        with open(os.path.join(folder, "deployment.json"), "w") as file:
            json.dump(record, file)
        with open(os.path.join(folder, "log.txt"), "w") as file:
            file.write("\n".join([*log, end]) + "\n")
        if went_live:
            self.make_live(rolled_back_to or number)

    def make_live(self, release):
        os.makedirs(os.path.join(self.path, "releases", str(release)), exist_ok=True)
        link = os.path.join(self.path, "wwwroot")
        if os.path.islink(link):
            os.unlink(link)
        os.symlink(f"releases/{release}", link)


PIP_FACT = "the requirements could not be installed: flask has no version 99.1"
PIP_FOUND = ("output: ERROR: Could not find a version that satisfies the requirement flask==99.1 "
             "(from versions: …, 3.1.1, 3.1.2, 3.1.3)\n"
             "ERROR: No matching distribution found for flask==99.1")
PIP_FIX = "Correct line 1 of requirements.txt, commit, and push again: the newest is 3.1.3"
PIP_ERROR = {"fact": PIP_FACT, "found": [PIP_FOUND], "fixes": [PIP_FIX]}


def first(site):
    reasons = ["there is no environment yet"]
    site.deploy("Say hello", decision="create", reasons=reasons, install=8.2)


def ordinary(site, count):
    """Weeks of work: mostly small changes, a few requirements, a toggle, a failure."""
    first(site)
    words = ["Fix", "Show", "Move", "Cache", "Translate", "Test", "Remove", "Speed up"]
    things = ["the cart", "prices", "the search", "invoices", "the header", "old photos"]
    people = ["Ada Lovelace <ada@example.org>", "Grace Hopper <grace@example.org>"]
    for number in range(2, count + 1):
        message = f"{random.choice(words)} {random.choice(things)}"
        kind = random.random()
        author = random.choice(people)
        if kind < 0.12:
            site.deploy(message, author=author, decision="update", install=random.uniform(1, 6),
                        reasons=[f"package{number} was added (requirements.txt line 4)"])
        elif kind < 0.15:
            python = random.choice(["3.11.9", "3.12.4", "3.13.0"])
            site.deploy("Toggle the Python", author=author, decision="create", python=python,
                        install=random.uniform(6, 14), reasons=[
                            f"env {site.env} has Python 3.10.2, but runtime.txt asks for 3.12"])
        elif kind < 0.19:
            site.deploy(message, author=author, status="failed", decision="update",
                        install=1.1, error=PIP_ERROR,
                        reasons=["flask==99.1 was added (requirements.txt line 1)"])
        else:
            site.deploy(message, author=author)


def main():
    random.seed(16)
    Site("1-nothing-yet")
    first(Site("2-first"))

    failed = Site("3-failed")
    first(failed)
    failed.deploy("Require a newer Flask", status="failed", decision="update", error=PIP_ERROR,
                  install=1.3, reasons=["flask==99.1 was added (requirements.txt line 1)"],
                  lines=["Requirement already satisfied: click", *PIP_FOUND.splitlines()])

    back = Site("4-rolled-back")
    ordinary(back, 6)
    back.deploy("Show prices", rolled_back_to=1, reasons=["release 1 is live again"])

    other = Site("5-superseded-and-interrupted")
    ordinary(other, 3)
    other.deploy("Overtaken", status="superseded", superseded_by=5, error="superseded")
    other.deploy("Killed", status="interrupted", error="the worker was killed")
    other.deploy("Running now", status="building", ended_at=None)

    ordinary(Site("6-five-hundred"), 500)

    long = Site("7-long-words")
    first(long)
    long.deploy("Donaudampfschifffahrtselektrizitätenhauptbetriebswerk" * 8, author="x" * 200,
                reasons=["y" * 900], lines=["z" * 1_000_000, "word " * 20_000])

    rtl = Site("8-right-to-left")
    first(rtl)
    rtl.deploy("إصلاح سلة التسوق (fix #12)", author="مريم ميرزاخاني <maryam@example.org>")
    rtl.deploy("תיקון המחירים", author="עדה יונת <ada@example.org>")
    rtl.deploy("修复购物车 🛒", author="屠呦呦 <tu@example.org>")

    hostile = Site("9-hostile")
    first(hostile)
    hostile.deploy(HOSTILE, author=f"{HOSTILE} <x@example.org>", reasons=[HOSTILE],
                   lines=[HOSTILE, f"-----> {HOSTILE}", "error: " + HOSTILE, "\x00\x08\r over"])
    hostile.deploy(HOSTILE, status="failed", error=HOSTILE, refname=f"refs/heads/{HOSTILE}")

    toggled = Site("10-toggled")
    first(toggled)
    for number in range(30):
        python = ["3.11.9", "3.12.4"][number % 2]
        toggled.deploy(f"Toggle {number}", decision="create", python=python, install=9.0, reasons=[
            f"env {toggled.env} has Python 3.13.0, but runtime.txt asks for {python[:4]}"])
        toggled.deploy("Change a page", python=python)


main()
