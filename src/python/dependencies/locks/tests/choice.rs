//! What is chosen where a lock has a package more than once, or several files of it.

use super::super::{Chosen, Lock, LockError, Manifests, Origin, Package, ResolvedSet};
use super::{environment, read_frozen, with_whole_hashes};

fn versions(set: &ResolvedSet) -> Vec<String> {
    let version = |package: &Package| package.version.clone().unwrap_or_default();
    set.packages.iter().map(|package| format!("{} {}", package.name, version(package))).collect()
}

/// As poetry 1.8 writes it: the newer version of `file` needs a newer Python, and both are for it.
const POETRY: &str = r#"[[package]]
name = "file"
version = "3.19.1"
optional = false
python-versions = ">=3.9"
files = []

[[package]]
name = "file"
version = "4.1.0"
optional = false
python-versions = ">=3.10"
files = []

[[package]]
name = "finder"
version = "1.0"
optional = false
python-versions = ">=3.9"
files = []
[package.dependencies]
file = ">=3.15"

[metadata]
lock-version = "2.0"
python-versions = "^3.9"
content-hash = "0"
"#;

#[test]
fn of_several_versions_poetry_installs_the_newest_that_fits() {
    let pyproject = "[tool.poetry.dependencies]\npython = '^3.9'\nfinder = '*'\n";
    for (python, expected) in [("3.13.0", "file 4.1.0"), ("3.9.18", "file 3.19.1")] {
        let set = read_frozen(Lock::Poetry, POETRY, pyproject, &[], python).unwrap();
        assert_eq!(versions(&set), [expected, "finder 1.0"], "{python}");
    }
}

#[test]
fn a_version_of_poetrys_that_is_installed_already_is_taken_again() {
    let pyproject = "[tool.poetry.dependencies]\npython = '^3.9'\nfile = '<4'\nfinder = '*'\n";
    let set = read_frozen(Lock::Poetry, POETRY, pyproject, &[], "3.13.0").unwrap();
    assert_eq!(versions(&set), ["file 3.19.1", "finder 1.0"]);
}

#[test]
fn of_several_targets_pdm_installs_the_newest_that_fits() {
    let lock = r#"[metadata]
groups = ["default"]
strategy = []
lock_version = "4.5.0"
[[metadata.targets]]
requires_python = "<3.12"
[[metadata.targets]]
requires_python = ">=3.12"

[[package]]
name = "numbers"
version = "2.2.6"
requires_python = ">=3.10"
files = [{file = "numbers-2.2.6.tar.gz", hash = "sha256:00"}]

[[package]]
name = "numbers"
version = "2.5.5"
requires_python = ">=3.12"
files = [{file = "numbers-2.5.5.tar.gz", hash = "sha256:01"}]
"#;
    let pyproject = "[project]\nname = 'site'\ndependencies = ['numbers']\n";
    for (python, expected) in [("3.13.0", "numbers 2.5.5"), ("3.11.7", "numbers 2.2.6")] {
        let set = read_frozen(Lock::Pdm, lock, pyproject, &[], python).unwrap();
        assert_eq!(versions(&set), [expected], "{python}");
    }
}

/// As uv 0.9 writes it for `[tool.uv.dependency-groups]`.
const UV: &str = r#"version = 1
revision = 3
requires-python = ">=3.9"

[[package]]
name = "site"
version = "0"
source = { virtual = "." }
dependencies = [{ name = "marks" }]

[package.dev-dependencies]
dev = [{ name = "marks" }]

[package.group-requires-python]
dev = ">=3.11"

[[package]]
name = "marks"
version = "3.0.2"
source = { registry = "wheels" }
sdist = { path = "marks-3.0.2.tar.gz", hash = "sha256:00" }
wheels = [
    { path = "marks-3.0.2-cp311-cp311-manylinux_2_17_x86_64.whl", hash = "sha256:01" },
    { path = "marks-3.0.2-cp312-cp312-manylinux_2_17_aarch64.whl", hash = "sha256:02" },
    { path = "marks-3.0.2-cp312-cp312-manylinux_2_17_x86_64.whl", hash = "sha256:03" },
]
"#;

