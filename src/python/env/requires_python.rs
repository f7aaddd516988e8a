//! Which of the packages in an env are for another Python. pip looks at that when it installs; uv
//! does not where it is told to install no dependencies.

use std::fs;
use std::path::Path;
use std::str::FromStr;

use pep440_rs::{Operator, VersionSpecifiers};

use super::local::{headers, is_from_folder};
use super::site_packages;
use crate::python::version::Version;

/// A package that is for other Pythons than the one that it is installed for.
#[derive(Debug, PartialEq, Eq)]
pub struct ForOtherPython {
    /// Its name and version.
    pub package: String,
    /// Its `Requires-Python`.
    pub needs: String,
    /// Whether it is of an index, and this Python is only newer than it says. uv does not heed that
    /// when it locks: most such packages work.
    pub may_work: bool,
}

/// Those in an env, sorted by name.
pub fn for_other_python(env: &Path, python: &Version) -> Vec<ForOtherPython> {
    let entries = site_packages(env).and_then(|folder| fs::read_dir(folder).ok());
    let folders = entries.into_iter().flatten().flatten().map(|entry| entry.path());
    let mut found: Vec<_> = folders.filter_map(|folder| of_package(&folder, python)).collect();
    found.sort_by(|one, other| one.package.cmp(&other.package));
    found
}

/// `folder` has the metadata of a package.
fn of_package(folder: &Path, python: &Version) -> Option<ForOtherPython> {
    let metadata = fs::read(folder.join("METADATA")).ok()?;
    let metadata = String::from_utf8_lossy(&metadata);
    let header = |name| headers(&metadata, name).next();
    let needs = header("Requires-Python:")?;
    // pip does not heed what cannot be read either.
    let specifiers = VersionSpecifiers::from_str(needs).ok()?;
    let python = python.to_pep440().only_release();
    if specifiers.contains(&python) {
        return None;
    }
    let is_upper = |operator| matches!(operator, Operator::LessThan | Operator::LessThanEqual);
    let mut others = specifiers.iter().filter(|it| !is_upper(*it.operator()));
    Some(ForOtherPython {
        package: format!("{} {}", header("Name:")?, header("Version:")?),
        needs: needs.to_owned(),
        may_work: others.all(|it| it.contains(&python)) && !is_from_folder(folder),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_of_an_index_may_work_with_a_newer_python() {
        let env = tempfile::tempdir().unwrap();
        let packages = env.path().join("lib/python3.12/site-packages");
        let write = |name: &str, needs: &str, is_folder: bool| {
            let folder = packages.join(format!("{name}-1.0.dist-info"));
            fs::create_dir_all(&folder).unwrap();
            let needs = format!("Name: {name}\nVersion: 1.0\nRequires-Python: {needs}\n\n");
            fs::write(folder.join("METADATA"), needs).unwrap();
            if is_folder {
                fs::write(folder.join("direct_url.json"), "{\"dir_info\": {}}").unwrap();
            }
        };
        write("fits", ">=3.8, !=3.9.*", false);
        write("newer", ">=3.13", false);
        write("older", ">=3.8,<3.12", false);
        write("project", "<3.12", true);
        write("unread", "three", false);
        write("without", "", false);
        let found = for_other_python(env.path(), &Version::new(3, 12, 1));
        let found: Vec<_> =
            found.iter().map(|it| (it.package.as_str(), it.needs.as_str(), it.may_work)).collect();
        assert_eq!(
            found,
            [
                ("newer 1.0", ">=3.13", false),
                ("older 1.0", ">=3.8,<3.12", true),
                ("project 1.0", "<3.12", false),
            ]
        );
    }
}
