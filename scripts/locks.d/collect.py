"""Makes a collection of projects, locks them with the real tools, and writes down what each tool
says is to be installed, for several Pythons and choices of groups and extras.

usage: collect.py TOOLS FOLDER [COUNT]

TOOLS has the environments `uv`, `poetry`, `pdm` and `pipenv`. What is there already is kept, so an
interrupted run goes on where it stopped.
"""

import json
import os
import random
import re
import subprocess
import sys
from pathlib import Path

PYTHONS = ["3.9.18", "3.10.13", "3.11.7", "3.12.1", "3.13.0"]
# Each choice: the groups and the extras beside the main dependencies.
CHOICES = [([], []), (["dev"], []), ([], ["more"]), (["dev", "docs"], ["more"])]

# What people depend on, with extras, markers, and versions that leave the resolver a choice.
WEB = ["django>=4.2,<5", "flask", "fastapi", "starlette<0.40", "aiohttp", "pyramid", "tornado>=6",
       "bottle", "falcon", "sanic<23", "litestar[standard]", "django-rest-framework", "quart"]
SERVER = ["gunicorn", "uvicorn[standard]", "waitress", "hypercorn", "daphne", "uwsgi; sys_platform == 'win32'"]
DATA = ["sqlalchemy[asyncio]", "pandas<2.1", "numpy<2", "psycopg[binary]", "pymongo", "redis[hiredis]",
        "asyncpg", "aiosqlite", "pyarrow<15", "tablib[xlsx]", "alembic", "peewee"]
OTHER = ["requests[socks]", "httpx[http2,cli]", "celery[redis]", "boto3", "pydantic>=2", "pydantic[email]",
         "jinja2", "click", "rich", "typer", "pillow", "lxml", "cryptography", "python-dateutil",
         "importlib-metadata; python_version < '3.10'", "tomli; python_version < '3.11'",
         "backports-zoneinfo; python_version < '3.9'", "pywin32; sys_platform == 'win32'",
         "colorama; sys_platform == 'win32'", "typing-extensions", "attrs", "structlog", "loguru",
         "sentry-sdk[flask]", "marshmallow<4", "arrow", "coverage[toml]", "dnspython", "zstandard"]
DEV = ["pytest", "pytest-cov", "black", "mypy", "ruff", "ipython<8.19", "tox", "pre-commit",
       "hypothesis", "coverage[toml]", "types-requests", "exceptiongroup; python_version < '3.11'"]
DOCS = ["sphinx<8", "mkdocs", "furo", "myst-parser<3", "mkdocs-material", "sphinx-rtd-theme"]
MORE = ["psycopg2-binary", "orjson", "ujson", "brotli", "sentry-sdk", "python-multipart", "argon2-cffi"]


def project(number):
    random.seed(number)
    pick = lambda names, most: random.sample(names, random.randint(1, most))
    main = pick(WEB, 2) + pick(SERVER, 1) + pick(DATA, 2) + pick(OTHER, 8)
    return {"main": main, "dev": pick(DEV, 3), "docs": pick(DOCS, 2), "more": pick(MORE, 2),
            "package": random.random() < 0.3}


def toml_list(values):
    return json.dumps(values)


def pyproject(case, tool):
    lines = ["[project]", f'name = "{case["name"]}"', 'version = "0.1.0"', 'requires-python = ">=3.9,<3.14"',
             f'dependencies = {toml_list(case["main"])}',
             "[project.optional-dependencies]", f'more = {toml_list(case["more"])}']
    if tool in ("uv", "pdm", "pylock"):
        lines += ["[dependency-groups]", f'dev = {toml_list(case["dev"])}', f'docs = {toml_list(case["docs"])}']
    if tool == "poetry":
        lines += ["[tool.poetry]", "package-mode = false", "[[tool.poetry.source]]", 'name = "index"',
                  'url = "https://pypi.org/simple/"', 'priority = "primary"']
        for group in ("dev", "docs"):
            lines += [f"[tool.poetry.group.{group}]", "optional = true", f"[tool.poetry.group.{group}.dependencies]"]
            lines += [poetry_line(text) for text in case[group]]
    if tool == "pdm":
        lines += ["[tool.pdm]", "distribution = false"]
    if tool == "uv":
        lines += ["[tool.uv]", "package = false"]
    return "\n".join(lines) + "\n"


def parts(text):
    text, _, marker = text.partition(";")
    name, extras, version = re.fullmatch(r"([\w.-]+)(?:\[([^]]*)\])?(.*)", text.strip()).groups()
    return name, (extras or "").split(",") if extras else [], version.strip(), marker.strip()


def poetry_line(text):
    name, extras, version, marker = parts(text)
    fields = [f'version = "{version or "*"}"']
    if extras:
        fields.append(f"extras = {toml_list(extras)}")
    if marker:
        fields.append(f"markers = {json.dumps(marker)}")
    return f"{name} = {{ {', '.join(fields)} }}"


def pipfile(case):
    lines = ['[[source]]', 'name = "pypi"', 'url = "https://pypi.org/simple"', 'verify_ssl = true']
    for section, key in (("packages", "main"), ("dev-packages", "dev"), ("docs", "docs"), ("more", "more")):
        lines.append(f"[{section}]")
        seen = set()
        for text in case[key]:
            name, extras, version, marker = parts(text)
            if name in seen:
                continue
            seen.add(name)
            fields = [f'version = "{version or "*"}"']
            if extras:
                fields.append(f"extras = {toml_list(extras)}")
            if marker:
                fields.append(f"markers = {json.dumps(marker)}")
            lines.append(f"{name} = {{ {', '.join(fields)} }}")
    return "\n".join(lines) + "\n"


