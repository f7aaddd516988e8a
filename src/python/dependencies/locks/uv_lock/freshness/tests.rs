//! What makes a uv.lock stale, and what does not. `scripts/locks.d/mutate.py` asks uv itself.

use super::super::super::{LockError, Manifests};
use super::super::file::Lock;
use super::check;

mod workspaces;

const PYPROJECT: &str = r#"
[project]
name = "app"
version = "0.1.0"
description = "An application"
requires-python = ">=3.9"
dependencies = ["iniconfig>=2", "click>=8 ; python_version >= '3.8'", "torch", "Mypy_Extensions"]
[project.optional-dependencies]
web = ["itsdangerous>=2", "app[more]"]
more = ["markupsafe>=2,<4; os_name == 'nt'"]
[dependency-groups]
dev = ["six", {include-group = "test"}]
test = ["pluggy>=1"]
[tool.uv]
constraint-dependencies = ["click<9"]
[tool.uv.sources]
torch = { git = "https://example.org/torch", rev = "x" }
"#;

const LOCK: &str = r#"
version = 1
revision = 3
requires-python = ">=3.9"

[manifest]
constraints = [{ name = "click", specifier = "<9" }]

[[package]]
name = "app"
version = "0.1.0"
source = { virtual = "." }

[package.metadata]
requires-dist = [
    { name = "app", extras = ["more"], marker = "extra == 'web'" },
    { name = "click", marker = "python_full_version >= '3.8'", specifier = ">=8" },
    { name = "iniconfig", specifier = ">=2" },
    { name = "itsdangerous", marker = "extra == 'web'", specifier = ">=2" },
    { name = "markupsafe", marker = "os_name == 'nt' and extra == 'more'", specifier = ">=2,<4" },
    { name = "mypy-extensions" },
    { name = "torch", git = "https://example.org/torch?rev=x" },
]
provides-extras = ["web", "more"]

[package.metadata.requires-dev]
dev = [{ name = "pluggy", specifier = ">=1" }, { name = "six" }]
test = [{ name = "pluggy", specifier = ">=1" }]

[[package]]
name = "click"
version = "8.0"
source = { registry = "https://pypi.org/simple" }
"#;

fn checked(lock: &str, pyproject: &str) -> Result<(), String> {
    let lock: Lock = toml::from_str(lock).unwrap();
    let manifests = Manifests { pyproject: pyproject.parse().unwrap(), ..Manifests::default() };
    check(&lock, &manifests).map_err(|error| match error {
        LockError::Stale { why, .. } => why,
        other => panic!("{other}"),
    })
}

fn with(from: &str, to: &str) -> Result<(), String> {
    assert!(PYPROJECT.contains(from), "{from}");
    checked(LOCK, &PYPROJECT.replacen(from, to, 1))
}

/// A project that raises its `requires-python` often keeps the markers for those that it had.
#[test]
fn what_is_for_no_python_of_the_project_is_no_difference() {
    let markers = |text: &str| {
        text.replace("python_version >= '3.8'", "python_version < '3.8'")
            .replace("python_full_version >= '3.8'", "python_full_version < '3.8'")
    };
    assert_eq!(checked(&markers(LOCK), &markers(PYPROJECT)), Ok(()));
    let lock = LOCK.replace(
        "\"click\", specifier",
        "\"click\", marker = \"python_full_version < '3.8'\", specifier",
    );
    let pyproject = PYPROJECT.replace("\"click<9\"", "\"click<9 ; python_version < '3.8'\"");
    assert_eq!(checked(&lock, &pyproject), Ok(()));
}

