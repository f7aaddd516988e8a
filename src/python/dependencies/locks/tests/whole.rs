//! A lock has all that its project asks for: what is left of one that was cut off between two
//! packages may look whole.

use super::super::{Chosen, Lock, Manifests};
use super::{environment, read_frozen, with_whole_hashes};

const PROJECT: &str = "[project]\nname = 'site'\nversion = '0'\ndependencies = ['grass>=1']\n";

/// The names of the packages, or what is wrong.
fn read(lock: Lock, text: &str, pyproject: &str, groups: &[&str]) -> Result<String, String> {
    let groups: Vec<String> = groups.iter().map(|&it| it.to_owned()).collect();
    let manifests = Manifests { pyproject: pyproject.parse().unwrap(), ..Manifests::default() };
    let chosen = Chosen::new(&groups, &[]);
    let set = lock.read(text, &manifests, &chosen, &environment("3.12.1"));
    let names = |it: &super::Package| it.name.clone();
    let set = set.map_err(|error| error.to_string())?;
    Ok(set.packages.iter().map(names).collect::<Vec<_>>().join(" "))
}

#[test]
fn a_uv_lock_has_each_package_that_another_needs() {
    let text = "version = 1\n[[package]]\nname = 'grass'\nversion = '1.0'\n\
                source = { registry = 'https://pypi.org/simple' }\n\
                [[package]]\nname = 'site'\nversion = '0'\nsource = { virtual = '.' }\n\
                dependencies = [{ name = 'grass' }]\n\
                [package.optional-dependencies]\nx = [{ name = 'zebra' }]\n\
                [package.metadata]\nrequires-dist = [{ name = 'grass', specifier = '>=1' }, \
                { name = 'zebra', marker = \"extra == 'x'\" }]\nprovides-extras = ['x']\n";
    let project = PROJECT.to_owned() + "[project.optional-dependencies]\nx = ['zebra']\n";
    let cut = read(Lock::Uv, text, &project, &[]);
    assert_eq!(cut.unwrap_err(), "it needs zebra, and has no such package");
    let zebra = "[[package]]\nname = 'zebra'\nversion = '1.0'\n\
                 source = { registry = 'https://pypi.org/simple' }\n";
    assert_eq!(read(Lock::Uv, &format!("{text}{zebra}"), &project, &[]).unwrap(), "grass");
    assert!(read_frozen(Lock::Uv, text, &project, &[], "3.12.1").is_ok());
}

#[test]
fn a_uv_lock_is_that_of_a_project() {
    let text = "version = 1\n[[package]]\nname = 'site'\nversion = '0'\n\
                source = { virtual = '.' }\n";
    for pyproject in ["", "[tool.black]\n"] {
        let error = "it is the lock of a project, and pyproject.toml is not there or has no \
                     [project]";
        assert_eq!(read(Lock::Uv, text, pyproject, &[]).unwrap_err(), error);
        let frozen = read_frozen(Lock::Uv, text, pyproject, &[], "3.12.1");
        assert_eq!(frozen.unwrap_err().to_string(), error);
    }
    assert_eq!(read(Lock::Uv, "version = 1\n", "[tool.uv.workspace]\n", &[]).unwrap(), "");
}

#[test]
fn a_pdm_lock_has_all_that_is_asked_for() {
    let head = "[metadata]\ngroups = ['default', 'dev']\nstrategy = ['inherit_metadata']\n\
                lock_version = '4.5.0'\n";
    let package = |name: &str, group: &str, needs: &str| {
        format!(
            "[[package]]\nname = '{name}'\nversion = '1.0'\ngroups = ['{group}']\n\
             dependencies = [{needs}]\n"
        )
    };
    let needs = "'zebra>=1', \"win; os_name == 'nt'\", \"other; extra == 'x'\"";
    let grass = format!("{head}{}", package("grass", "default", needs));
    let whole = format!("{grass}{}", package("zebra", "default", ""));
    let missing = |name: &str| format!("it needs {name}, and has no such package");
    assert_eq!(read(Lock::Pdm, &whole, PROJECT, &[]).unwrap(), "grass zebra");
    assert_eq!(read(Lock::Pdm, &grass, PROJECT, &[]).unwrap_err(), missing("zebra"));
    assert_eq!(read(Lock::Pdm, head, PROJECT, &[]).unwrap_err(), missing("grass"));
    assert!(read_frozen(Lock::Pdm, &grass, PROJECT, &[], "3.12.1").is_ok());
    let with_dev = format!("{PROJECT}[dependency-groups]\ndev = ['acacia']\n");
    assert_eq!(read(Lock::Pdm, &whole, &with_dev, &[]).unwrap(), "grass zebra");
    assert_eq!(read(Lock::Pdm, &whole, &with_dev, &["dev"]).unwrap_err(), missing("acacia"));
    let excluded = format!("{PROJECT}[tool.pdm.resolution]\nexcludes = ['Zebra']\n");
    assert_eq!(read(Lock::Pdm, &grass, &excluded, &[]).unwrap(), "grass");
}

