"""The rows of the table: what is done to every contestant, in turns."""
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
from measuring import run, timed

NAMES = {
    "first": "first push",
    "added": "requirement added",
    "removed": "requirement removed",
    "rollback": "rollback",
    "toggled": "runtime toggled",
    "back": "runtime toggled back",
    "changed": "one file changed",
    "trees": "the tree alone",
}

# Pushes before the first that is timed: from then on nyala brings the release that clean-up has removed forward.
SETTLING = 5
# How often a round rolls back and writes a whole tree, at most.
A_FEW = 3
WARM_UP = 0


class Bench:
    def __init__(self, folder, tools, given):
        self.folder, self.tools, self.given = folder, tools, given
        self.dice = random.Random(given.seed)
        self.made = 0
        self.rows = []
        self.requirements = repositories.FEW_REQUIREMENTS if given.quick else repositories.REQUIREMENTS
        measuring.CHILDREN.update(tools.variables())
        self.absent = {}
        self.taking_part = []
        for name in given.only or contestants.ALL:
            obstacle = contestants.ALL[name].obstacle(tools)
            if obstacle:
                self.absent[contestants.ALL[name].label] = obstacle
                print(f"{contestants.ALL[name].label} is left out: {obstacle}", file=sys.stderr)
            else:
                self.taking_part.append(name)

    def run(self):
        started = time.time()
        wanted = set(self.given.rows)
        if wanted - {"changed", "trees"}:
            for number in range(self.given.rounds + 1):
                self.say(f"round {number} of {self.given.rounds}" + (" (not timed)" if number == WARM_UP else ""))
                self.round(self.given.sizes[0], number, wanted)
        if wanted & {"changed", "trees"}:
            for size in self.given.sizes:
                self.say(f"one file of {size} changed")
                self.changed(size, wanted)
        return {
            "rows": [row for row in self.rows if row["name"] in wanted or row["part"]],
            "absent": self.absent,
            "requirements": self.requirements,
            "pythons": [version for version, _ in self.tools.pythons],
            "machine": self.machine(),
            "minutes": (time.time() - started) / 60,
            "command": " ".join(["scripts/bench", *(word for word in sys.argv[1:] if word != "--write")]),
        }

    def round(self, size, number, wanted):
        """A project from its first push to another Python. The first round fills caches and is watched, not timed."""
        watched = number == WARM_UP
        project = self.project(size)
        players = self.players()
        self.turn("first", size, players, lambda player: player.push(project), watched)
        if "added" in wanted or "removed" in wanted:
            project.add_a_requirement()
            self.turn("added", size, players, lambda player: player.push(project), watched)
        if "removed" in wanted:
            project.remove_a_requirement()
            self.turn("removed", size, players, lambda player: player.push(project), watched)
            if "pip" in players and not watched:
                self.row("env", size, part=True).add(players["pip"].label, players["pip"].step("env"))
        if "rollback" in wanted:
            for _ in range(1 if watched else A_FEW):
                project.change_a_file()
                for player in players.values():
                    player.push(project)
                self.turn("rollback", size, players, lambda player: player.roll_back(project), watched)
                if not watched:
                    self.row("rollback", size).add("nyala --version", timed((self.tools.nyala, "--version"))[0])
        if wanted & {"toggled", "back"} and len(self.tools.pythons) == 2:
            first, second = self.tools.pythons
            project.ask_for_python(second[0])
            self.turn("toggled", size, players, lambda player: player.toggle(project), watched)
            if "back" in wanted:
                project.ask_for_python(first[0])
                self.turn("back", size, players, lambda player: player.toggle(project), watched)
                self.by_hand(project, size, players, watched)
        self.remove(project, players)

    def changed(self, size, wanted):
        """One file of so many, again and again; and, beside it, the tree alone."""
        project = self.project(size)
        players = self.players()
        for _ in range(SETTLING):
            for player in players.values():
                player.push(project)
            project.change_a_file()
        standing = os.path.join(self.folder, "standing")
        os.mkdir(standing)
        self.turn("changed", size, players, lambda player: player.push(project), watched=True)
        if "empty" in players and "trees" in wanted:
            self.checkout(players["empty"], standing)
        for _ in range(self.given.times):
            project.change_a_file()
            self.turn("changed", size, players, lambda player: self.push_and_look(player, project, size), watched=False)
            if "empty" in players and "trees" in wanted:
                self.row("standing", size, part=True).add("git checkout -f", self.checkout(players["empty"], standing))
        shutil.rmtree(standing)
        if "trees" in wanted:
            self.whole_trees(size, players)
        self.remove(project, players)

    def push_and_look(self, player, project, size):
        took = player.push(project)
        ended = time.time()
        if type(player) is contestants.Nyala:
            self.row("standing", size, part=True).add(player.label, player.step("check out"))
            # The record is written right after the last line; what comes then is the hook's follower and git's own end.
            self.row("follower", size, part=True).add(player.label, (ended - player.newest()[1]) * 1000)
        return took

    def whole_trees(self, size, players):
        """A whole tree into an empty folder.

        Nothing is deleted in between: the kernel goes on for a while after the files are gone, and whoever comes next is slower.
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
        command = ("git", "--git-dir", player.repository, "--work-tree", into, "checkout", "-q", "-f", "main")
        return timed(command, GIT_INDEX_FILE=index)[0]

    def by_hand(self, project, size, players, watched):
        """What nyala's new env is compared with: the two commands that a person would type.

        uv remembers what the interpreter of an env is by the env's path. A person has one path, each env of nyala's is new.
        """
        python = self.tools.pythons[0][1]
        same, new = os.path.join(self.folder, "by-hand"), self.new_folder()
        requirements = os.path.join(project.folder, "requirements.txt")
        ways = {"venv and pip by hand": (same, ((python, "-m", "venv", same),
                                                (os.path.join(same, "bin", "pip"), "install", "-r", requirements)))}
        if self.tools.uv:
            for way, env in (("uv by hand", same), ("uv by hand, at a new path", new)):
                ways[way] = (env, ((self.tools.uv, "venv", "-q", "--python", python, env),
                                   (self.tools.uv, "pip", "install", "-q", "-r", requirements)))
        for way in self.shuffled(ways):
            env, commands = ways[way]
            self.settle(players)
            took, _ = timed(*commands, VIRTUAL_ENV=env)
            shutil.rmtree(env)
            if not watched:
                self.row("back", size).add(way, took)

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

    def shuffled(self, names):
        names = list(names)
        self.dice.shuffle(names)
        return names

    def row(self, name, size, part=False):
        for row in self.rows:
            if (row["name"], row["size"]) == (name, size):
                return Row(row)
        self.rows.append({"name": name, "size": size, "part": part, "times": {}, "peak": {}, "processes": {}})
        return Row(self.rows[-1])

    def project(self, size):
        version = self.tools.pythons[0][0]
        return repositories.Project(self.new_folder(), size, self.requirements, version)

    def players(self):
        return {name: contestants.ALL[name](self.new_folder(), self.tools) for name in self.taking_part}

    def remove(self, project, players):
        shutil.rmtree(project.folder)
        for player in players.values():
            player.remove()

    def new_folder(self):
        self.made += 1
        return os.path.join(self.folder, str(self.made))

    def machine(self):
        lines = run("df", "-T", self.folder).splitlines()
        return {
            "cores": os.cpu_count(),
            "kernel": platform.release().split("-")[0],
            "git": run("git", "--version").split()[2],
            "file system": lines[-1].split()[1],
            "pip": [run(python, "-m", "pip", "--version").split()[1] for _, python in self.tools.pythons],
            "uv": run(self.tools.uv, "--version").split()[1] if self.tools.uv else None,
            "nyala": subprocess.run(["git", "describe", "--always", "--dirty"], cwd=os.path.dirname(__file__),
                                    text=True, capture_output=True).stdout.strip(),
        }

    def say(self, what):
        print(f"{time.strftime('%H:%M:%S')}  {what}", file=sys.stderr, flush=True)


class Row:
    """One row of the results, which are plain dictionaries so that they can be stored."""

    def __init__(self, stored):
        self.stored = stored

    def add(self, label, milliseconds):
        self.stored["times"].setdefault(label, []).append(round(milliseconds, 2))

    def watched(self, label, seen):
        self.stored["peak"][label], self.stored["processes"][label] = seen
