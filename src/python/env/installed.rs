//! Is what was to be installed there? An installer can be told, in more ways than are known, to
//! install elsewhere, and reports success.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::Result;

use super::local::headers;
use super::{error, site_packages};
use crate::disk;
use crate::process::Environment;
use crate::python::dependencies::{Recorded, Role, normalized_name};

/// Fails when the env lacks a requirement that names a package of an index, on every machine.
pub fn check_installed(env: &Path, required: &Recorded, environment: &Environment) -> Result<()> {
    if sees_more(env, environment) {
        return Ok(());
    }
    let missing = missing(env, required);
    if missing.is_empty() { Ok(()) } else { Err(error::not_installed(&missing).into()) }
}

/// Whether what is elsewhere counts as installed, too, so that the installer leaves it there.
fn sees_more(env: &Path, environment: &Environment) -> bool {
    takes_system_packages(env) || environment.get("PYTHONPATH").is_some()
}

/// Whether the packages of the interpreter itself can be imported in an env.
pub fn takes_system_packages(env: &Path) -> bool {
    let text = disk::read_to_string(env.join("pyvenv.cfg")).unwrap_or_default();
    text.lines().filter_map(|line| line.split_once('=')).any(|(key, value)| {
        key.trim() == "include-system-site-packages" && value.trim().eq_ignore_ascii_case("true")
    })
}

/// The requirements of [`check_installed`] that the env does not have.
fn missing(env: &Path, required: &Recorded) -> Vec<String> {
    let entries = site_packages(env).and_then(|folder| fs::read_dir(folder).ok());
    let names = entries.into_iter().flatten().flatten().map(|entry| entry.file_name());
    let there: BTreeSet<_> = names.filter_map(|name| package(&name.to_string_lossy())).collect();
    let lines = required.lines.iter();
    lines
        .filter(|line| {
            line.role == Role::Requirement && line.source.is_none() && !line.text.contains(';')
        })
        .filter_map(|line| {
            let is_part = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
            let name = line.text.split(|letter| !is_part(letter)).next()?;
            let is_missing = !name.is_empty() && !there.contains(&normalized_name(name));
            is_missing.then(|| name.to_owned())
        })
        .collect()
}

/// The packages in an env that were built on this machine, as far as one sees: what is compiled for
/// this machine alone, which is in no wheel of an index (PEP 513), and what `setup.py` installed.
pub(super) fn built_here(env: &Path) -> Vec<String> {
    let entries = site_packages(env).and_then(|folder| fs::read_dir(folder).ok());
    let mut built: Vec<_> = entries
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| is_built_here(&entry.path()))
        .filter_map(|entry| package(&entry.file_name().to_string_lossy()))
        .collect();
    built.sort_unstable();
    built
}

/// `metadata` is an entry of site-packages.
fn is_built_here(metadata: &Path) -> bool {
    match metadata.extension().and_then(|extension| extension.to_str()) {
        Some("egg-info") => true,
        Some("dist-info") => {
            let wheel = disk::read_to_string(metadata.join("WHEEL")).unwrap_or_default();
            headers(&wheel, "Tag:").any(|tag| {
                tag.rsplit_once('-').is_some_and(|(_, platform)| platform.starts_with("linux_"))
            })
        }
        _ => false,
    }
}

/// The package that an entry of site-packages is the metadata of.
fn package(entry: &str) -> Option<String> {
    let name = match entry.rsplit_once('.')? {
        (name, "dist-info" | "egg-info") => name.split('-').next()?,
        (name, "egg-link") => name,
        _ => return None,
    };
    Some(normalized_name(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_machine_may_not_need_is_not_missing() {
        let env = tempfile::tempdir().unwrap();
        let packages = env.path().join("lib/python3.12/site-packages");
        fs::create_dir_all(packages.join("Flask_Login-0.6.3.dist-info")).unwrap();
        let line = |role: &str, text: &str, source: Option<&str>| {
            serde_json::from_value(serde_json::json!({
                "role": role, "key": text, "file": "requirements.txt", "number": 1, "text": text,
                "source": source,
            }))
        };
        let lines = [
            line("requirement", "flask.login>=0.6", None),
            line("requirement", "six[x]==1.0", None),
            line("requirement", "pywin32; sys_platform == 'win32'", None),
            line("requirement", "./lib", Some("./lib")),
            line("constraint", "gunicorn<30", None),
        ];
        let lines = lines.into_iter().map(Result::unwrap).collect();
        let required = Recorded { lines, ..Recorded::default() };
        assert_eq!(missing(env.path(), &required), ["six"]);
    }

    #[test]
    fn what_is_elsewhere_may_count_as_installed() {
        let env = tempfile::tempdir().unwrap();
        let line = serde_json::json!({
            "role": "requirement", "key": "six", "file": "requirements.txt", "number": 1,
            "text": "six",
        });
        let lines = vec![serde_json::from_value(line).unwrap()];
        let required = Recorded { lines, ..Recorded::default() };
        let check = |environment: &Environment| check_installed(env.path(), &required, environment);
        assert!(check(&Environment::empty()).is_err());
        assert!(check(&Environment::empty().set("PYTHONPATH", "lib")).is_ok());
        let config = "home = /usr/bin\ninclude-system-site-packages = true\n";
        fs::write(env.path().join("pyvenv.cfg"), config).unwrap();
        assert!(check(&Environment::empty()).is_ok());
    }

    #[test]
    fn what_is_compiled_for_this_machine_alone_was_built_here() {
        let env = tempfile::tempdir().unwrap();
        let packages = env.path().join("lib/python3.12/site-packages");
        for (name, tag) in [
            ("h5py-3.11.0", "cp312-cp312-linux_x86_64"),
            ("numpy-2.0.0", "cp312-cp312-manylinux2014_x86_64"),
            ("lxml-5.0", "cp312-cp312-musllinux_1_2_x86_64"),
            ("six-1.16.0", "py2-none-any\nTag: py3-none-any"),
        ] {
            let metadata = packages.join(format!("{name}.dist-info"));
            fs::create_dir_all(&metadata).unwrap();
            let wheel = format!("Wheel-Version: 1.0\nTag: {tag}\n");
            fs::write(metadata.join("WHEEL"), wheel).unwrap();
        }
        fs::create_dir(packages.join("Old_One-1.0-py2.7.egg-info")).unwrap();
        assert_eq!(built_here(env.path()), ["h5py", "old-one"]);
    }

    #[test]
    fn the_metadata_of_a_package_has_its_name() {
        for (entry, name) in [
            ("Flask_Login-0.6.3.dist-info", Some("flask-login")),
            ("zope.interface-5.0-py2.7.egg-info", Some("zope-interface")),
            ("waterhole.egg-link", Some("waterhole")),
            ("flask", None),
            ("six.py", None),
        ] {
            assert_eq!(package(entry).as_deref(), name, "{entry}");
        }
    }
}