#[test]
fn a_pylock_has_what_the_project_asks_for() {
    let text = "lock-version = '1.0'\ncreated-by = 'x'\n[[packages]]\nname = 'grass'\n\
                version = '1.0'\n[[packages.wheels]]\n\
                url = 'https://files.pythonhosted.org/grass-1.0-py3-none-any.whl'\n\
                hashes = { sha256 = '00' }\n";
    let text = with_whole_hashes(text);
    let with = |dependencies: &str, more: &str| {
        let project = PROJECT.replace("'grass>=1'", dependencies) + more;
        read(Lock::Pylock, &text, &project, &[])
    };
    for dependencies in ["'Grass'", "'grass>=1', 'site[x]'", "\"nt; os_name == 'nt'\"", ""] {
        assert_eq!(with(dependencies, "").unwrap(), "grass", "{dependencies}");
    }
    let stale = |why: &str| format!("it does not belong to pyproject.toml any more: {why}");
    let lacks = stale("it asks for zebra, which the lock does not have");
    assert_eq!(with("'grass', 'zebra'", "").unwrap_err(), lacks);
    let other = stale("it asks for grass>=2, and the lock has 1.0");
    assert_eq!(with("'grass >= 2'", "").unwrap_err(), other);
    for overridden in [
        "[tool.uv]\noverride-dependencies = ['grass<2']\n",
        "[tool.pdm.resolution.overrides]\ngrass = '<2'\n",
    ] {
        assert_eq!(with("'grass >= 2'", overridden).unwrap(), "grass");
    }
}

/// Nobody knows the names of types here.
#[test]
fn what_has_another_shape_is_told_in_words() {
    for (lock, text, why) in [
        (Lock::Pipfile, "[]", "line 1: invalid type: sequence, expected a table"),
        (
            Lock::Uv,
            "version = 1\nmanifest = 3",
            "line 2: invalid type: integer `3`, expected a table",
        ),
    ] {
        let error = read(lock, text, PROJECT, &[]).unwrap_err();
        assert_eq!(error, format!("it cannot be read: {why}"));
    }
}

#[test]
fn what_is_locked_has_one_version_and_one_source() {
    let of_uv = "version = 1\n[[package]]\nname = 'grass'\n\
                 source = { registry = 'https://pypi.org/simple' }\n[[package]]\nname = 'site'\n\
                 source = { virtual = '.' }\ndependencies = [{ name = 'grass' }]\n";
    let of_pdm = "[metadata]\nlock_version = '4.5.0'\nstrategy = ['inherit_metadata']\n\
                  groups = ['default']\n[[package]]\nname = 'grass'\ngroups = ['default']\n";
    for (lock, text) in [(Lock::Uv, of_uv), (Lock::Pdm, of_pdm)] {
        let error = read_frozen(lock, text, PROJECT, &[], "3.12.1").unwrap_err().to_string();
        assert_eq!(error, "it does not say which version of grass is meant", "{lock:?}");
    }
    let twice = of_pdm.to_owned()
        + "version = '1.0'\n[[package]]\nname = 'grass'\nversion = '1.0'\ngroups = ['default']\n\
           path = './grass'\n";
    let error = read_frozen(Lock::Pdm, &twice, PROJECT, &[], "3.12.1").unwrap_err().to_string();
    assert_eq!(error, "it has grass twice for one Python: grass==1.0 and ./grass");
    let of_pylock = "lock-version = '1.0'\ncreated-by = 'x'\n[[packages]]\nname = 'grass'\n\
                     version = '1.0'\ndirectory = { path = 'grass' }\n\
                     archive = { path = 'grass.whl', hashes = { sha256 = '00' } }\n";
    let error = read_frozen(Lock::Pylock, of_pylock, "", &[], "3.12.1").unwrap_err().to_string();
    assert!(error.starts_with("where grass is from: it has several"), "{error}");
}