#[test]
fn a_group_of_uvs_may_be_for_fewer_pythons() {
    let pyproject = "[project]\nname = 'site'\n";
    assert!(read_frozen(Lock::Uv, UV, pyproject, &[], "3.9.18").is_ok());
    assert!(read_frozen(Lock::Uv, UV, pyproject, &["dev"], "3.12.1").is_ok());
    let error = read_frozen(Lock::Uv, UV, pyproject, &["dev"], "3.9.18").unwrap_err().to_string();
    assert!(error.contains(">=3.11 with its group dev"), "{error}");

    // Before revision 5, only the manifest says it. A group is for the Pythons of those that it
    // includes.
    let before = UV.replace("[package.group-requires-python]\ndev = \">=3.11\"\n", "");
    let settings = "[dependency-groups]\ndev = [{include-group = 'Tests'}]\ntests = ['marks']\n\
                    [tool.uv.dependency-groups]\ntests = {requires-python = '>=3.11'}\n";
    let pyproject = format!("{pyproject}{settings}");
    assert!(read_frozen(Lock::Uv, &before, &pyproject, &[], "3.9.18").is_ok());
    assert!(read_frozen(Lock::Uv, &before, &pyproject, &["dev"], "3.12.1").is_ok());
    let error = read_frozen(Lock::Uv, &before, &pyproject, &["dev"], "3.9.18").unwrap_err();
    assert!(error.to_string().contains(">=3.11 with its group dev"), "{error}");
}

/// As uv 0.13 writes it: extras of a member conflict, and the project itself asks for one of them.
const CONFLICTS: &str = r#"version = 1
revision = 5
requires-python = ">=3.9"
conflicts = [[
    { package = "one", extra = "x" },
    { package = "one", extra = "y" },
], [
    { package = "site", extra = "k" },
    { package = "one", extra = "x" },
]]

[manifest]
members = ["one", "site"]

[[package]]
name = "click"
version = "8.0.4"
source = { registry = "https://pypi.org/simple" }

[[package]]
name = "click"
version = "8.1.8"
source = { registry = "https://pypi.org/simple" }

[[package]]
name = "one"
version = "1"
source = { editable = "one" }

[package.optional-dependencies]
x = [{ name = "click", version = "8.0.4", source = { registry = "https://pypi.org/simple" } }]
y = [{ name = "click", version = "8.1.8", source = { registry = "https://pypi.org/simple" } }]

[[package]]
name = "site"
version = "0.1"
source = { virtual = "." }
dependencies = [
    { name = "one" },
    { name = "one", extra = ["x"], marker = "extra == 'extra-3-one-x'" },
]

[package.optional-dependencies]
k = [
    { name = "one", extra = ["y"], marker = "extra == 'extra-3-one-y'" },
]
"#;

#[test]
fn an_extra_that_conflicts_is_in_use_where_it_is_asked_for() {
    let manifests = Manifests {
        pyproject: "[project]\nname = 'site'\n".parse().unwrap(),
        frozen: true,
        ..Manifests::default()
    };
    let read = |extras: &[&str]| {
        let extras: Vec<String> = extras.iter().map(|&extra| extra.to_owned()).collect();
        let chosen = Chosen::new(&[], &extras);
        Lock::Uv.read(CONFLICTS, &manifests, &chosen, &environment("3.12.1"))
    };
    assert_eq!(versions(&read(&[]).unwrap()), ["click 8.0.4", "one 1"]);
    let LockError::Conflicting { names } = read(&["k"]).unwrap_err() else {
        panic!("no conflict");
    };
    assert_eq!(names, ["extra x of one", "extra y of one"]);
}

#[test]
fn of_a_folder_of_files_the_one_for_this_python_is_installed() {
    let pyproject = "[project]\nname = 'site'\n";
    let pylock = r#"lock-version = "1.0"
created-by = "x"

[[packages]]
name = "marks"
version = "3.0.2"
[packages.sdist]
path = "wheels/marks-3.0.2.tar.gz"
hashes = { sha256 = "00" }
[[packages.wheels]]
path = "wheels/marks-3.0.2-cp311-cp311-manylinux_2_17_x86_64.whl"
hashes = { sha256 = "01" }
[[packages.wheels]]
path = "wheels/marks-3.0.2-cp312-cp312-manylinux_2_17_x86_64.whl"
hashes = { sha256 = "02" }
"#;
    for (lock, text) in [(Lock::Uv, UV), (Lock::Pylock, pylock)] {
        for (python, expected) in [
            ("3.12.1", "wheels/marks-3.0.2-cp312-cp312-manylinux_2_17_x86_64.whl"),
            ("3.11.7", "wheels/marks-3.0.2-cp311-cp311-manylinux_2_17_x86_64.whl"),
            ("3.13.0", "wheels/marks-3.0.2.tar.gz"),
        ] {
            let set = read_frozen(lock, text, pyproject, &[], python).unwrap();
            let Package { origin, hashes, .. } = &set.packages[0];
            assert_eq!(*origin, Origin::File(expected.to_owned()), "{lock:?}");
            // Of a path, uv takes the hash of one file.
            assert_eq!(hashes.len(), 1, "{hashes:?}");
        }
    }
}

