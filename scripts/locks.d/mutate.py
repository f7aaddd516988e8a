"""Locks a few small projects, changes one thing in the manifest of each, and writes down whether
its tool says that the lock still belongs to it.

usage: mutate.py TOOLS FOLDER

There is a folder for each change, as generate.py makes it. What is there already is kept.
"""

import json
import shutil
import sys
import tomllib
from pathlib import Path

from export import LOCKS, Refused, ask, run

PROJECT = """\
[project]
name = "app"
version = "0.1.0"
description = "An application"
requires-python = ">=3.9"
dependencies = ["iniconfig>=2", "click>=8 ; python_version >= '3.8'", "Mypy_Extensions"]
[project.optional-dependencies]
web = ["itsdangerous>=2", "app[more]"]
more = ["markupsafe>=2,<4"]
[dependency-groups]
dev = ["six", {include-group = "test"}]
test = ["pluggy>=1"]
"""
POETRY = """\
[tool.poetry]
name = "app"
version = "0.1.0"
description = "An application"
authors = []
package-mode = false
[tool.poetry.dependencies]
python = "^3.9"
iniconfig = "^2.0"
click = { version = ">=8", markers = "os_name == 'posix'" }
itsdangerous = { version = "*", optional = true }
[tool.poetry.extras]
web = ["itsdangerous"]
[tool.poetry.group.dev.dependencies]
six = "*"
[tool.poetry.group.test]
optional = true
[tool.poetry.group.test.dependencies]
pluggy = ">=1"
"""
# Poetry's own way to PyPI is not that of an index, and mirrors may lack it.
SOURCE = """\
[[tool.poetry.source]]
name = "index"
url = "https://pypi.org/simple/"
priority = "primary"
"""
POETRY += SOURCE
OLD_POETRY = POETRY.replace("[tool.poetry.group.dev.dependencies]",
                            "[tool.poetry.dev-dependencies]")
# Several manifests: each begins with its path.
WORKSPACE = """\
[project]
name = "top"
version = "0.1.0"
requires-python = ">=3.9"
dependencies = ["iniconfig>=2", "one"]
[tool.uv]
exclude-newer = "2026-01-01T00:00:00Z"
exclude-newer-package = { six = "2025-12-01T00:00:00Z", idna = false }
resolution = "lowest-direct"
prerelease = "explicit"
fork-strategy = "fewest"
exclude-dependencies = ["colorama"]
override-dependencies = ["iniconfig<3"]
build-constraint-dependencies = ["hatchling<2"]
required-environments = ["sys_platform == 'linux'"]
[[tool.uv.index]]
url = "https://pypi.org/simple"
default = true
[[tool.uv.dependency-metadata]]
name = "click"
version = "8.1.8"
requires-dist = ["colorama; extra == 'x'"]
[tool.uv.workspace]
members = ["libs/*"]
[tool.uv.sources]
one = { workspace = true }
### libs/one/pyproject.toml
[project]
name = "one"
version = "0.2.0"
requires-python = ">=3.8"
dependencies = ["two", "three", "click>=8"]
[project.optional-dependencies]
fast = ["itsdangerous"]
[dependency-groups]
dev = ["six"]
[tool.uv.sources]
two = { workspace = true }
three = { path = "../../other/three" }
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
### libs/two/pyproject.toml
[project]
name = "two"
version = "0.3.0"
dependencies = ["pluggy"]
### libs/lone/pyproject.toml
[project]
name = "lone"
version = "0.1.0"
requires-python = ">=3.9"
### other/three/pyproject.toml
[project]
name = "three"
version = "0.4.0"
requires-python = ">=3.7"
dependencies = ["attrs"]
[dependency-groups]
dev = ["idna"]
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
"""
# The same with all sources at the top.
SOURCES = """\
two = { workspace = true }
three = { path = "../../other/three" }
"""
INHERITED = WORKSPACE.replace("[tool.uv.sources]\n" + SOURCES, "").replace(
    "one = { workspace = true }\n",
    "one = { workspace = true }\n" + SOURCES.replace("../../", ""))
