"""What is pushed: a Python project in a tree of so many files, and the changes that are made to
it."""
import os
import random
import shutil

from measuring import run

REQUIREMENTS = ["Django", "gunicorn", "requests", "psycopg2-binary", "numpy", "pandas"]
FEW_REQUIREMENTS = ["gunicorn", "requests"]
ADDED = "humanize"
# Of these a lock has about 60 packages.
LOCKED = [
    "boto3", "celery", "Django", "django-allauth", "django-filter", "django-redis",
    "djangorestframework", "drf-spectacular", "gunicorn", "httpx", "openpyxl", "pillow",
    "psycopg2-binary", "pydantic-settings", "rich", "sentry-sdk", "stripe", "structlog",
    "whitenoise",
]


class Project:
    """A work tree. What it changes it also commits."""

    def __init__(self, folder, files, requirements, python):
        self.folder = folder
        self.requirements = list(requirements)
        self.changes = 0
        run("git", "init", "-q", "-b", "main", folder)
        for name, value in (("user.name", "Bench"), ("user.email", "bench@example.org"),
                            ("gc.auto", "0")):
            self.git("config", name, value)
        self._write_files(files)
        self._write_requirements()
        self._write("runtime.txt", f"python-{python}\n")
        self._commit("first")
        self.git("repack", "-adq")

    def git(self, *words):
        run("git", "-C", self.folder, *words)

    def change_a_file(self):
        self.changes += 1
        with open(os.path.join(self.folder, "package0", "module0.py"), "a") as file:
            file.write(f"CHANGE = {self.changes}\n")
        self._commit(f"change {self.changes}")

    def add_a_requirement(self):
        self.requirements.append(ADDED)
        self._write_requirements()
        self._commit(f"require {ADDED}")

    def remove_a_requirement(self):
        self.requirements.pop()
        self._write_requirements()
        self._commit(f"do without {ADDED}")

    def ask_for_python(self, version):
        self._write("runtime.txt", f"python-{version}\n")
        self._commit(f"Python {version}")

    def _write_files(self, files):
        """Fifty in a folder, of one to four kilobytes, none like another, the same in every run."""
        dice = random.Random(files)
        for number in range(files):
            lines = dice.randrange(40, 160)
            line = f"NUMBER = {number}  # a line of code\n"
            self._write(f"package{number // 50}/module{number}.py", line * lines)

    def _write_requirements(self):
        self._write("requirements.txt", "".join(f"{name}\n" for name in self.requirements))

    def _write(self, name, text):
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)

    def _commit(self, message):
        self.git("add", "-A")
        self.git("commit", "-qm", message)


class LockedProject(Project):
    """A small project with a pyproject.toml and its lock in place of requirements."""

    FILES = 50

    def __init__(self, folder, source, lock, python):
        self.source, self.lock = source, lock
        super().__init__(folder, self.FILES, [], python)

    @property
    def packages(self):
        with open(os.path.join(self.source, self.lock)) as file:
            of_itself = 1 if self.lock == "uv.lock" else 0
            return file.read().count("[[package]]") - of_itself

    def _write_requirements(self):
        for name in ("pyproject.toml", self.lock):
            shutil.copy(os.path.join(self.source, name), self.folder)


def make_lock(folder, lock, tool, python):
    """A pyproject.toml and its lock, unless they are there."""
    if os.path.exists(os.path.join(folder, lock)):
        return
    os.makedirs(folder, exist_ok=True)
    version, path = python
    needs = "".join(f'    "{name}",\n' for name in LOCKED)
    with open(os.path.join(folder, "pyproject.toml"), "w") as file:
        file.write(f'[project]\nname = "bench"\nversion = "1.0"\n'
                   f'requires-python = ">={version},<4"\ndependencies = [\n{needs}]\n')
        if lock == "poetry.lock":
            # By its page for pip, which every mirror has.
            file.write('\n[tool.poetry]\npackage-mode = false\n\n[[tool.poetry.source]]\n'
                       'name = "simple"\nurl = "https://pypi.org/simple/"\npriority = "primary"\n')
    if lock == "uv.lock":
        run(tool, "lock", "-q", "--python", path, cwd=folder)
    else:
        run(tool, "lock", "-q", cwd=folder)
