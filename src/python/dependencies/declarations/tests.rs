use super::super::requirements_txt::tests::MemoryTree;
use super::*;

fn found(files: &[(&str, &str)]) -> Vec<String> {
    let found = declarations(&MemoryTree::of(files)).unwrap();
    found.into_iter().map(|it| format!("{}: {}", it.path, it.export)).collect()
}

fn first(files: &[(&str, &str)]) -> Option<String> {
    found(files).into_iter().next()
}

const PROJECT: &str = "[project]\nname = 'a'\ndependencies = ['flask']\n";
const LOCK: &str = "version = 1\n[[package]]\nname = 'flask'\n";

#[test]
fn every_lock_file_comes_with_the_command_that_exports_it() {
    for (name, command) in [
        ("uv.lock", "uv export --frozen --no-hashes -o requirements.txt"),
        ("poetry.lock", "poetry export --without-hashes -o requirements.txt"),
        ("pdm.lock", "pdm export --prod --without-hashes -o requirements.txt"),
    ] {
        let expected = Some(format!("{name}: {command}"));
        assert_eq!(first(&[(name, LOCK), ("pyproject.toml", PROJECT)]), expected);
        assert_eq!(first(&[(name, LOCK)]), expected);
        assert_eq!(first(&[(name, "version = 1\n")]), None, "{name} locks nothing");
    }
    assert_eq!(
        found(&[
            ("Pipfile.lock", r#"{"default": {"flask": {}}}"#),
            ("Pipfile", "[packages]\nf='*'")
        ]),
        ["Pipfile.lock: pipenv requirements > requirements.txt"]
    );
    assert_eq!(
        found(&[("pylock.toml", "[[packages]]\nname = 'flask'\n")]),
        ["pylock.toml: uv pip compile pyproject.toml -o requirements.txt"]
    );
}

#[test]
fn what_only_development_needs_is_no_declaration() {
    let project = "[project]\nname = 'a'\n[dependency-groups]\ndev = ['pytest']\n\
                   [project.optional-dependencies]\nx = ['y']\n";
    assert_eq!(found(&[("uv.lock", LOCK), ("pyproject.toml", project)]), [""; 0]);
    let poetry = "[tool.poetry]\nname = 'a'\n[tool.poetry.dependencies]\npython = '^3.11'\n";
    assert_eq!(found(&[("poetry.lock", LOCK), ("pyproject.toml", poetry)]), [""; 0]);
    assert_eq!(found(&[("Pipfile.lock", r#"{"default": {}, "develop": {"a": {}}}"#)]), [""; 0]);
    for name in ["requirements-dev.txt", "requirements_test.txt", "requirements/dev.txt"] {
        assert_eq!(found(&[(name, "pytest\n")]), [""; 0], "{name}");
    }
}

#[test]
fn every_manifest_that_names_dependencies_is_one() {
    for (name, text) in [
        ("pyproject.toml", PROJECT),
        ("pyproject.toml", "[project]\nname = 'a'\ndynamic = ['version', 'dependencies']\n"),
        ("pyproject.toml", "[tool.poetry.dependencies]\npython = '*'\nflask = '*'\n"),
        ("pyproject.toml", "[tool.flit.metadata]\nrequires = ['flask']\n"),
        ("pyproject.toml", "<<<<<<< HEAD\n"),
        ("Pipfile", "[packages]\nflask = '*'\n"),
        ("Pipfile", "[packages]\n[prod]\nflask = '*'\n"),
        ("setup.cfg", "[options]\ninstall_requires =\n    flask\n"),
        ("setup.cfg", "[metadata]\nname = a\n[options]\ninstall_requires = flask\n"),
        ("setup.py", "setup(install_requires=['flask'])"),
        ("environment.yml", "name: a\ndependencies:\n  - flask\n"),
        ("conda-lock.yml", "package:\n- name: flask\n"),
        ("pixi.toml", "[project]\n[dependencies]\nflask = '*'\n"),
        ("pixi.lock", "version: 6\npackages:\n- conda: x\n"),
        ("requirements.in", "flask\n"),
        ("Requirements.txt", "flask\n"),
        ("requirements", "flask\n"),
        ("requirements-prod.txt", "flask\n"),
        ("requirements/base.txt", "flask\n"),
    ] {
        let found = found(&[(name, text)]);
        assert_eq!(found.len(), 1, "{name} {text}: {found:?}");
        assert!(found[0].starts_with(&format!("{name}: ")), "{found:?}");
    }
}

#[test]
fn a_file_that_declares_nothing_is_none() {
    for (name, text) in [
        ("pyproject.toml", "[tool.black]\nline-length = 99\n"),
        ("pyproject.toml", "[project]\nname = 'a'\nrequires-python = '>=3.9'\n"),
        ("pyproject.toml", "[project]\nname = 'a'\ndependencies = []\n"),
        ("Pipfile", "[packages]\n[dev-packages]\npytest = '*'\n[scripts]\na = 'b'\n"),
        ("setup.cfg", "[flake8]\nmax-line-length = 99\n"),
        ("setup.cfg", "[options]\ninstall_requires =\nzip_safe = false\n"),
        ("setup.py", "from setuptools import setup\nsetup(name='a')\n"),
        ("environment.yml", "production:\n  url: x\n"),
        ("requirements.txt", "flask\n"),
        ("Requirements.txt", "# nothing\n"),
        ("web/pyproject.toml", PROJECT),
    ] {
        assert_eq!(found(&[(name, text)]), [""; 0], "{name} {text}");
    }
}

#[test]
fn a_workspace_declares_what_its_lock_has() {
    let workspace = "[tool.uv.workspace]\nmembers = ['a']\n";
    let files = [("uv.lock", LOCK), ("pyproject.toml", workspace)];
    assert!(first(&files).unwrap().starts_with("uv.lock: "));
}

#[test]
fn a_command_holds_no_character_that_is_not_seen() {
    let found = found(&[("requirements-\u{200b}.txt", "flask\n")]);
    assert!(found[0].contains("echo '-r requirements-\\u{200b}.txt'"), "{found:?}");
}