def run(command, folder, **environment):
    ran = subprocess.run(command, cwd=folder, env={**os.environ, **environment}, text=True,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
    if ran.returncode:
        raise RuntimeError(f"{command} in {folder}: {ran.stderr[-800:]}{ran.stdout[-400:]}")
    return ran.stdout


def packages(text, python, extras=()):
    """Evaluates a requirements file as `packaging` does: the names and versions for one Python."""
    from packaging.requirements import Requirement
    minor = ".".join(python.split(".")[:2])
    environment = {"python_version": minor, "python_full_version": python, "implementation_version": python,
                   "platform_machine": "x86_64", "platform_release": "6.1.0", "platform_version": "#1",
                   "os_name": "posix", "sys_platform": "linux", "platform_system": "Linux",
                   "implementation_name": "cpython", "platform_python_implementation": "CPython", "extra": ""}
    found = set()
    for line in text.replace("\\\n", " ").splitlines():
        line = re.sub(r"\s--hash=\S+", "", line.split(" #")[0]).strip()
        if not line or line.startswith(("#", "-", ".")):
            continue
        requirement = Requirement(line)
        if requirement.marker and not requirement.marker.evaluate(environment):
            continue
        name = re.sub(r"[-_.]+", "-", requirement.name).lower()
        version = next((it.version for it in requirement.specifier if it.operator == "=="), None)
        found.add(f"{name}=={version}" if version else name)
    return sorted(found)


def collect(tool, case, folder, tools):
    name = {"uv": "uv.lock", "poetry": "poetry.lock", "pdm": "pdm.lock", "pipenv": "Pipfile.lock",
            "pylock": "pylock.toml"}[tool]
    result = folder / f"{name}.expected.json"
    if result.exists():
        return False
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pyproject.toml").write_text(pyproject(case, tool))
    uv = str(tools / "uv/bin/uv")
    expected = []
    is_locked = (folder / name).exists()
    if tool in ("uv", "pylock"):
        run([uv, "lock", "-q"], folder)
    if tool == "pylock":
        run([uv, "export", "-q", "--format", "pylock.toml", "--all-groups", "--all-extras", "-o", name], folder)
    if tool == "pdm" and not is_locked:
        run([str(tools / "pdm/bin/pdm"), "lock", "-q", "-G:all"], folder, PDM_IGNORE_SAVED_PYTHON="1")
    if tool == "poetry" and not is_locked:
        run([str(tools / "poetry/bin/poetry"), "lock", "-q"], folder)
    if tool == "pipenv":
        (folder / "Pipfile").write_text(pipfile(case))
        run([str(tools / "pipenv/bin/pipenv"), "lock", "-q", "--categories", "packages,dev-packages,docs,more"],
            folder, PIPENV_IGNORE_VIRTUALENVS="1", PIPENV_NOSPIN="1")
    for groups, extras in CHOICES:
        if tool == "uv":
            command = [uv, "export", "-q", "--frozen", "--no-hashes", "--no-default-groups", "--no-emit-project"]
            command += [word for group in groups for word in ("--group", group)]
            command += [word for extra in extras for word in ("--extra", extra)]
            text = run(command, folder)
        elif tool == "pdm":
            command = [str(tools / "pdm/bin/pdm"), "export", "-q", "--without-hashes"]
            command += [] if groups else ["--prod"]
            command += [word for group in groups + extras for word in ("-G", group)]
            text = run(command, folder)
        elif tool == "poetry":
            # Quiet, it would not print the export either.
            command = [str(tools / "poetry/bin/poetry"), "export", "--without-hashes"]
            command += [word for group in groups for word in ("--with", group)]
            command += [word for extra in extras for word in ("--extras", extra)]
            text = run(command, folder)
        elif tool == "pipenv":
            categories = ["default"] + [{"dev": "develop"}.get(it, it) for it in groups + extras]
            text = "".join(run([str(tools / "pipenv/bin/pipenv"), "requirements", "--categories", it], folder,
                               PIPENV_IGNORE_VIRTUALENVS="1") for it in categories)
            groups, extras = categories[1:], []
        else:
            # pylock.toml has no tool that exports it: what uv exported the lock from must come out.
            command = [uv, "export", "-q", "--frozen", "--no-hashes", "--no-default-groups", "--no-emit-project"]
            if (groups, extras) != CHOICES[-1]:
                continue
            text = run(command + ["--all-groups", "--all-extras"], folder)
            groups, extras = [], []
        for python in PYTHONS:
            expected.append({"python": python, "groups": groups, "extras": extras,
                             "packages": packages(text, python)})
    result.write_text(json.dumps(expected))
    return True


def main():
    tools, folder = Path(sys.argv[1]).absolute(), Path(sys.argv[2]).absolute()
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 40
    failed = 0
    for number in range(count):
        for tool in ("uv", "pylock", "pdm", "poetry", "pipenv"):
            case = {**project(number), "name": f"case-{number}"}
            try:
                collect(tool, case, folder / f"{number}-{tool}", tools)
            except RuntimeError as error:
                # Not every choice of packages has a solution; that is no fault of the reader.
                print(f"left out: {number} {tool}: {str(error).splitlines()[-1][:160]}", flush=True)
                failed += 1
    print(f"{count} projects, {failed} left out")


main()
