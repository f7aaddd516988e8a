"""Answers questions about locks in one of the tools' own environments, without starting the tool
for each of them. Questions come as lines of JSON, and so do the answers.

usage: serve.py poetry|pdm|pipenv|pylock

    {"folder": …, "ask": "facts", "pythons": […]}               whether the lock belongs to its
                                                                manifest, and its Pythons
    {"folder": …, "ask": "run", "arguments": […]}               what the tool's command prints
    {"folder": …, "ask": "select", "groups": …, "extras": …, "pythons": …}
                                                                the packages, where no command
                                                                prints them
"""

import contextlib
import importlib.metadata
import io
import json
import os
import sys
import tomllib
from pathlib import Path

from entry import entry


class Poetry:
    def __init__(self):
        from poetry.packages.locker import Locker

        self.is_fresh = Locker.is_fresh

    def facts(self, pythons):
        from poetry.core.constraints.version import Version, parse_constraint
        from poetry.packages.locker import Locker

        manifest = tomllib.loads(Path("pyproject.toml").read_text())
        # Poetry 1 knows its own table alone.
        is_old = importlib.metadata.version("poetry").startswith("1.")
        locker = Locker(Path("poetry.lock"), manifest["tool"]["poetry"] if is_old else manifest)
        allowed = parse_constraint(locker.lock_data["metadata"]["python-versions"])
        return {"fresh": self.is_fresh(locker),
                "pythons": [it for it in pythons if allowed.allows(Version.parse(it))]}

    def run(self, arguments):
        from cleo.io.inputs.argv_input import ArgvInput
        from cleo.io.outputs.stream_output import StreamOutput
        from poetry.console.application import Application
        from poetry.packages.locker import Locker

        # A lock that is too old for its manifest is exported as well: nyala has `frozen` for that.
        Locker.is_fresh = lambda self: True
        application = Application()
        application.auto_exits(False)
        out, error = io.StringIO(), io.StringIO()
        code = application.run(ArgvInput(["poetry", *arguments]), StreamOutput(out),
                               StreamOutput(error))
        if code:
            raise RuntimeError(error.getvalue())
        return out.getvalue()


class Pdm:
    def project(self):
        from pdm.core import Core

        return Core().create_project(".")

    def facts(self, pythons):
        from packaging.specifiers import SpecifierSet

        project = self.project()
        data = tomllib.loads(Path("pdm.lock").read_text())["metadata"]
        targets = [target.get("requires_python", "") for target in data.get("targets", [])]
        allowed = [SpecifierSet(text.replace("*", "") if text == "*" else text)
                   for text in targets or [str(project.python_requires)]]
        if not data["lock_version"].startswith("4."):
            raise ValueError("PDM does not read it any more")
        fresh = project.is_lockfile_fresh()
        if not data["lock_version"].startswith("4.5"):
            # Older versions of PDM hashed something else; this one cannot tell.
            fresh = fresh or None
        return {"fresh": fresh,
                "markers": "inherit_metadata" in project.lockfile.strategy,
                "pythons": [it for it in pythons if any(it in one for one in allowed)]}

    def run(self, arguments):
        from pdm.core import Core

        out = io.StringIO()
        try:
            with contextlib.redirect_stdout(out):
                Core().main(arguments)
        except SystemExit as stop:
            if stop.code:
                raise RuntimeError(f"pdm {arguments}: {stop.code}") from stop
        return out.getvalue()

    def select(self, python, groups, extras):
        from pdm.cli.actions import resolve_from_lockfile
        from pdm.models.markers import EnvSpec

        project = self.project()
        names = ["default", *groups, *extras]
        every = project._resolve_dependencies(names)
        asked = [it for name in names for it in project.get_dependencies(name, every)]
        spec = EnvSpec.from_spec(f"=={python}", "linux", "cpython")
        # Where PDM kept them once, and does not look any more.
        older = tomllib.loads(Path("pdm.lock").read_text())["metadata"].get("files", {})
        for package in resolve_from_lockfile(project, asked, names, spec):
            candidate = package.candidate
            request = candidate.req
            if not getattr(request, "path", None):
                files = candidate.hashes or older.get(f"{candidate.name} {candidate.version}", [])
                yield entry(candidate.name, candidate.version, getattr(request, "revision", None),
                            not request.is_named, [file["hash"] for file in files])


class Pipenv:
    def facts(self, pythons):
        from pipenv.vendor.plette import Lockfile, Pipfile

        with open("Pipfile.lock", encoding="utf-8") as file:
            lock = Lockfile.load(file)
        with open("Pipfile", encoding="utf-8") as file:
            return {"fresh": lock.is_up_to_date(Pipfile.load(file)), "pythons": pythons}

    def run(self, arguments):
        from pipenv.cli.command import cli

        out = io.StringIO()
        try:
            with contextlib.redirect_stdout(out):
                sys.argv = ["pipenv", *arguments]
                cli()
        except SystemExit as stop:
            if stop.code:
                raise RuntimeError(f"pipenv {arguments}: {stop.code}") from stop
        return out.getvalue()


class Pylock:
    def select(self, python, groups, extras):
        from packaging import tags
        from packaging.pylock import Pylock as Lock

        lock = Lock.from_dict(tomllib.loads(Path("pylock.toml").read_text()))
        version = tuple(int(part) for part in python.split(".")[:2])
        platforms = list(tags.platform_tags())
        supported = [*tags.cpython_tags(version, platforms=platforms),
                     *tags.compatible_tags(version, f"cp{version[0]}{version[1]}", platforms)]
        environment = {"python_version": ".".join(map(str, version)), "os_name": "posix",
                       "python_full_version": python, "implementation_version": python,
                       "platform_machine": "x86_64", "platform_release": "6.1.0",
                       "platform_version": "#1", "sys_platform": "linux",
                       "platform_system": "Linux", "implementation_name": "cpython",
                       "platform_python_implementation": "CPython"}
        chosen = {*groups, *(lock.default_groups or [])}
        for package, _ in lock.select(environment=environment, tags=supported, extras=extras,
                                      dependency_groups=chosen):
            if package.directory:
                continue
            files = [*(package.wheels or []), *([package.sdist] if package.sdist else [])]
            hashes = [f"{kind}:{value}" for file in files for kind, value in file.hashes.items()]
            yield entry(package.name, package.version, package.vcs and package.vcs.commit_id,
                        package.archive, hashes)


def select(tool, pythons, groups, extras):
    found = {}
    for python in pythons:
        try:
            found[python] = sorted(set(tool.select(python, groups, extras)))
        except Exception as error:
            # Such as a package that has no file for this Python: the installer says so.
            print(f"left out: Python {python}: {error}", file=sys.stderr)
    return found


def answer(tool, question):
    os.chdir(question["folder"])
    if question["ask"] == "facts":
        return tool.facts(question["pythons"])
    if question["ask"] == "run":
        return tool.run(question["arguments"])
    return select(tool, question["pythons"], question["groups"], question["extras"])


def main():
    tool = {"poetry": Poetry, "pdm": Pdm, "pipenv": Pipenv, "pylock": Pylock}[sys.argv[1]]()
    answers = os.fdopen(os.dup(1), "w")
    # What else a tool prints must not end up among the answers.
    os.dup2(2, 1)
    for line in sys.stdin:
        try:
            said = {"said": answer(tool, json.loads(line))}
        except Exception as error:
            said = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(said), file=answers, flush=True)


main()