#[test]
fn markers_are_compared_as_uv_writes_them() {
    let lock = LOCK.replace("python_full_version >= '3.8'", "python_full_version <= '3.11'");
    let pyproject = PYPROJECT.replace("python_version >= '3.8'", "python_full_version<='3.11.0a6'");
    assert_eq!(checked(&lock, &pyproject), Ok(()));

    // Which Pythons a group is for, uv says of all that it asks for.
    let six = "{ name = \"six\", marker = \"python_full_version >= '3.11'\" }";
    let lock = LOCK.replace("{ name = \"six\" }", six);
    assert!(checked(&lock, PYPROJECT).is_err());
    let settings = "[tool.uv.dependency-groups]\nDEV = {requires-python = '>=3.11'}\n";
    assert_eq!(checked(&lock, &format!("{PYPROJECT}{settings}")), Ok(()));
    let pluggy = "marker = \"python_full_version >= '3.11'\", specifier = \">=1\" }";
    let both = LOCK.replacen("specifier = \">=1\" }", pluggy, 1);
    let included = settings.replace("DEV", "Test");
    assert_eq!(checked(&both, &format!("{PYPROJECT}{included}")), Ok(()));
    assert!(checked(LOCK, &format!("{PYPROJECT}{included}")).is_err(), "of dev");
    let other = settings.replace("3.11", "3.10");
    assert!(checked(&lock, &format!("{PYPROJECT}{other}")).is_err());
}

#[test]
fn what_means_the_same_leaves_a_lock_as_it_is() {
    for (from, to) in [
        ("", ""),
        ("An application", "Another"),
        ("[project]\n", "[project]\nreadme = 'README.md'\nauthors = [{name = 'x'}]\n"),
        ("[tool.uv]\n", "[tool.ruff]\nx = 1\n[tool.uv]\ndefault-groups = ['dev']\n"),
        ("\"iniconfig>=2\"", "\"Iniconfig >= 2.0.0\""),
        ("python_version >= '3.8'", "'3.8' <= python_version"),
        (" ; python_version >= '3.8'", ""),
        (">=2,<4;", "<4,>=2;"),
        ("requires-python = \">=3.9\"", "requires-python = \">3.8.99\""),
        ("\"six\", {include-group = \"test\"}", "{include-group = \"test\"}, \"six\""),
    ] {
        assert_eq!(with(from, to), Ok(()), "{from} -> {to}");
    }
    // What another tool's build says is not known before it is built.
    let dynamic =
        PYPROJECT.replace("dependencies = [\"ini", "dynamic = ['dependencies']\nx = [\"ini");
    assert_eq!(checked(LOCK, &dynamic), Ok(()));
    // A source for some systems: uv keeps the requirement in two parts.
    let parts = LOCK.replace(
        "{ name = \"iniconfig\", specifier = \">=2\" },",
        "{ name = \"iniconfig\", marker = \"os_name == 'nt'\", specifier = \">=2\" },\n\
         { name = \"iniconfig\", marker = \"os_name != 'nt'\", specifier = \">=2\" },",
    );
    let with_marker = PYPROJECT.replace(
        "torch = {",
        "iniconfig = { index = \"x\", marker = \"os_name == 'nt'\" }\ntorch = {",
    );
    assert_eq!(checked(&parts, &with_marker), Ok(()));
    // Older versions of uv kept what `app[more]` stands for.
    let flattened = LOCK.replace(
        "{ name = \"app\", extras = [\"more\"], marker = \"extra == 'web'\" },",
        "{ name = \"markupsafe\", marker = \"os_name == 'nt' and extra == 'web'\", \
         specifier = \">=2,<4\" },",
    );
    assert_eq!(checked(&flattened, PYPROJECT), Ok(()));
}

