//! `Pipfile.lock` of Pipenv, pipfile-spec 6.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::error::LockError;
use super::files::{is_archive, is_pypi};
use super::marker::{self, Environment, normalized};
use super::resolved::{Lack, Origin, Package, ResolvedSet};
use super::{
    Chosen, Manifests, check_exist, file_address, freshness, git_address, tree_path, web_address,
};

#[derive(Debug, Deserialize)]
struct Lock {
    #[serde(rename = "_meta")]
    meta: Meta,
    /// `default`, `develop`, and the categories of the Pipfile.
    #[serde(flatten)]
    categories: BTreeMap<String, BTreeMap<String, Locked>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Meta {
    pipfile_spec: u32,
    #[serde(default)]
    hash: Hash,
    #[serde(default)]
    sources: Vec<Index>,
}

#[derive(Debug, Default, Deserialize)]
struct Hash {
    sha256: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Index {
    /// Locks of old have none.
    #[serde(default)]
    name: String,
    url: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Locked {
    version: Option<String>,
    markers: Option<String>,
    index: Option<String>,
    #[serde(default)]
    hashes: BTreeSet<String>,
    #[serde(default)]
    #[expect(dead_code, reason = "what an extra brings in is locked by itself")]
    extras: Vec<String>,
    git: Option<String>,
    r#ref: Option<String>,
    subdirectory: Option<String>,
    path: Option<String>,
    file: Option<String>,
    #[expect(dead_code, reason = "nothing is linked into a release")]
    editable: Option<bool>,
    os_name: Option<String>,
    sys_platform: Option<String>,
    platform_machine: Option<String>,
    platform_system: Option<String>,
    python_version: Option<String>,
    python_full_version: Option<String>,
    implementation_name: Option<String>,
    platform_python_implementation: Option<String>,
    #[expect(dead_code, reason = "pipenv's own note of which files it chose")]
    #[serde(default)]
    no_binary: Option<serde_json::Value>,
}

pub(super) fn read(
    text: &str,
    manifests: &Manifests,
    chosen: &Chosen,
    environment: &Environment,
) -> Result<ResolvedSet, LockError> {
    let lock: Lock = super::json(text)?;
    if lock.meta.pipfile_spec != 6 {
        let found = format!("pipfile-spec {}", lock.meta.pipfile_spec);
        return Err(LockError::Version { found, known: "pipfile-spec 6" });
    }
    if let (Some(hash), Some(pipfile), false) =
        (&lock.meta.hash.sha256, &manifests.pipfile, manifests.frozen)
    {
        freshness::pipenv(hash, pipfile)?;
    }
    // Its names are as they are in the Pipfile, except of the first two.
    let others = lock.categories.keys().filter(|name| *name != "default");
    let others: BTreeMap<String, &String> = others.map(|name| (normalized(name), name)).collect();
    let groups: BTreeSet<String> = chosen.groups.iter().filter_map(|it| category(it)).collect();
    check_exist("group", &groups, others.keys())?;
    check_exist("extra", &chosen.extras, [].into_iter())?;
    // A package of two categories is taken once; the default one counts, as with `pipenv sync`.
    let mut packages: BTreeMap<String, Package> = BTreeMap::new();
    let default = "default".to_owned();
    let chosen = groups.iter().filter_map(|name| others.get(name).copied());
    for category in [&default].into_iter().chain(chosen) {
        let mut own: BTreeMap<String, Package> = BTreeMap::new();
        for (name, locked) in lock.categories.get(category).into_iter().flatten() {
            let holds = marker::holds(&locked.marker(), environment)
                .map_err(|error| LockError::Marker { package: name.clone(), error })?;
            if holds {
                let package = resolved(name, locked, &lock.meta.sources)?;
                if let Some(other) = own.insert(package.name.clone(), package.clone()) {
                    return Err(LockError::twice(&other, &package));
                }
            }
        }
        for (name, package) in own {
            packages.entry(name).or_insert(package);
        }
    }
    let left_out = others
        .iter()
        .filter(|(name, _)| !groups.contains(*name))
        .map(|(_, category)| format!("group {category}"))
        .collect();
    ResolvedSet::new(packages.into_values().collect(), left_out)
}

/// What the lock calls the packages of a group that was chosen by the name that it has there, or in
/// the Pipfile. `None` for those that are always installed.
fn category(group: &str) -> Option<String> {
    match group {
        "default" | "packages" => None,
        "dev-packages" => Some("develop".to_owned()),
        other => Some(other.to_owned()),
    }
}

impl Locked {
    /// Its markers, and those that an older pipenv wrote as keys of their own:
    /// `sys_platform: "== 'win32'"`.
    fn marker(&self) -> String {
        let keys = [
            ("os_name", &self.os_name),
            ("sys_platform", &self.sys_platform),
            ("platform_machine", &self.platform_machine),
            ("platform_system", &self.platform_system),
            ("python_version", &self.python_version),
            ("python_full_version", &self.python_full_version),
            ("implementation_name", &self.implementation_name),
            ("platform_python_implementation", &self.platform_python_implementation),
        ];
        let keys = keys
            .into_iter()
            .filter_map(|(name, value)| Some(format!("{name} {}", value.as_ref()?)));
        let all: Vec<String> =
            self.markers.iter().map(|marker| format!("({marker})")).chain(keys).collect();
        all.join(" and ")
    }
}

fn resolved(name: &str, locked: &Locked, indexes: &[Index]) -> Result<Package, LockError> {
    let name = normalized(name);
    let Locked { version, index, git, r#ref, subdirectory, path, file, hashes, .. } = locked;
    let origin = if let Some(git) = git {
        let commit = r#ref.clone().unwrap_or_default();
        Origin::Git {
            url: git_address(&name, git.strip_prefix("git+").unwrap_or(git))?,
            commit: super::commit(&name, &commit)?,
            subdirectory: subdirectory.clone(),
        }
    } else if let Some(path) = path {
        let path = tree_path(&name, path)?;
        if is_archive(&path) { Origin::File(path) } else { Origin::Folder(path) }
    } else if let Some(file) = file {
        if file.contains("://") && !file.starts_with("file:") {
            Origin::Url { url: file_address(&name, file)?, subdirectory: subdirectory.clone() }
        } else {
            let path = tree_path(&name, file.strip_prefix("file://").unwrap_or(file))?;
            Origin::File(path)
        }
    } else {
        // The first source is the one that counts where none is named; it is the installer's own
        // where it is PyPI.
        let source = match index {
            Some(index) => Some(named(index, indexes, &name)?),
            None => indexes.first(),
        };
        match source {
            Some(Index { url, .. }) if !is_pypi(url) => {
                Origin::Index(Some(web_address(&name, url)?))
            }
            _ => Origin::Index(None),
        }
    };
    let version = match version.as_deref().map(str::trim) {
        None | Some("*") => None,
        Some(version) => Some(
            version
                .strip_prefix("==")
                .ok_or_else(|| LockError::Malformed {
                    what: "version",
                    package: name.clone(),
                    value: version.to_owned(),
                })?
                .trim()
                .to_owned(),
        ),
    };
    // Of an address or a path, pipenv writes down the hashes that the index has for a version of
    // this name, whatever the file is, and checks none of them when it installs.
    let hashes = match origin {
        Origin::Index(_) => hashes.clone(),
        Origin::Url { .. } | Origin::Git { .. } | Origin::File(_) | Origin::Folder(_) => {
            BTreeSet::new()
        }
    };
    // It has the hashes of the files, and not their names. Pipenv, too, asks for what a build needs
    // where the package itself is from.
    Ok(Package { name, version, origin, hashes, lacks: Lack::Nothing, is_built: false })
}

/// The source that a package names, by its name or its address.
fn named<'a>(index: &str, sources: &'a [Index], package: &str) -> Result<&'a Index, LockError> {
    let found = sources.iter().find(|source| source.name == index || source.url == index);
    found.ok_or_else(|| LockError::Unknown { what: format!("the index of {package}, {index:?}") })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{environment, with_whole_hashes};
    use super::super::{Chosen, Lock, Manifests, Origin, Package};

    #[test]
    fn a_category_is_chosen_by_its_name_there_or_in_the_pipfile() {
        let lock = r#"{"_meta": {"pipfile-spec": 6}, "default": {"six": {"version": "==1.0"}},
            "develop": {"pytest": {"version": "==1.0"}},
            "Prod_Only": {"gunicorn": {"version": "==1.0"}}}"#;
        let read = |groups: &[&str]| {
            let groups: Vec<String> = groups.iter().map(|&group| group.to_owned()).collect();
            let manifests = Manifests { frozen: true, ..Manifests::default() };
            let chosen = Chosen::new(&groups, &[]);
            Lock::Pipfile.read(lock, &manifests, &chosen, &environment("3.12.1"))
        };
        for (groups, names, left_out) in [
            (&[][..], &["six"][..], &["group Prod_Only", "group develop"][..]),
            (&["packages"], &["six"], &["group Prod_Only", "group develop"]),
            (&["Prod_Only"], &["gunicorn", "six"], &["group develop"]),
            (&["dev-packages"], &["pytest", "six"], &["group Prod_Only"]),
            (&["develop", "prod-only"], &["gunicorn", "pytest", "six"], &[]),
        ] {
            let set = read(groups).unwrap();
            let found: Vec<_> = set.packages.iter().map(|package| &package.name).collect();
            assert_eq!(found, names, "{groups:?}");
            assert_eq!(set.left_out, left_out, "{groups:?}");
        }
        let error = read(&["prod"]).unwrap_err().to_string();
        assert_eq!(error, "there is no group prod (there is develop, prod-only)");
    }

