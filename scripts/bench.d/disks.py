"""The disks that are measured on: a file system with a journal, made for the run, and memory."""
import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass

JOURNALED, MEMORY, FOLDER = "ext4 with a journal", "in memory", ""
MEMORY_FOLDER = "/dev/shm"
# Sparse. A tree of 100,000 files takes 400 MB, and there are up to ten of it.
IMAGE_BYTES = 16 << 30
BYTES_FOR_AN_INODE = "8192"


@dataclass
class Disk:
    # For the titles of rows.
    name: str
    folder: str

    def flush(self):
        """Milliseconds that a write of 4 KiB and its flush take."""
        path = os.path.join(self.folder, "flushed")
        started = time.perf_counter()
        file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        os.write(file, b"x" * 4096)
        os.fsync(file)
        os.close(file)
        return (time.perf_counter() - started) * 1000

    def settle(self):
        """Writes what waits to be written, so that nobody's flush takes it along."""
        subprocess.run(["sync", "-f", self.folder], check=True)


@contextlib.contextmanager
def disks(given, images):
    """Those that are wanted and can be had, and why the others cannot."""
    with contextlib.ExitStack() as stack:
        if given.folder:
            yield [Disk(FOLDER, stack.enter_context(temporary(given.folder)))], {}
            return
        found, absent = [], {}
        obstacle = journal_obstacle()
        if obstacle:
            absent[JOURNALED] = obstacle
        else:
            found.append(Disk(JOURNALED, stack.enter_context(journaled(images))))
        if os.path.isdir(MEMORY_FOLDER):
            found.append(Disk(MEMORY, stack.enter_context(temporary(MEMORY_FOLDER))))
        else:
            absent[MEMORY] = f"there is no {MEMORY_FOLDER}"
        yield found, absent


def journal_obstacle():
    """Why a file system with a journal cannot be mounted; None when it can."""
    if os.geteuid() != 0:
        return "only root can mount one"
    missing = [name for name in ("mkfs.ext4", "mount", "umount") if not shutil.which(name)]
    return f"there is no {', '.join(missing)}" if missing else None


@contextlib.contextmanager
def journaled(images):
    """A new ext4 in a file, with its journal and all that is usual."""
    os.makedirs(images, exist_ok=True)
    with temporary(images) as folder:
        image, mounted = os.path.join(folder, "image"), os.path.join(folder, "mounted")
        with open(image, "w") as file:
            file.truncate(IMAGE_BYTES)
        quietly("mkfs.ext4", "-q", "-F", "-i", BYTES_FOR_AN_INODE, image)
        os.mkdir(mounted)
        quietly("mount", "-o", "loop", image, mounted)
        try:
            yield mounted
        finally:
            # A worker may be writing its last.
            if subprocess.run(["umount", mounted], stderr=subprocess.DEVNULL).returncode != 0:
                quietly("umount", "--lazy", mounted)


@contextlib.contextmanager
def temporary(folder):
    made = tempfile.mkdtemp(dir=folder, prefix="nyala-bench-")
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def quietly(*command):
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