#[test]
fn what_means_something_else_makes_a_lock_stale() {
    for (from, to, why) in [
        ("\"0.1.0\"", "\"0.2.0\"", "the version is 0.2.0 there, and 0.1.0 in the lock"),
        ("[tool.uv]", "[build-system]\n[tool.uv]", "app is a package there"),
        ("\">=3.9\"", "\">=3.10\"", "requires-python is >=3.10 there, and >=3.9 in the lock"),
        ("\"iniconfig>=2\"", "\"iniconfig>=2\", \"attrs>1\"", "attrs>1 is new there"),
        ("\"iniconfig>=2\", ", "", "iniconfig>=2 is no longer there"),
        ("iniconfig>=2", "iniconfig>=2.1", "iniconfig>=2.1 is not what the lock was made for"),
        ("iniconfig>=2", "iniconfig[x]>=2", "iniconfig>=2 is not what the lock was made for"),
        ("'3.8'", "'3.12'", "click>=8 is not what the lock was made for"),
        ("os_name == 'nt'", "os_name == 'posix'", "markupsafe<4,>=2 is not what the lock was made"),
        ("git = ", "path = ", "torch is not what the lock was made for"),
        ("torch = {", "other = {", "torch is not what the lock was made for"),
        ("web = [", "net = [", "the extra net is new there"),
        (", \"app[more]\"", "", "app is no longer there"),
        ("more = [", "empty = []\nmore = [", "the extra empty is new there"),
        ("\"six\", ", "", "six is no longer there, in the group dev"),
        (", {include-group = \"test\"}", "", "pluggy>=1 is no longer there, in the group dev"),
        ("test = [", "empty = []\ntest = [", "the group empty is new there"),
        ("[tool.uv]", "[tool.uv]\ndev-dependencies = ['x']", "x is new there, in the group dev"),
        ("click<9", "click<8", "click<8 is not what the lock was made for, in constraint-depend"),
        ("[tool.uv]", "[tool.uv]\nresolution = 'lowest'", "resolution has changed there"),
        (
            "[tool.uv]",
            "[tool.uv]\nenvironments = ['os_name == \"nt\"']",
            "environments has changed",
        ),
        (
            "[tool.uv]",
            "[tool.uv]\nconflicts = [[{extra = 'web'}, {extra = 'more'}]]",
            "conflicts has changed there",
        ),
    ] {
        let found = with(from, to).expect_err(to);
        assert!(found.starts_with(why), "{from} -> {to}: {found}");
    }
}

#[test]
fn another_commit_of_a_repository_makes_a_lock_stale() {
    for (now, then, is_fresh) in [
        ("rev = \"x\"", "rev=x", true),
        ("rev = \"y\"", "rev=x", false),
        ("tag = \"x\"", "rev=x", false),
        ("branch = \"a/b\"", "subdirectory=lib&branch=a%2Fb", true),
        ("branch = \"a/c\"", "subdirectory=lib&branch=a%2Fb", false),
    ] {
        let pyproject = PYPROJECT.replace("rev = \"x\"", now);
        let lock = LOCK.replace("rev=x", then);
        assert_eq!(checked(&lock, &pyproject).is_ok(), is_fresh, "{now} {then}");
    }
    let url = |reference: &str| {
        let of = format!("\"torch @ git+ssh://git@example.org/torch{reference}#egg=torch\"");
        let lock = LOCK.replace("https://example", "ssh://git@example");
        checked(&lock, &PYPROJECT.replace("\"torch\"", &of).replace("torch = {", "other = {"))
    };
    assert_eq!(url("@x"), Ok(()));
    assert!(url("@y").is_err() && url("").is_err());
}