    #[test]
    fn two_spellings_of_one_name_are_one_package() {
        let lock = r#"{"_meta": {"pipfile-spec": 6}, "default": {
            "Zope.Event": {"version": "==1.0"}, "zope-event": {"version": "==2.0"}}}"#;
        let manifests = Manifests { frozen: true, ..Manifests::default() };
        let read = |lock: &str| {
            Lock::Pipfile.read(lock, &manifests, &Chosen::default(), &environment("3.12.1"))
        };
        let error = read(lock).unwrap_err().to_string();
        assert_eq!(error, "it has zope-event twice for one Python: 1.0 and 2.0");
        let markers = r#""==2.0", "markers": "python_version < '3'""#;
        assert!(read(&lock.replace("\"==2.0\"", markers)).is_ok());
    }

    /// Each package as a requirement, with how many hashes it may have.
    fn read(lock: &str) -> Vec<(String, usize)> {
        let manifests = Manifests { frozen: true, ..Manifests::default() };
        let environment = environment("3.12.1");
        let lock = with_whole_hashes(lock);
        let set = Lock::Pipfile.read(&lock, &manifests, &Chosen::default(), &environment).unwrap();
        let of = |package: &Package| (package.requirement(), package.hashes.len());
        set.packages.iter().map(of).collect()
    }

    #[test]
    fn an_index_of_old_has_no_name() {
        let packages = read(
            r#"{"_meta": {"pipfile-spec": 6, "sources": [
            {"url": "https://pypi.python.org/simple", "verify_ssl": true}]},
            "default": {"six": {"hashes": ["sha256:0123"], "version": "==1.11.0"}}}"#,
        );
        assert_eq!(packages, [("six==1.11.0".to_owned(), 1)]);
    }

    #[test]
    fn a_package_comes_from_the_source_that_it_names() {
        let lock = |index: &str| {
            format!(
                r#"{{"_meta": {{"pipfile-spec": 6, "sources": [
                {{"name": "pypi", "url": "https://pypi.org/simple"}},
                {{"name": "ours", "url": "https://example.org/simple"}}]}},
                "default": {{"six": {{"index": "{index}", "version": "==1.0"}}}}}}"#
            )
        };
        let manifests = Manifests { frozen: true, ..Manifests::default() };
        let read = |index: &str| {
            let environment = environment("3.12.1");
            let read =
                Lock::Pipfile.read(&lock(index), &manifests, &Chosen::default(), &environment);
            read.map(|set| set.packages[0].origin.clone()).map_err(|error| error.to_string())
        };
        let ours = Origin::Index(Some("https://example.org/simple".to_owned()));
        assert_eq!(read("ours"), Ok(ours.clone()));
        assert_eq!(read("https://example.org/simple"), Ok(ours));
        assert_eq!(read("pypi"), Ok(Origin::Index(None)));
        let error = read("theirs").unwrap_err();
        assert!(error.starts_with("the index of six, \"theirs\" is not"), "{error}");
    }

    /// uv takes one hash of an address, and pip refuses a file that has none of them.
    #[test]
    fn hashes_of_an_index_say_nothing_of_a_file_from_elsewhere() {
        let packages = read(
            r#"{"_meta": {"pipfile-spec": 6}, "default": {
            "attrs": {"hashes": ["sha256:01"], "path": "./attrs-1.0-py3-none-any.whl"},
            "six": {"hashes": ["sha256:01", "sha256:02"], "file": "https://example.org/six.whl"},
            "zope": {"hashes": ["sha256:01", "sha256:02"], "version": "==1.0"}}}"#,
        );
        let expected = [
            ("./attrs-1.0-py3-none-any.whl", 0),
            ("six @ https://example.org/six.whl", 0),
            ("zope==1.0", 2),
        ];
        assert_eq!(packages, expected.map(|(text, hashes)| (text.to_owned(), hashes)));
    }
}