#[test]
fn a_pylock_may_have_a_name_of_the_projects() {
    for name in ["pylock.toml", "pylock.prod.toml"] {
        assert_eq!(Lock::named_or_chosen(name), Some(Lock::Pylock), "{name}");
    }
    for name in ["pylock..toml", "pylock.a.b.toml", "pylock.txt", "a/pylock.prod.toml"] {
        assert_eq!(Lock::named_or_chosen(name), None, "{name}");
    }
}

#[test]
fn gits_own_short_form_of_an_address_is_known() {
    let git = |address: &str| super::super::git_address("demo", address);
    for (address, expected) in [
        ("git@example.org:acme/demo.git", "ssh://git@example.org/acme/demo.git"),
        ("https://example.org/demo.git", "https://example.org/demo.git"),
    ] {
        assert_eq!(git(address).unwrap(), expected);
    }
    for wrong in ["-u@example.org:x", "git@-o:x", "--upload-pack=x", "example.org:x", "a@b: c"] {
        assert!(git(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_file_of_the_machine_is_outside_the_tree() {
    let pylock = |source: &str| {
        format!(
            "lock-version = '1.0'\ncreated-by = 'x'\n[[packages]]\nname = 'marks'\n\
             version = '1.0'\n{source}"
        )
    };
    let url = "url = 'file:///srv/marks-1.0-py3-none-any.whl'\nhashes = { sha256 = '00' }\n";
    let wheel = format!("[[packages.wheels]]\n{url}");
    for source in [
        format!("[packages.archive]\n{url}"),
        wheel.clone(),
        [wheel.clone(), wheel.clone()].concat(),
        format!("index = 'file:///srv/'\n{wheel}"),
    ] {
        let error = read_frozen(Lock::Pylock, &pylock(&source), "", &[], "3.12.1").unwrap_err();
        assert!(matches!(error, LockError::Outside { .. }), "{source}: {error}");
    }
    let uv = UV.replace("registry = \"wheels\"", "registry = \"file:///srv/\"");
    let error = read_frozen(Lock::Uv, &uv, "[project]\nname = 'site'\n", &[], "3.12.1");
    assert!(matches!(error, Err(LockError::Outside { .. })), "{error:?}");
}

#[test]
fn without_an_index_the_file_for_this_python_is_where_its_address_says() {
    let pylock = r#"lock-version = "1.0"
created-by = "x"
[[packages]]
name = "marks"
version = "1.0"
[packages.sdist]
url = "https://example.org/marks-1.0.tar.gz"
hashes = { sha256 = "00" }
[[packages.wheels]]
url = "https://example.org/marks-1.0-cp312-cp312-musllinux_1_2_x86_64.whl"
hashes = { sha256 = "01" }
[[packages.wheels]]
url = "https://example.org/marks-1.0-cp312-cp312-manylinux_2_17_x86_64.whl"
hashes = { sha256 = "02" }
"#;
    let found = |pylock: &str, python: &str| {
        let set = read_frozen(Lock::Pylock, pylock, "", &[], python).unwrap();
        let Package { origin, hashes, .. } = set.packages[0].clone();
        (origin, hashes.into_iter().collect::<Vec<_>>().join(" "))
    };
    let at = |url: &str| Origin::Url { url: url.to_owned(), subdirectory: None };
    let wheel = "https://example.org/marks-1.0-cp312-cp312-manylinux_2_17_x86_64.whl";
    assert_eq!(found(pylock, "3.12.1"), (at(wheel), with_whole_hashes("sha256:02")));
    let source = at("https://example.org/marks-1.0.tar.gz");
    assert_eq!(found(pylock, "3.13.0"), (source, with_whole_hashes("sha256:00")));
    let of_pypi = pylock.replace("example.org", "files.pythonhosted.org");
    let all = with_whole_hashes("sha256:00 sha256:01 sha256:02");
    assert_eq!(found(&of_pypi, "3.12.1"), (Origin::Index(None), all));
}