PIPFILE = """\
[[source]]
name = "pypi"
url = "https://pypi.org/simple"
verify_ssl = true
[packages]
iniconfig = ">=2"
click = { version = ">=8", markers = "os_name == 'posix'" }
[dev-packages]
six = "*"
[docs]
pluggy = "*"
[requires]
python_version = "3.13"
[scripts]
serve = "python app.py"
"""

# What is changed: the words, and what stands there then. A change that a base lacks is left out.
COMMON = [
    ('"An application"', '"Another"'),
    ('version = "0.1.0"', 'version = "0.2.0"'),
    ('name = "app"', 'name = "other"'),
    ("[project]\n", '[project]\nreadme = "README.md"\nlicense = "MIT"\nkeywords = ["x"]\n'),
    ("[project]\n", '[project]\nauthors = [{name = "Åsa"}]\nurls = {home = "https://x.org"}\n'),
    ("[project.opt", '[project.scripts]\nx = "app:main"\n[project.opt'),
    ("", "[tool.ruff]\nline-length = 100\n"),
    ("", "[build-system]\nrequires = [\"hatchling\"]\nbuild-backend = \"hatchling.build\"\n"),
    ('requires-python = ">=3.9"', 'requires-python = ">=3.10"'),
    ('requires-python = ">=3.9"', 'requires-python = ">= 3.9"'),
    ('"iniconfig>=2"', '"iniconfig>=2.0"'),
    ('"iniconfig>=2"', '"iniconfig >= 2"'),
    ('"iniconfig>=2"', '"iniconfig>=1"'),
    ('"iniconfig>=2"', '"iniconfig>=2,<3"'),
    ('"iniconfig>=2"', '"Iniconfig>=2"'),
    ('"iniconfig>=2"', '"iniconfig>=2", "attrs"'),
    ('"iniconfig>=2", ', ""),
    ('"iniconfig>=2"', '"iniconfig[x]>=2"'),
    ('"iniconfig>=2"', '"iniconfig>=2; sys_platform == \'linux\'"'),
    ('"iniconfig>=2"', '"iniconfig @ https://example.org/iniconfig-2.0-py3-none-any.whl"'),
    ("python_version >= '3.8'", "python_version >= '3.12'"),
    (" ; python_version >= '3.8'", ""),
    ("python_version >= '3.8'", 'python_version>=\\"3.8\\"'),
    ('"Mypy_Extensions"', '"mypy-extensions"'),
    ('"itsdangerous>=2"', '"itsdangerous>=2", "attrs"'),
    ('"itsdangerous>=2", ', ""),
    (', "app[more]"', ""),
    ("web = [", "net = ["),
    ('more = ["markupsafe>=2,<4"]', 'more = ["markupsafe>=2,<4"]\nempty = []'),
    ('more = ["markupsafe>=2,<4"]', 'more = ["markupsafe<4,>=2"]'),
    ('"six", ', ""),
    ('"six"', '"six>=1"'),
    (', {include-group = "test"}', ""),
    ('"pluggy>=1"', '"pluggy>=1", "attrs"'),
    ("[dependency-groups]", '[dependency-groups]\nextra = ["attrs"]'),
    ("[dependency-groups]", "[dependency-groups]\nempty = []"),
]
OF_TOOL = {
    "uv": [
        ("", '[tool.uv]\ndev-dependencies = ["attrs"]\n'),
        ("", "[tool.uv]\ndefault-groups = []\n"),
        ("", '[tool.uv]\ndefault-groups = "all"\n'),
        ("", "[tool.uv]\npackage = true\n"),
        ("", '[tool.uv]\nconstraint-dependencies = ["click<9"]\n'),
        ("", '[tool.uv]\noverride-dependencies = ["click<9"]\n'),
        ("", '[tool.uv]\nresolution = "lowest"\n'),
        ("", '[tool.uv]\nenvironments = ["sys_platform == \'linux\'"]\n'),
        ("", '[tool.uv]\nconflicts = [[{extra = "web"}, {group = "dev"}]]\n'),
        ("", '[tool.uv.sources]\nclick = { git = "https://example.org/click" }\n'),
        ("", '[[tool.uv.index]]\nname = "x"\nurl = "https://example.org/simple"\n'),
        ("", '[[tool.uv.index]]\nurl = "https://example.org/simple"\ndefault = true\n'),
        ("", '[[tool.uv.index]]\nurl = "https://pypi.org/simple"\ndefault = true\n'),
        ("", '[tool.uv]\nindex-url = "https://example.org/simple"\n'),
        ("", '[tool.uv]\nextra-index-url = ["https://example.org/simple"]\n'),
        ("", '[tool.uv]\nexclude-dependencies = ["attrs"]\n'),
        ("", '[tool.uv]\nexclude-dependencies = ["click"]\n'),
        ("", '[tool.uv]\nconstraint-dependencies = ["attrs<9"]\n'),
        ("", '[tool.uv]\noverride-dependencies = ["attrs<9"]\n'),
        ("", '[tool.uv]\noverride-dependencies = [{package = {name = "attrs"}, '
         'dependencies = ["colorama<1"]}]\n'),
        ("", '[[tool.uv.dependency-metadata]]\nname = "attrs"\nrequires-dist = ["six"]\n'),
        ("", '[tool.uv]\nbuild-constraint-dependencies = ["setuptools<80"]\n'),
        ("", '[tool.uv]\nrequired-environments = ["sys_platform == \'linux\'"]\n'),
        ("", '[tool.uv]\noverride-dependencies = [{package = {name = "click"}, '
         'dependencies = ["colorama<1"]}]\n'),
        ("", '[[tool.uv.dependency-metadata]]\nname = "click"\nrequires-dist = ["six"]\n'),
        ("", '[tool.uv.pip]\nno-build = true\n'),
        ("", '[tool.uv.workspace]\nmembers = []\n'),
    ],
    "workspace": [
        ("one = { workspace = true }", "one = { workspace = true, editable = true }"),
        ("one = { workspace = true }", "one = { workspace = true, editable = false }"),
        ('"../../other/three" }', '"../../other/three", editable = true }'),
        ('"../../other/three" }', '"../../other/three", editable = false }'),
        ("two = { workspace = true }", "two = { workspace = true, editable = false }"),
        ('exclude-dependencies = ["colorama"]', 'exclude-dependencies = ["Colorama"]'),
        ('exclude-dependencies = ["colorama"]\n', ""),
        ('["iniconfig<3"]', '["iniconfig < 3.0"]'),
        ('["iniconfig<3"]', '["iniconfig<4"]'),
        ('["hatchling<2"]', '["hatchling<3"]'),
        ("\"sys_platform == 'linux'\"", "\"sys_platform=='linux'\""),
        ("\"sys_platform == 'linux'\"", "\"sys_platform == 'darwin'\""),
        ("required-environments = [\"sys_platform == 'linux'\"]\n", ""),
        ('"colorama; extra == \'x\'"', '"colorama ; extra==\'x\'"'),
        ('"colorama; extra == \'x\'"', '"colorama"'),
        ('requires-dist = ["colorama; extra == \'x\'"]', "requires-dist = []"),
        ('version = "8.1.8"\n', ""),
        ('[[tool.uv.index]]\nurl = "https://pypi.org/simple"\ndefault = true\n', ""),
        ("pypi.org/simple\"\ndefault = true", "example.org/simple\"\ndefault = true"),
        ("pypi.org/simple\"\ndefault = true", "example.org/simple\""),
        ('"one"]', '"one", "three"]\n'),
        ("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"),
        ("2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00"),
        ('"2026-01-01T00:00:00Z"', '"2026-01-01T00:00:00Z"\nconstraint-dependencies = ["six<9"]'),
        ('version = "0.2.0"', 'version = "0.2.1"'),
        ('requires-python = ">=3.8"', 'requires-python = ">=3.9"'),
        ('"click>=8"', '"click>=8.1"'),
        ('"click>=8"', '"click >= 8"'),
        (', "click>=8"', ""),
        ('fast = ["its', 'slow = ["its'),
        ('["six"]', '["six>=1"]'),
        ('"pluggy"', '"pluggy", "attrs"'),
        ('version = "0.3.0"', 'version = "0.3.0"\ndescription = "x"'),
        ('version = "0.3.0"', 'version = "0.3.1"'),
        ('dependencies = ["attrs"]', 'dependencies = ["attrs", "six"]'),
        ('["idna"]', '["idna", "six"]'),
        ('requires-python = ">=3.7"', 'requires-python = ">=3.6"'),
        ("", "[project.optional-dependencies]\nmore = ['six']\n"),
        # Members: one that is not there any more, whether or not another needs it, and others.
        ("### libs/lone/", "### gone/lone/"),
        ("### libs/two/", "### gone/two/"),
        ("### other/three/", "### gone/three/"),
        ('["libs/*"]', '["libs/[a-z]*"]'),
        ('["libs/*"]', '["libs/[lo]*", "libs/tw[!a]", "li[b]s/t??"]'),
        ('["libs/*"]', '["libs/[!t]*"]'),
        # What the top says of sources, and what a member says itself.
        ('three = { path = "../../other/three" }\n', ""),
        ("true }\n### ", "true }\ntwo = { workspace = true, editable = false }\n### "),
        ("true }\n### ", 'true }\nthree = { path = "other" }\n### '),
        ("true }\n### ", 'true }\nclick = { git = "https://example.org/click" }\n### '),
        ("true }\n### ", 'true }\nclick = { index = "x" }\n[[tool.uv.index]]\nname = "x"\n'
         'url = "https://pypi.org/simple"\n### '),
        ('three = { path = "other/three" }\n', ""),
        ('"other/three" }', '"other/three", editable = true }'),
        ('"other/three" }', '"./other/../other/three" }'),
        ("two = { workspace = true }\nthree",
         "two = { workspace = true, editable = false }\nthree"),
        ('["six"]\n[build', '["six"]\n[tool.uv.sources]\nthree = { path = "../../other/three" }\n'
         "[build"),
        ('["six"]\n[build', '["six"]\n[tool.uv.sources]\nthree = { path = "../other/three" }\n'
         "[build"),
        ('name = "lone"', 'name = "other"'),
        ('[project]\nname = "lone"', '[tool.black]\nname = "lone"'),
        ('name = "lone"\nversion = "0.1.0"\nrequires-python = ">=3.9"',
         'name = "lone"\nversion = "0.1.0"\nrequires-python = ">=3.10"'),
        ('["libs/*"]', '["libs/*"]\nexclude = ["libs/lone"]'),
        ('["libs/*"]', '["libs/*"]\nexclude = ["libs/new"]'),
        ('["libs/*"]', '["./libs/lone/", "libs/t?o", "libs/one"]'),
        ('["libs/*"]', '["libs/one", "libs/two"]'),
        ('["libs/*"]', '["libs/*", "other/*"]'),
        ("", "### libs/new/pyproject.toml\n[project]\nname = \"new\"\nversion = \"1\"\n"),
        ("", "### libs/new/pyproject.toml\n[project]\nname = \"new\"\nversion = \"1\"\n"
         "[tool.uv]\nmanaged = false\n"),
        ("", "### libs/one/deeper/pyproject.toml\n[project]\nname = \"new\"\n"
         "version = \"1\"\n"),
        # How versions are chosen.
        ('exclude-newer = "2026-01-01T00:00:00Z"\n', ""),
        ("2026-01-01T00:00:00Z", "2025-12-31T00:00:00Z"),
        ('exclude-newer = "2026-01-01T00:00:00Z"', 'exclude-newer = "1 week"'),
        ("six = \"2025-12-01T00:00:00Z\", ", ""),
        ("six = \"2025-12-01T00:00:00Z\"", "Six = \"2025-12-01T01:00:00+01:00\""),
        ("six = \"2025-12-01T00:00:00Z\"", "six = \"2025-12-02T00:00:00Z\""),
        ("idna = false", "idna = \"2025-12-01T00:00:00Z\""),
        ("idna = false", "idna = false, nothing = false"),
        ('resolution = "lowest-direct"\n', ""),
        ('prerelease = "explicit"\n', ""),
        ('fork-strategy = "fewest"\n', ""),
        ('fork-strategy = "fewest"', 'fork-strategy = "requires-python"'),
        # An index with another slash is another one.
        ("https://pypi.org/simple\"\ndefault = true", "https://pypi.org/simple/\"\ndefault = true"),
        ("https://pypi.org/simple\"\ndefault = true",
         "https://user@PyPI.org/simple\"\ndefault = true"),
    ],
    "poetry": [
        ("", '[[tool.poetry.source]]\nname = "x"\nurl = "https://example.org/simple"\n'),
        ("", '[tool.poetry.scripts]\nx = "app:main"\n'),
        ("", '[tool.poetry.urls]\nx = "https://example.org"\n'),
        ("", "[tool.poetry.requires-plugins]\nx = \"*\"\n"),
        ("package-mode = false", "package-mode = true"),
        ('python = "^3.9"', 'python = "^3.10"'),
        ('iniconfig = "^2.0"', 'iniconfig = "^2"'),
        ('iniconfig = "^2.0"', 'iniconfig = { version = "^2.0" }'),
        ('iniconfig = "^2.0"\n', ""),
        ('iniconfig = "^2.0"', 'iniconfig = "^2.0"\nattrs = "*"'),
        ("os_name == 'posix'", "os_name == 'nt'"),
        ('version = ">=8", markers', 'allow-prereleases = true, version = ">=8", markers'),
        ("optional = true }", "optional = false }"),
        ('web = ["itsdangerous"]', 'net = ["itsdangerous"]'),
        ('web = ["itsdangerous"]', "web = []"),
        ('six = "*"', 'six = ">=20"'),
        ("[tool.poetry.group.test]\noptional = true\n", ""),
        ('pluggy = ">=1"', 'pluggy = ">=1"\nattrs = "*"'),
        ("[tool.poetry.group.test]\n", '[tool.poetry.group.test]\ninclude-groups = ["dev"]\n'),
        ("[tool.poetry.group.test]\n", "[tool.poetry.group.more.dependencies]\n"
         "[tool.poetry.group.test]\n"),
    ],
    "pdm": [
        ("", "[tool.pdm]\ndistribution = true\n"),
        ("", '[tool.pdm.dev-dependencies]\ntest = ["attrs"]\n'),
        ("", '[tool.pdm.dev-dependencies]\nother = ["attrs"]\n'),
        ("", "[tool.pdm.scripts]\nx = \"python\"\n"),
        ("", "[tool.pdm.resolution]\nallow-prereleases = true\n"),
        ("", '[tool.pdm.resolution]\nexcludes = ["attrs"]\n'),
        ("", '[tool.pdm.resolution.overrides]\nclick = "8.0"\n'),
        ("", '[[tool.pdm.source]]\nname = "x"\nurl = "https://example.org/simple"\n'),
        ("", '[[tool.pdm.source]]\nname = "é"\nurl = "https://example.org/simple"\n'
         "verify_ssl = false\n"),
        ("", "[tool.pdm.build]\nexcludes = []\n"),
    ],
    "pipenv": [
        ("", "# a comment\n"),
        ('"python app.py"', '"python other.py"'),
        ("verify_ssl = true", "verify_ssl = false"),
        ("https://pypi.org/simple", "https://example.org/simple"),
        ('iniconfig = ">=2"', 'iniconfig = ">=2.0"'),
        ('iniconfig = ">=2"', 'iniconfig = {version = ">=2"}'),
        ('iniconfig = ">=2"', "iniconfig = '>=2'"),
        ('iniconfig = ">=2"\n', ""),
        ('iniconfig = ">=2"', 'iniconfig = ">=2"\nattrs = "*"'),
        ("'posix'", "'nt'"),
        ('six = "*"', 'six = ">=20"'),
        ('pluggy = "*"', 'pluggy = ">=1"'),
        ("[docs]", "[manual]"),
        ('[docs]\npluggy = "*"\n', ""),
        ('python_version = "3.13"', 'python_version = "3.12"'),
        ('[requires]\npython_version = "3.13"\n', ""),
        ("[requires]\n", '[requires]\npython_full_version = "3.13.0"\n'),
        ("", "[pipenv]\nallow_prereleases = true\n"),
        ("", "[empty]\n"),
        ("", '[other]\nattrs = { git = "https://example.org/é", ref = "main" }\n'),
    ],
}
BASES = [("uv", "uv", PROJECT), ("uv", "uv", WORKSPACE),
         ("uv", "uv", INHERITED), ("pdm", "pdm", PROJECT),
         ("poetry", "poetry", POETRY),
         # Poetry refuses a project that depends on itself.
         ("poetry", "poetry", PROJECT.replace(', "app[more]"', "") + "[tool.poetry]\n"
          "package-mode = false\n"
          "[tool.poetry.dependencies]\npython = \">=3.9,<4\"\n" + SOURCE),
         ("poetry", "poetry1.8", POETRY), ("poetry", "poetry1.8", OLD_POETRY),
         ("pipenv", "pipenv", PIPFILE)]
