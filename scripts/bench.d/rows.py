"""The rows of the table: what is done to every contestant, in turns."""
import math
import os
import platform
import random
import shutil
import subprocess
import sys
import time

import contestants
import measuring
import repositories
import tools
from measuring import run, timed

NAMES = {
    "first": "first push",
    "added": "requirement added",
    "removed": "requirement removed",
    "toggled": "runtime toggled",
    "back": "runtime toggled back",
    "changed": "one file changed",
    "rollback": "rollback",
    "uv.lock": "first push of a uv.lock",
    "poetry.lock": "first push of a poetry.lock",
    "trees": "the tree alone",
}
WITH_PIP = {"first", "added", "removed", "toggled", "back"}
LOCKS = ("uv.lock", "poetry.lock")

# How often a round adds a requirement and removes it, and how often a whole tree is written.
A_FEW = 3
# Those that take seconds where others take milliseconds are pushed to in one of so many turns.
SELDOM = 5
# Trees of more files are timed a third as often.
LARGE = 50_000
WARM_UP = 0
FLUSH = "one flush (4 KiB)"


class Bench:
    def __init__(self, disks, absent, found, given):
        self.disks, self.absent, self.tools, self.given = disks, absent, found, given
        self.dice = random.Random(given.seed)
        self.made = 0
        self.rows = []
        self.requirements = (
            repositories.FEW_REQUIREMENTS if given.quick else repositories.REQUIREMENTS)
        self.tools.caches = tools.on_file_system_of(disks[0].folder, self.tools.caches)
        measuring.CHILDREN.update(self.tools.variables())
        self.taking_part = []
        for name in given.only or contestants.ALL:
            obstacle = contestants.ALL[name].obstacle(self.tools)
            if obstacle:
                self.absent[contestants.ALL[name].label] = obstacle
            else:
                self.taking_part.append(name)
        for what, why in self.absent.items():
            print(f"{what} is left out: {why}", file=sys.stderr)

    def run(self):
        """Yields the results as far as they are there, after each part."""
        started = time.time()
        wanted = set(self.given.rows)
        for self.disk in self.disks:
            if self.disk is self.disks[0] and wanted & WITH_PIP:
                for number in range(self.given.rounds + 1):
                    warm = " (not timed)" if number == WARM_UP else ""
                    self.say(f"round {number} of {self.given.rounds}{warm}")
                    self.round(self.given.sizes[0], number, wanted)
                    yield self.results(started, wanted)
            for lock in (name for name in LOCKS if name in wanted):
                if self.disk is self.disks[0]:
                    self.say(f"first push of a {lock}")
                    self.locked(lock)
                    yield self.results(started, wanted)
            if wanted & {"changed", "rollback", "trees"}:
                for size in self.given.sizes:
                    self.say(f"one file of {size} changed")
                    measuring.REAL_TIME = self.given.real_time
                    self.changed(size, wanted)
                    measuring.REAL_TIME = False
                    yield self.results(started, wanted)

    def results(self, started, wanted):
        return {
            "rows": [row for row in self.rows if row["name"] in wanted or row["part"]],
            "absent": self.absent,
            "requirements": self.requirements,
            "pythons": [version for version, _ in self.tools.pythons],
            "machine": self.machine(),
            "minutes": (time.time() - started) / 60,
            "command": " ".join(
                ["scripts/bench", *(word for word in sys.argv[1:] if word != "--write")]),
        }

    def round(self, size, number, wanted):
        """A project from its first push to another Python. The first round fills caches and is
        watched, not timed."""
        watched = number == WARM_UP
        project = self.project(size)
        players = self.players()
        push = self.push(project)
        self.turn("first", size, players, push, watched)
        for _ in range(1 if watched else A_FEW):
            if wanted & {"added", "removed"}:
                project.add_a_requirement()
                self.turn("added", size, players, push, watched)
                # Else it would be there already the next time.
                project.remove_a_requirement()
                self.turn("removed", size, players, push, watched)
        if "pip" in players and not watched and "removed" in wanted:
            self.row("env", size, part=True).add(players["pip"].label, players["pip"].step("env"))
        if wanted & {"toggled", "back"} and len(self.tools.pythons) == 2:
            first, second = self.tools.pythons
            toggle = lambda player: player.toggle(project)  # noqa: E731
            project.ask_for_python(second[0])
            self.turn("toggled", size, players, toggle, watched)
            if "back" in wanted:
                project.ask_for_python(first[0])
                self.turn("back", size, players, toggle, watched)
                self.by_hand(project, size, players, watched)
        self.remove(project, players)

    def locked(self, lock):
        """A project with a lock of many packages, from its first push, and by hand."""
        by_hand = self.tools.uv if lock == "uv.lock" else self.tools.poetry
        if not by_hand or not self.tools.uv:
            self.absent[NAMES[lock]] = f"{lock.split('.')[0]} cannot be had from PyPI"
            return
        source = os.path.join(self.tools.locks, "uv" if lock == "uv.lock" else "poetry")
        repositories.make_lock(source, lock, by_hand, self.tools.pythons[0])
        project = repositories.LockedProject(
            self.new_folder(self.disks[-1]), source, lock, self.tools.pythons[0][0])
        for number in range(self.given.rounds + 1):
            row = self.row(lock, project.packages)
            ours = {name: contestants.ALL[name](self.new_folder(), self.tools)
                    for name in ("pip", "uv") if name in self.taking_part}
            for name in self.shuffled([*ours, lock]):
                self.settle(ours)
                if name == lock:
                    label, took = self.install_by_hand(lock, source)
                elif number == WARM_UP:
                    label, took = ours[name].label, None
                    row.watched(label, ours[name].watch(lambda: ours[name].push(project)))
                else:
                    label, took = ours[name].label, ours[name].push(project)
                if number != WARM_UP:
                    row.add(label, took)
            self.settle(ours)
            for player in ours.values():
                player.remove()
        shutil.rmtree(project.folder)

    def install_by_hand(self, lock, source):
        """A new checkout, and the one command that a person would type. Nothing in nyala's envs is
        linked to uv's cache, so uv copies here, too."""
        folder, (_, python) = self.new_folder(), self.tools.pythons[0]
        shutil.copytree(source, folder)
        if lock == "uv.lock":
            took, _ = timed((self.tools.uv, "sync", "-q", "--frozen", "--no-default-groups",
                             "--python", python), cwd=folder, UV_LINK_MODE="copy")
        else:
            # Else Poetry takes the Python that it runs in itself.
            env = os.path.join(folder, ".venv")
            took, _ = timed((python, "-m", "venv", env),
                            (self.tools.poetry, "install", "-q", "--no-root", "--only", "main"),
                            cwd=folder, VIRTUAL_ENV=env)
        shutil.rmtree(folder)
        return ("uv sync by hand" if lock == "uv.lock" else "poetry install by hand"), took

    def changed(self, size, wanted):
        """One file of so many, again and again from the second push on; rollbacks; and, beside it,
        the tree alone."""
        project = self.project(size)
        players = self.players()
        push = self.push(project)
        for player in players.values():
            player.push(project)
        # Each push of nyala's writes a whole tree when nobody waits, and that is waited for.
        times = self.given.times if size < LARGE else math.ceil(self.given.times / 3)
        for number in range(times):
            project.change_a_file()
            playing = self.playing(players, number)
            self.turn("changed", size, playing,
                      lambda player: self.push_and_look(player, project, size), watched=False)
            self.row("changed", size).add(FLUSH, self.disk.flush())
        project.change_a_file()
        self.turn("changed", size, players, push, watched=True)
        if "rollback" in wanted and size == self.given.sizes[0]:
            self.roll_back(project, size, players)
        if "trees" in wanted and self.disk is self.disks[-1]:
            self.standing_tree(project, size, players)
            self.whole_trees(size, players)
        self.remove(project, players)

    def push_and_look(self, player, project, size):
        took = player.push(project)
        ended = time.time()
        if type(player) is contestants.Nyala:
            self.row("standing", size, part=True).add(player.label, player.step("check out"))
            # The record is written right after the last line; what comes then is the hook's
            # follower and git's own end.
            since = (ended - player.newest()[1]) * 1000
            self.row("follower", size, part=True).add(player.label, since)
        return took

    def roll_back(self, project, size, players):
        def back(player):
            return player.roll_back(project)

        for number in range(self.given.times):
            playing = self.playing(players, number)
            project.change_a_file()
            for player in playing.values():
                player.push(project)
            self.turn("rollback", size, playing, back, watched=False)
            binary = timed((self.tools.nyala, "--version"))[0]
            self.row("rollback", size).add("nyala --version", binary)
            self.row("rollback", size).add(FLUSH, self.disk.flush())
        project.change_a_file()
        for player in players.values():
            player.push(project)
        self.turn("rollback", size, players, back, watched=True)

    def standing_tree(self, project, size, players):
        """What git does to a work tree in which one file changes."""
        if "empty" not in players:
            return
        standing = self.new_folder()
        os.mkdir(standing)
        self.checkout(players["empty"], standing)
        for _ in range(self.given.times):
            project.change_a_file()
            players["empty"].push(project)
            took = self.checkout(players["empty"], standing)
            self.row("standing", size, part=True).add("git checkout -f", took)

    def whole_trees(self, size, players):
        """A whole tree into an empty folder.

        Nothing is deleted in between: the kernel goes on for a while after the files are gone, and
        whoever comes next is slower.
        """
        row = self.row("export", size, part=True)
        aside = self.new_folder()
        os.mkdir(aside)
        for number in range(A_FEW + 1):
            into = os.path.join(aside, f"into{number}")
            os.mkdir(into)
            took = self.checkout(players["empty"], into) if "empty" in players else None
            if took and number:
                row.add("git checkout -f", took)
            player = players.get("pip")
            if player:
                self.settle(players)
                player.move_staging_tree(os.path.join(aside, f"staging{number}"))
                if number:
                    player.redeploy()
                    row.add(player.label, player.step("check out"))
                else:
                    row.watched(player.label, player.watch_command("redeploy"))
        self.settle(players)
        shutil.rmtree(aside)

    def checkout(self, player, into):
        """Milliseconds of `git checkout -f` into a folder; an empty one has no index yet."""
        index = f"{into}.index"
        if not os.listdir(into) and os.path.exists(index):
            os.remove(index)
        command = ("git", "--git-dir", player.repository, "--work-tree", into,
                   "checkout", "-q", "-f", "main")
        return timed(command, GIT_INDEX_FILE=index)[0]

    def by_hand(self, project, size, players, watched):
        """What nyala's new env is compared with: the two commands that a person would type.

        uv remembers what the interpreter of an env is by the env's path. A person has one path,
        each env of nyala's is new. Nothing in nyala's envs is linked to uv's cache, so uv copies
        here, too.
        """
        python = self.tools.pythons[0][1]
        same, new = os.path.join(self.disk.folder, "by-hand"), self.new_folder()
        requirements = os.path.join(project.folder, "requirements.txt")
        pip = os.path.join(same, "bin", "pip")
        ways = {"venv and pip by hand": (same, ((python, "-m", "venv", same),
                                                (pip, "install", "-r", requirements)))}
        if self.tools.uv:
            for way, env in (("uv by hand", same), ("uv by hand, at a new path", new)):
                ways[way] = (env, ((self.tools.uv, "venv", "-q", "--python", python, env),
                                   (self.tools.uv, "pip", "install", "-q", "-r", requirements)))
        for way in self.shuffled(ways):
            env, commands = ways[way]
            self.settle(players)
            took, _ = timed(*commands, VIRTUAL_ENV=env, UV_LINK_MODE="copy")
            shutil.rmtree(env)
            if not watched:
                self.row("back", size).add(way, took)

    def push(self, project):
        return lambda player: player.push(project)

    def playing(self, players, number):
        """Those whose turn it is: the slow ones seldom."""
        return {name: player for name, player in players.items()
                if number % SELDOM == 0 or not player.is_slow}

    def turn(self, name, size, players, action, watched):
        """Everybody once, in another order every time."""
        row = self.row(name, size)
        for player in self.shuffled(players):
            player = players[player]
            self.settle(players)
            if not watched:
                row.add(player.label, action(player))
            elif name == "rollback" and isinstance(player, contestants.Nyala):
                row.watched(player.label, player.watch_command("rollback"))
            else:
                row.watched(player.label, player.watch(lambda player=player: action(player)))

    def settle(self, players):
        for player in players.values():
            player.settle()
        self.disk.settle()

    def shuffled(self, names):
        names = list(names)
        self.dice.shuffle(names)
        return names

    def row(self, name, size, part=False):
        key = (name, size, self.disk.name)
        for row in self.rows:
            if (row["name"], row["size"], row["disk"]) == key:
                return Row(row)
        self.rows.append({"name": name, "size": size, "disk": self.disk.name, "part": part,
                          "times": {}, "peak": {}, "processes": {}, "flushes": {}})
        return Row(self.rows[-1])

    def project(self, size):
        version = self.tools.pythons[0][0]
        # The client's own disk is not what is measured.
        return repositories.Project(
            self.new_folder(self.disks[-1]), size, self.requirements, version)

    def players(self):
        return {name: contestants.ALL[name](self.new_folder(), self.tools)
                for name in self.taking_part}

    def remove(self, project, players):
        self.settle(players)
        shutil.rmtree(project.folder)
        for player in players.values():
            player.remove()

    def new_folder(self, disk=None):
        self.made += 1
        return os.path.join((disk or self.disk).folder, str(self.made))

    def machine(self):
        kinds = [run("df", "-T", disk.folder).splitlines()[-1].split()[1] for disk in self.disks]
        pips = [run(python, "-m", "pip", "--version") for _, python in self.tools.pythons]
        git = ["git", "describe", "--always", "--dirty"]
        nyala = subprocess.run(git, cwd=os.path.dirname(__file__), text=True, capture_output=True)
        return {
            "cores": os.cpu_count(),
            "kernel": platform.release().split("-")[0],
            "git": run("git", "--version").split()[2],
            "file systems": kinds,
            "pip": [said.split()[1] for said in pips],
            "uv": run(self.tools.uv, "--version").split()[1] if self.tools.uv else None,
            "nyala": nyala.stdout.strip(),
        }

    def say(self, what):
        disk = f", {self.disk.name}" if self.disk.name else ""
        print(f"{time.strftime('%H:%M:%S')}  {what}{disk}", file=sys.stderr, flush=True)


class Row:
    """One row of the results, which are plain dictionaries so that they can be stored."""

    def __init__(self, stored):
        self.stored = stored

    def add(self, label, milliseconds):
        self.stored["times"].setdefault(label, []).append(round(milliseconds, 2))

    def watched(self, label, seen):
        for what, value in zip(("peak", "processes", "flushes"), seen):
            self.stored[what][label] = value
