"""Makes a collection of projects, locks them with the real tools, and writes down what each tool
says is to be installed.

usage: generate.py TOOLS FOLDER [COUNT]

TOOLS has the environments `uv`, `poetry`, `poetry1.8`, `pdm` and `pipenv`. What is there already is
kept, so an interrupted run goes on where it stopped.
"""

import json
import random
import re
import sys
from pathlib import Path

from export import LOCKS, Refused, export, run

# What people depend on, with extras, markers, and versions that leave the resolver a choice.
WEB = ["django>=4.2,<5", "flask", "fastapi", "starlette<0.40", "aiohttp", "pyramid", "tornado>=6",
       "bottle", "falcon", "sanic<23", "litestar[standard]", "django-rest-framework", "quart"]
SERVER = ["gunicorn", "uvicorn[standard]", "waitress", "hypercorn", "daphne",
          "uwsgi; sys_platform == 'win32'"]
DATA = ["sqlalchemy[asyncio]", "pandas<2.1", "numpy<2", "psycopg[binary]", "pymongo",
        "redis[hiredis]", "asyncpg", "aiosqlite", "pyarrow<15", "tablib[xlsx]", "alembic", "peewee"]
OTHER = ["requests[socks]", "httpx[http2,cli]", "celery[redis]", "boto3", "pydantic>=2",
         "pydantic[email]", "jinja2", "click", "rich", "typer", "pillow", "lxml", "cryptography",
         "python-dateutil",
         "importlib-metadata; python_version < '3.10'", "tomli; python_version < '3.11'",
         "backports-zoneinfo; python_version < '3.9'", "pywin32; sys_platform == 'win32'",
         "colorama; sys_platform == 'win32'", "typing-extensions", "attrs", "structlog", "loguru",
         "sentry-sdk[flask]", "marshmallow<4", "arrow", "coverage[toml]", "dnspython", "zstandard"]
DEV = ["pytest", "pytest-cov", "black", "mypy", "ruff", "ipython<8.19", "tox", "pre-commit",
       "hypothesis", "coverage[toml]", "types-requests", "exceptiongroup; python_version < '3.11'"]
DOCS = ["sphinx<8", "mkdocs", "furo", "myst-parser<3", "mkdocs-material", "sphinx-rtd-theme"]
MORE = ["psycopg2-binary", "orjson", "ujson", "brotli", "sentry-sdk", "python-multipart",
        "argon2-cffi"]


def project(number):
    random.seed(number)
    pick = lambda names, most: random.sample(names, random.randint(1, most))
    main = pick(WEB, 2) + pick(SERVER, 1) + pick(DATA, 2) + pick(OTHER, 8)
    return {"main": main, "dev": pick(DEV, 3), "docs": pick(DOCS, 2), "more": pick(MORE, 2),
            "package": random.random() < 0.3}


def toml_list(values):
    return json.dumps(values)


def pyproject(case, tool):
    lines = ["[project]", f'name = "{case["name"]}"', 'version = "0.1.0"',
             'requires-python = ">=3.9,<3.14"',
             f'dependencies = {toml_list(case["main"])}',
             "[project.optional-dependencies]", f'more = {toml_list(case["more"])}']
    if tool in ("uv", "pdm", "pylock"):
        lines += ["[dependency-groups]", f'dev = {toml_list(case["dev"])}',
                  f'docs = {toml_list(case["docs"])}']
    if tool == "poetry":
        lines += ["[tool.poetry]", "package-mode = false", "[[tool.poetry.source]]",
                  'name = "index"',
                  'url = "https://pypi.org/simple/"', 'priority = "primary"']
        for group in ("dev", "docs"):
            lines += [f"[tool.poetry.group.{group}]", "optional = true",
                      f"[tool.poetry.group.{group}.dependencies]"]
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
    sections = {"packages": "main", "dev-packages": "dev", "docs": "docs", "more": "more"}
    for section, key in sections.items():
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


# Each project is locked with another one.
STRATEGIES = ["inherit_metadata", "inherit_metadata,cross_platform", "inherit_metadata,static_urls",
              "inherit_metadata,direct_minimal_versions", "cross_platform"]


def lock(tool, number, case, folder, tools):
    """Writes the project, and locks it unless it is locked."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pyproject.toml").write_text(pyproject(case, tool))
    if tool == "pipenv":
        (folder / "Pipfile").write_text(pipfile(case))
    if (folder / LOCKS[tool]).exists():
        return
    uv = tools / "uv/bin/uv"
    if tool in ("uv", "pylock"):
        run([uv, "lock", "-q"], folder)
    if tool == "pylock":
        run([uv, "export", "-q", "--format", "pylock.toml", "--all-groups", "--all-extras", "-o",
             LOCKS[tool]], folder)
    if tool == "pdm":
        strategy = STRATEGIES[number % len(STRATEGIES)]
        run([tools / "pdm/bin/pdm", "lock", "-q", "-G:all", "-S",
             f"no_inherit_metadata,{strategy}"], folder)
    if tool == "poetry":
        run([tools / "poetry/bin/poetry", "lock", "-q"], folder)
    if tool == "pipenv":
        run([tools / "pipenv/bin/pipenv", "lock", "-q", "--categories",
             "packages,dev-packages,docs,more"], folder)


def main():
    tools, folder = Path(sys.argv[1]).absolute(), Path(sys.argv[2]).absolute()
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 10
    failed = 0
    for number in range(count):
        for tool in ("uv", "pylock", "pdm", "poetry", "pipenv"):
            case = {**project(number), "name": f"case-{number}"}
            try:
                place = folder / f"{number}-{tool}"
                lock(tool, number, case, place, tools)
                export(tools, tool, place)
            except Refused as error:
                # Not every choice of packages has a solution; that is no fault of the reader.
                print(f"left out: {number} {tool}: {str(error).splitlines()[-1][:160]}", flush=True)
                failed += 1
    print(f"{count} projects, {failed} left out")


main()