LOCKING = {"uv": ["lock", "-q"], "pdm": ["lock", "-q", "-G:all"], "poetry": ["lock", "-q"],
           "poetry1.8": ["lock", "-q"],
           "pipenv": ["lock", "-q", "--categories", "packages,dev-packages,docs"]}


def is_fresh(tools, tool, program, folder):
    if tool != "uv":
        return ask(tools, program, folder, ask="facts", pythons=[])["fresh"]
    try:
        run([tools / "uv/bin/uv", "lock", "--check", "--offline"], folder)
        return True
    except Refused:
        return False


def write(folder, manifest, text):
    first, *others = text.split("### ")
    for path, part in [(manifest, first), *(other.split("\n", 1) for other in others)]:
        try:
            tomllib.loads(part)
        except tomllib.TOMLDecodeError as error:
            raise SystemExit(f"{error} in {part}") from error
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(part)


def changes_of(tool, text):
    if text in (WORKSPACE, INHERITED):
        return [("", "")] + OF_TOOL["workspace"]
    return [("", "")] + (COMMON if "[project]" in text else []) + OF_TOOL[tool]


def main():
    tools, collection = Path(sys.argv[1]).absolute(), Path(sys.argv[2]).absolute()
    for number, (tool, program, text) in enumerate(BASES):
        manifest = "Pipfile" if tool == "pipenv" else "pyproject.toml"
        base = collection / f"changed-{number}"
        base.mkdir(parents=True, exist_ok=True)
        write(base, manifest, text)
        if not (base / LOCKS[tool]).exists():
            try:
                run([tools / program / "bin" / program.rstrip(".0123456789"), *LOCKING[program]],
                    base)
            except Refused as error:
                print(f"left out: {program}: {' '.join(str(error).split())[-300:]}", flush=True)
                continue
        for change, (old, new) in enumerate(changes_of(tool, text)):
            if old not in text:
                continue
            folder = collection / f"changed-{number}-{change}"
            result = folder / f"{LOCKS[tool]}.expected.json"
            if result.exists():
                continue
            folder.mkdir(exist_ok=True)
            shutil.copy(base / LOCKS[tool], folder)
            changed = text.replace(old, new, 1) if old else text + new
            write(folder, manifest, changed)
            try:
                fresh = is_fresh(tools, tool, program, folder)
            except Refused as error:
                print(f"left out: {program} {new!r}: {' '.join(str(error).split())[-200:]}",
                      flush=True)
                continue
            result.write_text(json.dumps({"fresh": fresh, "change": [old, new], "cases": [
                {"python": "3.13.0", "groups": [], "extras": [], "packages": None}]}))


main()
