"""Takes locks out of public repositories, with their manifests, and writes down what each lock's
own tool says of it. What is there already is kept.

usage: repositories.py TOOLS FOLDER LIST

Of each uv.lock and pdm.lock there is a pylock.toml as well, as the tool exports it.

Each line of LIST is `OWNER/NAME COMMIT PATH`. Git gets the commit alone, from GitHub unless Git's
settings say otherwise (`url.BASE.insteadOf`).
"""

import subprocess
import sys
from pathlib import Path

from export import LOCKS, Refused, export, run

MANIFESTS = ("pyproject.toml", "Pipfile")


def take(repository, commit, path, folder):
    """Fetches the commit, and writes the lock and every manifest beside and below it."""
    git = folder.parent.parent / "repositories" / repository.replace("/", "+")
    if not git.exists():
        run(["git", "init", "-q", "--bare", git], ".")
        run(["git", "-C", git, "remote", "add", "origin", f"https://github.com/{repository}"], ".")
    try:
        run(["git", "-C", git, "rev-parse", "-q", "--verify", f"{commit}^{{tree}}"], ".")
    except Refused:
        run(["git", "-C", git, "fetch", "-q", "--depth", "1", "--filter=blob:none", "origin",
             commit], ".")
    below = path.rpartition("/")[0]
    listed = run(["git", "-C", git, "ls-tree", "-r", "-z", "--name-only", f"{commit}:{below}"], ".")
    folder.mkdir(parents=True, exist_ok=True)
    for name in listed.split("\0"):
        last = name.rpartition("/")[2]
        if name == path.rpartition("/")[2] or last in MANIFESTS:
            place = folder / name
            place.parent.mkdir(parents=True, exist_ok=True)
            blob = subprocess.run(["git", "-C", git, "show", f"{commit}:{below}/{name}".replace(
                ":/", ":")], check=True, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
            place.write_bytes(blob.stdout)


def derive(tools, tool, folder):
    """Exports a lock as a pylock.toml, in a folder beside it."""
    place = folder.with_name(f"{folder.name}+pylock.toml")
    lock = place / LOCKS["pylock"]
    if not lock.exists():
        place.mkdir(exist_ok=True)
        if tool == "uv":
            run([tools / "uv/bin/uv", "export", "-q", "--frozen", "--format", "pylock.toml",
                 "--no-emit-local", "--all-groups", "--all-extras", "-o", lock], folder)
        else:
            run([tools / "pdm/bin/pdm", "export", "-q", "-f", "pylock", "-o", lock], folder)
    export(tools, "pylock", place)


def main():
    tools, collection, listed = (Path(argument).absolute() for argument in sys.argv[1:])
    tool_of = {lock: tool for tool, lock in LOCKS.items()}
    left_out = 0
    for line in listed.read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        repository, commit, path = line.split(" ", 2)
        folder = collection / f"{repository}/{path}".replace("/", "+")
        tool = tool_of[path.rpartition("/")[2]]
        try:
            if not (folder / LOCKS[tool]).exists():
                take(repository, commit, path, folder)
            export(tools, tool, folder)
            # PDM exports no lock without markers in this format.
            if tool == "uv" or tool == "pdm" and "inherit_metadata" in (
                    folder / LOCKS[tool]).read_text():
                derive(tools, tool, folder)
        except (Refused, OSError, ValueError, subprocess.SubprocessError) as error:
            why = " ".join(str(error).split())[-200:]
            print(f"left out: {repository} {path}: {why}", flush=True)
            left_out += 1
    print(f"{left_out} left out")


main()