#[test]
fn another_address_makes_a_lock_stale() {
    const GIT: &str = "{ git = \"https://example.org/torch\", rev = \"x\" }";
    let check = |source: &str, locked: &str, is_fresh: bool| {
        let lock = LOCK.replace("git = \"https://example.org/torch?rev=x\"", locked);
        let checked = checked(&lock, &PYPROJECT.replace(GIT, source));
        assert_eq!(checked.is_ok(), is_fresh, "{source} {locked}: {checked:?}");
    };
    for (address, is_fresh) in [
        ("https://Example.org/torch/", true),
        ("https://me:secret@example.org/torch", true),
        ("https://example.org/torch.git", false),
        ("https://example.net/torch", false),
    ] {
        let source = GIT.replace("https://example.org/torch", address);
        check(&source, "git = \"https://example.org/torch?rev=x\"", is_fresh);
    }
    for (path, is_fresh) in [("libs/torch", true), ("./libs/x/../torch/", true), ("lib", false)] {
        check(&format!("{{ path = '{path}' }}"), "directory = 'libs/torch'", is_fresh);
        let linked = format!("{{ path = '{path}', editable = true }}");
        check(&linked, "editable = 'libs/torch'", is_fresh);
    }
    for (editable, locked, is_fresh) in [
        ("editable = true", "directory", false),
        ("editable = false", "directory", true),
        ("editable = false", "editable", false),
        ("editable = false", "virtual", true),
    ] {
        for source in ["path = 'lib'", "workspace = true"] {
            check(&format!("{{ {source}, {editable} }}"), &format!("{locked} = 'lib'"), is_fresh);
        }
    }
    check("{ path = 'lib' }", "editable = 'lib'", false);
    check("{ workspace = true }", "directory = 'lib'", false);
    check("{ path = '/srv/torch' }", "directory = '/srv/torch'", true);
    check("{ workspace = true }", "editable = 'anywhere'", true);

    let index = "[[tool.uv.index]]\nname = 'own'\nurl = 'https://example.org/simple/'\n";
    let of_index = |source: &str, locked: &str| {
        let lock = LOCK.replace("git = \"https://example.org/torch?rev=x\"", locked);
        checked(&lock, &(PYPROJECT.replace(GIT, source) + index)).is_ok()
    };
    let own = "{ index = 'own' }";
    assert!(of_index(own, "index = 'https://example.org/simple/'"));
    // To uv, this is another one.
    assert!(!of_index(own, "index = 'https://example.org/simple'"));
    assert!(!of_index(own, "index = 'https://example.org/other'"));
    assert!(!of_index(own, "specifier = ''"), "the lock has it from PyPI");
    let of_machine = index.replace("https://example.org/", "file:///srv/");
    let lock = LOCK.replace("git = \"https://example.org/torch?rev=x\"", "index = '../srv/simple'");
    assert_eq!(checked(&lock, &(PYPROJECT.replace(GIT, own) + &of_machine)), Ok(()));
    // One that another file names.
    assert!(of_index("{ index = 'theirs' }", "index = 'https://example.org/other'"));

    let without_source = PYPROJECT.replace("torch = {", "other = {");
    let url = |written: &str| {
        let pyproject = without_source.replace("\"torch\"", &format!("\"torch @ {written}\""));
        let of_url = "url = \"https://example.org/torch-1.whl\"";
        let lock = LOCK.replace("git = \"https://example.org/torch?rev=x\"", of_url);
        checked(&lock, &pyproject).is_ok()
    };
    assert!(url("https://example.org/torch-1.whl#sha256=00"));
    assert!(url("https://${TOKEN}@example.org/torch-1.whl"));
    assert!(!url("https://example.org/torch-2.whl"));
    let of_member = PYPROJECT
        .replace(GIT, "{ workspace = true }")
        .replace("\"torch\"", "\"torch @ https://example.org/torch-1.whl\"");
    let lock = LOCK.replace("git = \"https://example.org/torch?rev=x\"", "editable = \"lib\"");
    assert_eq!(checked(&lock, &of_member), Ok(()));
    assert!(url("file:///srv/torch-2.whl"), "a path is not compared");
    check(&GIT.replace("https", "file"), "git = \"file://example.org/torch?rev=x\"", true);
    check(&GIT.replace("https", "file"), "git = \"file://example.org/other?rev=x\"", false);
    assert!(checked(LOCK, &without_source).is_err());
}

#[test]
fn a_new_lock_has_the_default_groups_of_its_project() {
    let new = LOCK.replace("revision = 3", "revision = 5");
    let pyproject = PYPROJECT.replace("[tool.uv]", "[tool.uv]\ndefault-groups = ['dev']");
    assert_eq!(checked(LOCK, &pyproject), Ok(()));
    assert_eq!(checked(&new, &pyproject).unwrap_err(), "default-groups has changed there");
    let with = new.replace("\n[package.metadata]", "default-groups = ['dev']\n[package.metadata]");
    assert_eq!(checked(&with, &pyproject), Ok(()));
    assert_eq!(checked(&with, PYPROJECT).unwrap_err(), "default-groups has changed there");
}
