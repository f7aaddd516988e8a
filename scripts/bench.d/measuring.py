"""Time by the wall clock, as whoever waits sees it; and, in pushes that are not timed, memory,
processes and flushes."""
import os
import stat
import subprocess
import sys
import time
from contextlib import contextmanager

# What every child is given: see `Tools.variables`.
CHILDREN = {}

# Stands in for a hook or a command, to see what it starts. Processes that outlive their parents
# become its children, nyala's worker among them, and it is told how much memory each took. It
# writes down the biggest in KiB; how many processes there were; and how often the disk was flushed
# until the last record was named, which is when a pusher is told how it went.
WATCHER = '''#!{python}
import ctypes, os, re, sys
PR_SET_CHILD_SUBREAPER = 36
ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
command, trace = {command!r} + sys.argv[1:], {report!r} + ".trace"
started, flushed = "clone,clone3,fork,vfork", "fsync,fdatasync,syncfs,sync_file_range,sync,msync"
if {strace!r}:
    # By seccomp, or each system call of a pip would stop for it.
    command = [{strace!r}, "-f", "--seccomp-bpf", "-qq", "-e", "signal=none", "-o", trace,
               "-e", f"trace={{started}},{{flushed}},?rename,?renameat,renameat2", *command]
if os.fork() == 0:
    os.execv(command[0], command)
peak = 0
while True:
    try:
        peak = max(peak, os.wait4(-1, 0)[2].ru_maxrss)
    except ChildProcessError:
        break
processes = flushes = None
if {strace!r}:
    # One process has made the call and another may have been in its own: then its end is on a
    # line of its own.
    begun, processes, flushes, until_now = {{}}, 1, 0, 0
    for line in open(trace, errors="replace"):
        pid, call = line.split(None, 1)
        name = call.split("(", 1)[0]
        until_now += name in flushed.split(",")
        if name.startswith("rename") and '/deployment.json"' in call:
            flushes = until_now
        if "<unfinished" in line:
            begun[pid] = line
            continue
        whole = begun.pop(pid, "") + line if "resumed>" in line else line
        is_start = any(f"{{name}}(" in whole for name in started.split(","))
        is_process = re.search(r"= [0-9]+$", whole.rstrip()) and "CLONE_THREAD" not in whole
        processes += bool(is_start and is_process)
    flushes = flushes or until_now
with open({report!r}, "w") as file:
    file.write(f"{{peak}} {{processes}} {{flushes}}")
'''


def environment():
    """The caller's, without what a hook or an environment has put there."""
    names = ("GIT_CONFIG", "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX", "PYTHON", "VIRTUAL_ENV",
             "NYALA_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(names)}
    return {**kept, **CHILDREN, "GIT_CONFIG_GLOBAL": os.devnull,
            "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


def run(*command, cwd=None, **variables):
    """Runs a command; shows what it said when it fails."""
    ran = subprocess.run(
        command, cwd=cwd, env={**environment(), **variables}, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    if ran.returncode != 0:
        sys.exit(f"error: {' '.join(command)} failed:\n{ran.stdout}")
    return ran.stdout


def timed(*commands, cwd=None, **variables):
    """Milliseconds that commands took one after another, and what the last one said."""
    with priority():
        start = time.perf_counter()
        for command in commands:
            said = run(*command, cwd=cwd, **variables)
        took = time.perf_counter() - start
    return took * 1000, said


# Whether what is timed goes before all other programs of the machine.
REAL_TIME = False


@contextmanager
def priority():
    """The scheduler's, for what is started in it."""
    if not REAL_TIME:
        yield
        return
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    try:
        yield
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


@contextmanager
def watched(file, command, strace, report):
    """Puts the watcher in the place of an executable file; `command` is what it runs."""
    before = None
    if os.path.lexists(file):
        before = file + ".before"
        os.rename(file, before)
    script(file, WATCHER.format(
        python=sys.executable, command=command or [before], strace=strace, report=report))
    yield
    os.remove(file)
    if before:
        os.rename(before, file)


def watched_by(report):
    """Megabytes of the biggest process, and how many processes and flushes there were (None
    without strace)."""
    with open(report) as file:
        peak, *counts = file.read().split()
    return int(peak) / 1024, *(None if count == "None" else int(count) for count in counts)


def script(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(text)
    os.chmod(path, os.stat(path).st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
