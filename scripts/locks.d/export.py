"""Writes down what a lock's own tool says is to be installed, for several Pythons and several
choices of groups and extras: `LOCK.expected.json` beside the lock."""

import contextlib
import json
import os
import re
import subprocess
import tomllib
from pathlib import Path

from entry import entry
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

PYTHONS = ["3.9.18", "3.10.13", "3.11.7", "3.12.1", "3.13.0"]
LOCKS = {"uv": "uv.lock", "poetry": "poetry.lock", "pdm": "pdm.lock", "pipenv": "Pipfile.lock",
         "pylock": "pylock.toml"}
HERE = Path(__file__).parent
QUIET = {"PDM_CHECK_UPDATE": "0", "PDM_IGNORE_SAVED_PYTHON": "1", "PDM_USE_VENV": "0",
         "PIPENV_IGNORE_VIRTUALENVS": "1", "PIPENV_NOSPIN": "1", "PIPENV_VERBOSITY": "-1",
         "UV_PYTHON_DOWNLOADS": "never"}


class Refused(RuntimeError):
    """The tool does not export the lock."""


def run(command, folder, **environment):
    try:
        ran = subprocess.run([str(word) for word in command], cwd=folder, text=True, timeout=300,
                             env={**os.environ, **QUIET, **environment}, stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    except subprocess.TimeoutExpired as late:
        # Some resolvers try the versions of a random project for hours.
        raise Refused(f"{command[0]} {command[1]}: not done after 300 s") from late
    if ran.returncode:
        raise Refused(f"{command[0]} {command[1]}: {ran.stderr[-800:]} {ran.stdout[-400:]}".strip())
    return ran.stdout


def export(tools, tool, folder):
    """Fails with `Refused` when the tool exports nothing at all."""
    result = folder / f"{LOCKS[tool]}.expected.json"
    if result.exists():
        return
    known = facts(tools, tool, folder)
    cases, refused = [], None
    for groups, extras in choices(tool, folder):
        case = {"groups": groups, "extras": extras}
        try:
            sets = exported(tools, tool, folder, known, groups, extras)
        except Refused as error:
            if "conflict" in str(error) and groups + extras:
                cases += [{**case, "python": python, "refused": True}
                          for python in known["pythons"]]
            else:
                refused = error
            continue
        cases += [{**case, "python": python, "packages": packages}
                  for python, packages in sets.items()]
    if not any(case.get("packages") for case in cases):
        raise refused or Refused("nothing to install for any of these Pythons")
    result.write_text(json.dumps({"fresh": known["fresh"], "cases": cases}))


SERVERS = {}


def ask(tools, tool, folder, **question):
    """What `serve.py` answers in the environment of a tool."""
    if tool not in SERVERS:
        python = tools / {"pylock": "uv"}.get(tool, tool) / "bin/python"
        SERVERS[tool] = subprocess.Popen(
            [python, HERE / "serve.py", tool.rstrip(".0123456789")], text=True,
            env={**os.environ, **QUIET}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL)
    server = SERVERS[tool]
    print(json.dumps({"folder": str(folder), **question}), file=server.stdin, flush=True)
    answer = json.loads(server.stdout.readline() or '{"error": "it has ended"}')
    if "error" in answer:
        raise Refused(f"{tool}: {answer['error']}")
    return answer["said"]


def facts(tools, tool, folder):
    """For which Pythons the lock is, and whether it belongs to its manifest; `None` where only a
    new resolution could tell."""
    if tool in ("poetry", "pdm", "pipenv"):
        return ask(tools, tool, folder, ask="facts", pythons=PYTHONS)
    lock = tomllib.loads((folder / LOCKS[tool]).read_text())
    allowed = SpecifierSet(lock.get("requires-python", ""))
    pythons = [python for python in PYTHONS if python in allowed]
    fresh = None
    if tool == "uv":
        try:
            run([tools / "uv/bin/uv", "lock", "--check", "--offline"], folder)
            fresh = True
        except Refused:
            pass
    return {"pythons": pythons, "fresh": fresh}


def exported(tools, tool, folder, known, groups, extras):
    """The packages for each Python."""
    if tool == "pylock" or (tool == "pdm" and not known["markers"]):
        return ask(tools, tool, folder, ask="select", pythons=known["pythons"], groups=groups,
                   extras=extras)
    text = requirements(tools, tool, folder, groups, extras)
    return {python: packages(text, python) for python in known["pythons"]}


def requirements(tools, tool, folder, groups, extras):
    flags = lambda flag, names: [word for name in names for word in (flag, name)]
    if tool == "uv":
        return run([tools / "uv/bin/uv", "export", "-q", "--frozen", "--no-default-groups",
                    "--no-emit-local", *flags("--group", groups), *flags("--extra", extras)],
                   folder)
    if tool == "pdm":
        prod = [] if groups else ["--prod"]
        commands = [["export", "-q", *prod, *flags("-G", groups + extras)]]
    elif tool == "poetry":
        # Quiet, it would not print the export either.
        commands = [["export", *flags("--with", groups), *flags("--extras", extras)]]
    else:
        commands = [["requirements", "--hash", "--categories", category]
                    for category in ["default", *groups]]
        # `--dev` gives the version of the main packages where both have the package.
        if groups == ["develop"]:
            commands = [["requirements", "--hash", "--dev"]]
    return "\n".join(printed(tools, tool, folder, it) for it in commands)


def printed(tools, tool, folder, arguments):
    if tool == "poetry":
        lock = tomllib.loads((folder / LOCKS[tool]).read_text())
        if lock["metadata"]["lock-version"] != "2.1":
            # Of older locks, Poetry 2.5 forgets some extras that Poetry 1.8 and both installers
            # know.
            with contextlib.suppress(Refused):
                return ask(tools, "poetry1.8", folder, ask="run", arguments=arguments)
    return ask(tools, tool, folder, ask="run", arguments=arguments)


def choices(tool, folder):
    """Nothing, one group, one extra, and all of both."""
    groups, extras = names(tool, folder)
    every = [([], []), (groups[:1], []), ([], extras[:1]), (groups, extras)]
    return [choice for number, choice in enumerate(every) if choice not in every[:number]]


def names(tool, folder):
    """The groups and the extras that there are."""
    if tool == "pipenv":
        lock = json.loads((folder / LOCKS[tool]).read_text())
        return [name for name in lock if name not in ("_meta", "default")], []
    if tool == "pylock":
        lock = tomllib.loads((folder / LOCKS[tool]).read_text())
        defaults = lock.get("default-groups", [])
        groups = [name for name in lock.get("dependency-groups", []) if name not in defaults]
        return groups, lock.get("extras", [])
    manifest = tomllib.loads((folder / "pyproject.toml").read_text())
    own = manifest.get("tool", {}).get(tool, {})
    extras = manifest.get("project", {}).get("optional-dependencies", {})
    groups = {**manifest.get("dependency-groups", {}), **own.get("group", {})}
    older = own.get("dev-dependencies")
    if tool == "poetry":
        extras = {**extras, **own.get("extras", {})}
        groups.pop("main", None)
    if tool == "pdm":
        groups |= older or {}
        lock = tomllib.loads((folder / LOCKS[tool]).read_text())
        locked = lock["metadata"].get("groups")
        is_locked = lambda name: locked is None or name in locked
        groups, extras = filter(is_locked, groups), filter(is_locked, extras)
    elif older is not None:
        groups["dev"] = older
    return list(groups), list(extras)


def packages(text, python):
    """Evaluates a requirements file as `packaging` does: each package with its version or commit,
    and a digest of its hashes."""
    minor = ".".join(python.split(".")[:2])
    environment = {"python_version": minor, "python_full_version": python,
                   "implementation_version": python, "platform_machine": "x86_64",
                   "platform_release": "6.1.0", "platform_version": "#1", "os_name": "posix",
                   "sys_platform": "linux", "platform_system": "Linux",
                   "implementation_name": "cpython", "platform_python_implementation": "CPython",
                   "extra": ""}
    found = set()
    for line in text.replace("\\\n", " ").splitlines():
        hashes = re.findall(r"\s--hash=(\S+)", line)
        line = re.sub(r"\s--hash=\S+", "", re.sub(r"(^|\s)#.*", "", line)).strip()
        line = re.sub(r"^(-e|--editable)\s+", "", line)
        if egg := re.match(r"((?:git\+)?\w+://[^#\s]+)#egg=([\w.-]+)\S*(.*)", line):
            line = f"{egg[2]} @ {egg[1]} {egg[3]}"
        if not line or line.startswith(("-", ".", "/", "file:")):
            continue
        # pip itself still reads what pipenv writes: `name@ URL`.
        requirement = Requirement(re.sub(r"^([\w.\[\]-]+)@ ", r"\1 @ ", line))
        if requirement.marker and not requirement.marker.evaluate(environment):
            continue
        if (requirement.url or "").startswith("file:"):
            continue
        version = next((it.version for it in requirement.specifier if it.operator == "=="), None)
        commit = re.search(r"@([0-9a-f]{40})", requirement.url or "")
        found.add(entry(requirement.name, version, commit and commit[1], requirement.url, hashes))
    return sorted(found)
