//! Projects with a lock file: what it pins is installed, and nothing else.

mod indexes;
mod lives;
mod private;
mod warned;

use std::fmt::Write;
use std::fs;

use sha2::{Digest, Sha256};

use crate::support::{Project, Push, Sandbox, Site, two_pythons, uv, wheels};

/// One package of a lock: its name, its version, and its group, if it is not a main dependency.
type Pin = (&'static str, &'static str, Option<&'static str>);

const FIRST: [Pin; 3] =
    [("antelope", "1.0", None), ("grass", "1.0", None), ("acacia", "1.0", Some("dev"))];

fn hash(name: &str, version: &str) -> String {
    let file = wheels::folder().join(format!("{name}-{version}-py2.py3-none-any.whl"));
    let digest = Sha256::digest(fs::read(file).unwrap());
    digest.iter().fold("sha256:".to_owned(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn file(name: &str, version: &str) -> String {
    format!("{name}-{version}-py2.py3-none-any.whl")
}

/// A lock of this kind, as its tool writes it.
fn lock(kind: &str, pins: &[Pin]) -> String {
    let mut text = match kind {
        "uv.lock" => "version = 1\nrevision = 3\nrequires-python = \">=3.8\"\n".to_owned(),
        "poetry.lock" => String::new(),
        "pdm.lock" => "[metadata]\ngroups = [\"default\", \"dev\"]\nlock_version = \"4.5.0\"\n\
                       strategy = [\"inherit_metadata\"]\n"
            .to_owned(),
        "pylock.toml" => "lock-version = \"1.0\"\ncreated-by = \"x\"\n\
                          dependency-groups = [\"dev\"]\n"
            .to_owned(),
        _ => return pipfile_lock(pins),
    };
    for (name, version, group) in pins {
        let (hash, file) = (hash(name, version), file(name, version));
        let digest = hash.trim_start_matches("sha256:");
        match kind {
            "uv.lock" => write!(
                text,
                "[[package]]\nname = \"{name}\"\nversion = \"{version}\"\n\
                 source = {{ registry = \"https://pypi.org/simple\" }}\n\
                 wheels = [{{ url = \"https://example.org/{file}\", hash = \"{hash}\" }}]\n"
            ),
            "poetry.lock" => write!(
                text,
                "[[package]]\nname = \"{name}\"\nversion = \"{version}\"\noptional = false\n\
                 python-versions = \">=3.8\"\ngroups = [\"{}\"]\n\
                 files = [{{file = \"{file}\", hash = \"{hash}\"}}]\n",
                group.unwrap_or("main")
            ),
            "pdm.lock" => write!(
                text,
                "[[package]]\nname = \"{name}\"\nversion = \"{version}\"\ngroups = [\"{}\"]\n\
                 files = [{{file = \"{file}\", hash = \"{hash}\"}}]\n",
                group.unwrap_or("default")
            ),
            _ => write!(
                text,
                "[[packages]]\nname = \"{name}\"\nversion = \"{version}\"\n{}\
                 wheels = [{{ url = \"https://files.pythonhosted.org/{file}\", \
                 hashes = {{ sha256 = \"{digest}\" }} }}]\n",
                group.map_or(String::new(), |group| format!(
                    "marker = \"'{group}' in dependency_groups\"\n"
                ))
            ),
        }
        .unwrap();
    }
    match kind {
        "uv.lock" => {
            let of = |wanted: Option<&str>| -> String {
                let names = pins.iter().filter(|(_, _, group)| *group == wanted);
                let entries: Vec<_> =
                    names.map(|(name, ..)| format!("{{ name = \"{name}\" }}")).collect();
                entries.join(", ")
            };
            write!(
                text,
                "[[package]]\nname = \"site\"\nversion = \"0\"\nsource = {{ virtual = \".\" }}\n\
                 dependencies = [{}]\n[package.dev-dependencies]\ndev = [{}]\n\
                 [package.metadata]\nrequires-dist = [{}]\n",
                of(None),
                of(Some("dev")),
                of(None)
            )
            .unwrap();
        }
        "poetry.lock" => {
            text.push_str("[metadata]\nlock-version = \"2.1\"\npython-versions = \">=3.8\"\n");
        }
        _ => {}
    }
    text
}

fn pipfile_lock(pins: &[Pin]) -> String {
    let of = |wanted: Option<&str>| {
        let entries: Vec<String> = pins
            .iter()
            .filter(|(_, _, group)| *group == wanted)
            .map(|(name, version, _)| {
                let hash = hash(name, version);
                format!(r#""{name}": {{"hashes": ["{hash}"], "version": "=={version}"}}"#)
            })
            .collect();
        entries.join(", ")
    };
    format!(
        r#"{{"_meta": {{"pipfile-spec": 6, "sources": []}}, "default": {{{}}}, "dev": {{{}}}}}"#,
        of(None),
        of(Some("dev"))
    )
}

/// Writes the lock, and beside it the manifest that it was made from.
fn write<'p, 's>(project: &'p Project<'s>, kind: &str, pins: &[Pin]) -> &'p Project<'s> {
    let main: Vec<_> = pins
        .iter()
        .filter(|(_, _, group)| group.is_none())
        .map(|(name, ..)| format!("\"{name}\""))
        .collect();
    let dependencies = main.join(", ");
    match kind {
        "Pipfile.lock" => project.write("Pipfile", "[packages]\n"),
        _ => project.write(
            "pyproject.toml",
            format!(
                "[project]\nname = \"site\"\nversion = \"0\"\ndependencies = [{dependencies}]\n\
                 [tool.poetry.group.dev.dependencies]\nacacia = \"*\"\n"
            ),
        ),
    };
    project.write(kind, lock(kind, pins))
}

/// A site whose installer is uv, where that is there: it is much faster than pip.
pub(crate) fn fast_site() -> Site {
    let Some(uv) = uv() else { return Site::new() };
    let sandbox = Sandbox::new();
    sandbox.put_uv_on_path(&uv);
    Site::in_sandbox(sandbox, "site", &["--installer", "uv"])
}

fn packages(site: &Site) -> Vec<(&'static str, Option<String>)> {
    ["antelope", "grass", "acacia", "oryx"].map(|name| (name, site.package(name))).into()
}

fn assert_has(site: &Site, expected: &[(&str, &str)], push: &Push) {
    push.assert_success();
    for (name, version) in packages(site) {
        let wanted = expected.iter().find(|(it, _)| *it == name).map(|(_, version)| *version);
        assert_eq!(version.as_deref(), wanted, "{name}: {}", push.stderr);
    }
}

/// The project is a package: of what is installed, it alone has no hash, and needs none where they
/// are required.
#[test]
fn the_project_of_a_lock_is_installed_with_what_it_pins() {
    for site in [Site::new(), fast_site()] {
        let project = site.project();
        site.nyala(&["config", "set", "PIP_REQUIRE_HASHES=1"]).assert_success();
        write(&project, "uv.lock", &FIRST)
            .write("backend/builder.py", include_str!("fixtures/builder.py"))
            .write("waterhole.py", "VERSION = '1.0'\n")
            .write(
                "pyproject.toml",
                "[build-system]\nrequires = []\nbuild-backend = \"builder\"\n\
                 backend-path = [\"backend\"]\n[project]\nname = \"waterhole\"\n\
                 version = \"1.0\"\ndependencies = [\"antelope\", \"grass\"]\n",
            );
        let with_root = |pins: &[Pin]| {
            lock("uv.lock", pins)
                .replace(
                    "name = \"site\"\nversion = \"0\"",
                    "name = \"waterhole\"\nversion = \"1.0\"",
                )
                .replace("{ virtual = \".\" }", "{ editable = \".\" }")
        };
        let push = project.write("uv.lock", with_root(&FIRST)).push();
        assert_has(&site, &[("antelope", "1.0"), ("grass", "1.0")], &push);
        assert_eq!(site.package("waterhole").as_deref(), Some("1.0"));
        project.write("page", "1").push().assert_success();
        assert_eq!(site.package("waterhole").as_deref(), Some("1.0"));
        let newer = [("antelope", "1.1", None), ("grass", "1.0", None)];
        let push = project.write("uv.lock", with_root(&newer)).push();
        assert_has(&site, &[("antelope", "1.1"), ("grass", "1.0")], &push);
        site.set("CFLAGS", "-O1");
        let push = project.remove("uv.lock").write("requirements.txt", ".\n").push();
        push.assert_failed_with("hashes are required, and the project itself can have none");
        assert!(!site.log(4).contains("is built is cached"), "{}", site.log(4));
    }
}

#[test]
fn a_requirements_txt_counts_before_a_lock() {
    let site = Site::new();
    let project = site.project();
    write(&project, "uv.lock", &FIRST);
    let push = project.write("requirements.txt", "oryx==2.0\ngrass\nantelope==1.1\n").push();
    assert_has(&site, &[("antelope", "1.1"), ("grass", "1.0"), ("oryx", "2.0")], &push);
    push.assert_says(
        "uv.lock is not used, because requirements.txt is there; one version differs: \
         antelope 1.1 (locked: 1.0).",
    );
}

#[test]
fn a_lock_in_the_place_of_requirements_leaves_nothing_of_theirs() {
    let site = Site::new();
    let project = site.project();
    // It brings grass, which the lock does not have.
    let push = project.write("requirements.txt", "oryx==1.0\n").push();
    assert_has(&site, &[("oryx", "1.0"), ("grass", "1.0")], &push);
    project.remove("requirements.txt");
    let push = write(&project, "uv.lock", &[("oryx", "2.0", None)]).push();
    assert_has(&site, &[("oryx", "2.0")], &push);
    push.assert_says("uv.lock is installed instead of requirements.txt");
}

#[test]
fn of_two_locks_one_has_to_be_named() {
    let site = Site::new();
    let project = site.project();
    write(&project, "uv.lock", &FIRST);
    let push = write(&project, "poetry.lock", &FIRST).push();
    push.assert_failed_with("there are several lock files, and no requirements.txt");
    push.assert_says("file = \"uv.lock\" under [dependencies] in nyala.toml");
    site.configure("dependencies = { file = \"poetry.lock\" }");
    project.commit("Again");
    project.push().assert_success().assert_says("Detected poetry.lock.");
}

#[test]
fn a_lock_that_cannot_be_installed_from_fails_before_anything_is_built() {
    let site = Site::new();
    let project = site.project();
    project.write("page", "1").push().assert_success();
    let good = lock("uv.lock", &FIRST);
    let source = "source = { registry = \"https://pypi.org/simple\" }";
    for (text, says) in [
        (good.replace("version = 1\n", "version = 2\n"), "its version is 2 (revision 3)"),
        (good[..good.len() / 2].to_owned(), "it cannot be read: line "),
        (format!("<<<<<<< HEAD\n{good}"), "merge conflict markers at line 1"),
        (good.replace(source, "source = { bzr = \"x\" }"), "bzr"),
        (good.replace(source, "source = { directory = \"../lib\" }"), "which is outside the tree"),
        (
            good.replace(source, "source = { git = \"--upload-pack=touch /tmp/x\" }"),
            "which is not an address",
        ),
        (good.replace("py2.py3-none-any", "cp312-cp312-win_amd64"), "for other machines only"),
        (
            good.replace("[[package]]\nname = \"grass\"", "[[package]]\nname = \"gras\""),
            "it needs grass",
        ),
        (good.replace("{ name = \"grass\" }", ""), "does not belong to pyproject.toml any more"),
    ] {
        write(&project, "uv.lock", &FIRST);
        let push = project.write("uv.lock", &text).push();
        push.assert_failed_with("uv.lock cannot be installed from");
        push.assert_says(says);
        push.assert_does_not_say("virtual environment.");
        assert_eq!(site.live_id(), Some(1));
    }
    // A lock also says which Python is wanted.
    write(&project, "uv.lock", &FIRST);
    let push = project.write("uv.lock", good.replace(">=3.8", ">=4")).push();
    push.assert_failed_with("No Python on this machine is >=4");
    site.configure("dependencies = { groups = [\"dve\"] }");
    let push = write(&project, "uv.lock", &FIRST).push();
    push.assert_failed_with("there is no group dve (did you mean dev?)");
}

#[test]
fn a_malformed_value_in_a_lock_fails_before_anything_is_built() {
    let site = Site::new();
    let project = site.project();
    project.write("page", "1").push().assert_success();
    let digest = hash("grass", "1.0")[7..].to_owned();
    let of_hash = format!("the hash of grass is \"sha256:{}\", which is not a hash", &digest[..20]);
    let of_version = "the version of antelope is \"banana\", which is not a version";
    for kind in ["uv.lock", "poetry.lock", "pdm.lock", "pylock.toml", "Pipfile.lock"] {
        write(&project, kind, &FIRST);
        let good = lock(kind, &FIRST);
        let version = match kind {
            "Pipfile.lock" => ["==1.0\"", "==banana\""],
            _ => ["antelope\"\nversion = \"1.0\"", "antelope\"\nversion = \"banana\""],
        };
        for ([from, to], says) in [(version, of_version), ([&digest, &digest[..20]], &of_hash)] {
            assert!(good.contains(from), "{kind} {from}");
            let push = project.write(kind, good.replace(from, to)).push();
            push.assert_failed_with(&format!("{kind} cannot be installed from")).assert_says(says);
            push.assert_does_not_say("virtual environment.");
            assert_eq!(site.live_id(), Some(1));
        }
        project.remove(kind);
    }
}

/// The newest Python that a project allows is often newer than its lock.
#[test]
fn a_new_site_gets_a_python_for_which_its_lock_has_wheels() {
    let Some((older, newer)) = two_pythons() else { return };
    let machine = std::env::consts::ARCH;
    let tag = format!("cp{}", older.minor().replace('.', ""));
    for kind in ["uv.lock", "poetry.lock", "pdm.lock"] {
        let site = fast_site();
        let project = site.project();
        let text = lock(kind, &FIRST).replace(
            &file("antelope", "1.0"),
            &format!("antelope-1.0-{tag}-{tag}-manylinux_2_17_{machine}.whl"),
        );
        write(&project, kind, &FIRST).write(kind, &text);
        let push = project.push();
        push.assert_says(&format!(
            "Python {} is used: {kind} has no wheel of antelope for {}",
            older.minor(),
            newer.minor()
        ));
        let used: String = site.live()["python"]["version"].as_str().unwrap().to_owned();
        assert!(used.starts_with(&older.minor()), "{used}");
        // A person's own word counts more.
        project.write("runtime.txt", newer.runtime());
        project
            .push()
            .assert_failed_with(&format!(
                "{kind} has no file of antelope for Python {}",
                newer.minor()
            ))
            .assert_says(&format!("found: files for Python {}", older.minor()));
        // What can be built is.
        let any = hash("antelope", "1.0");
        let [uv, others] = ["wheels = [{ url = \"https://example.org/", "files = [{file = \""];
        let text = text
            .replace(
                &format!("{uv}antelope"),
                &format!(
                    "sdist = {{ url = \"https://example.org/antelope-1.0.tar.gz\", \
                     hash = \"{any}\" }}\n{uv}antelope"
                ),
            )
            .replace(
                &format!("{others}antelope"),
                &format!("{others}antelope-1.0.tar.gz\", hash = \"{any}\"}}, {{file = \"antelope"),
            );
        project.write(kind, text).push().assert_says(&format!(
            "Built, since {kind} has no wheel for Python {}: antelope",
            newer.minor()
        ));
    }
}
