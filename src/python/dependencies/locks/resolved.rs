//! What a lock file pins for one interpreter: the form that every lock is read into.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::str::FromStr;

use pep440_rs::Version;

use super::error::LockError;
use super::indexes::{IndexOptions, Search};

/// The packages that a lock's own tool would install for one interpreter, and what was left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResolvedSet {
    /// Sorted by name; no name twice.
    pub packages: Vec<Package>,
    /// The groups and extras that exist and were not chosen, sorted, such as `group dev`.
    pub left_out: Vec<String>,
}

/// One package, at one version, from one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// Normalized, see [`super::marker::normalized`].
    pub name: String,
    /// Its version, where the lock has one.
    pub version: Option<String>,
    pub origin: Origin,
    /// What a file that is downloaded may have for a hash, as `sha256:…`.
    pub hashes: BTreeSet<String>,
    pub lacks: Lack,
    /// Whether it is built, since no wheel of it is for this machine and Python.
    pub is_built: bool,
}

/// What a package lacks for an interpreter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Lack {
    #[default]
    Nothing,
    /// It has to be built although it has wheels for this machine: they are for other Pythons.
    Wheel,
    /// It cannot be built either, so it is for these Pythons only, such as `3.12`.
    File { pythons: Vec<String> },
}

/// Where a package comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A package index. `None` is the installer's own: the lock names `PyPI`, or no index at all.
    Index(Option<String>),
    /// A file to download.
    Url { url: String, subdirectory: Option<String> },
    /// A Git repository at one commit.
    Git { url: String, commit: String, subdirectory: Option<String> },
    /// A wheel or an archive in the tree, relative to the lock's folder.
    File(String),
    /// A project in the tree, relative to the lock's folder. It is built, never linked into the
    /// tree.
    Folder(String),
}

impl Lack {
    /// Whether it cannot be installed at all.
    pub fn is_file(&self) -> bool {
        matches!(self, Lack::File { .. })
    }
}

impl ResolvedSet {
    /// Takes the packages that apply. Fails when two of them have one name.
    pub fn new(mut packages: Vec<Package>, left_out: BTreeSet<String>) -> Result<Self, LockError> {
        for package in &packages {
            package.check()?;
        }
        packages
            .sort_by(|one, other| (&one.name, &one.version).cmp(&(&other.name, &other.version)));
        packages.dedup();
        let is_one_name = |(one, other): &(&Package, &Package)| one.name == other.name;
        if let Some((one, other)) = packages.iter().zip(packages.iter().skip(1)).find(is_one_name) {
            return Err(LockError::twice(one, other));
        }
        Ok(Self { packages, left_out: left_out.into_iter().collect() })
    }

    /// Fails when a package is more than so many folders above the lock's.
    pub fn check_inside(&self, above: usize) -> Result<(), LockError> {
        for package in &self.packages {
            if let Origin::File(path) | Origin::Folder(path) = &package.origin
                && path.split('/').filter(|name| *name == "..").count() > above
            {
                let (package, path) = (package.name.clone(), path.clone());
                return Err(LockError::Outside { package, path });
            }
        }
        Ok(())
    }

    /// Fails when any version of a package could be installed.
    pub fn check_versions(&self) -> Result<(), LockError> {
        let is_open = |it: &&Package| it.version.is_none() && matches!(it.origin, Origin::Index(_));
        match self.packages.iter().find(is_open) {
            Some(package) => Err(LockError::NoVersion { package: package.name.clone() }),
            None => Ok(()),
        }
    }

    /// The set as requirements in which everything is pinned, to be installed with `--no-deps`.
    /// Paths are relative to the tree's top. Those that an installer finds in other places come
    /// apart, and packages with hashes apart from those that can have none, because pip checks
    /// either all of a file or nothing.
    pub fn requirements(&self, indexes: IndexOptions) -> Requirements {
        let mut texts: BTreeMap<(Search, bool), String> = BTreeMap::new();
        for package in &self.packages {
            let key = (indexes.search(package), package.hashes.is_empty());
            let text = texts.entry(key).or_default();
            text.push_str(&package.requirement());
            for hash in &package.hashes {
                let _ = write!(text, " --hash={hash}");
            }
            text.push('\n');
        }
        let mut options = String::new();
        for host in &indexes.trusted_hosts {
            let _ = writeln!(options, "--trusted-host {host}");
        }
        let parts = texts.into_iter().map(|((search, _), text)| {
            let text = options.clone() + &text;
            Part { search, text }
        });
        Requirements { parts: parts.collect(), advice: indexes.advice }
    }
}

/// What an installer is given for a set: see [`ResolvedSet::requirements`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requirements {
    /// Those with the same [`Search`] follow each other.
    pub parts: Vec<Part>,
    /// What to do if an index refuses to answer.
    pub advice: Vec<String>,
}

/// Requirements that are all found in the same places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub search: Search,
    /// Lines of a requirements file, without the options for `search`.
    pub text: String,
}

impl LockError {
    /// Two packages of one name.
    pub(super) fn twice(one: &Package, other: &Package) -> LockError {
        let mut versions = [one, other].map(Package::version_or_origin);
        if versions[0] == versions[1] {
            versions = [one, other].map(Package::requirement);
        }
        LockError::Twice { name: one.name.clone(), versions: versions.into() }
    }
}

/// How many bytes the digests have of which pip or uv can check one.
const DIGESTS: [(&str, usize); 5] =
    [("md5", 16), ("sha256", 32), ("sha384", 48), ("sha512", 64), ("blake2b", 64)];

/// Whether it is `sha256:…` with a whole digest.
fn is_hash(text: &str) -> bool {
    text.split_once(':').is_some_and(|(kind, digest)| {
        let bytes = DIGESTS.iter().find(|(name, _)| *name == kind).map(|(_, bytes)| *bytes);
        bytes.is_some_and(|bytes| digest.len() == 2 * bytes)
            && digest.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

impl Package {
    /// Fails when a part is malformed, or could be read as something else in a requirements file:
    /// as an option, a comment, or another line.
    fn check(&self) -> Result<(), LockError> {
        let Package { name, version, origin, hashes, lacks: _, is_built: _ } = self;
        let fits = |text: &str, others: &str| {
            let mut all = text.chars();
            !text.is_empty() && all.all(|c| c.is_ascii_alphanumeric() || others.contains(c))
        };
        let unknown = |what: &str, found: &str| {
            Err(LockError::Unknown { what: format!("the {what} of {name:?}, {found:?}") })
        };
        let malformed = |what: &'static str, value: &str| {
            let (package, value) = (name.clone(), value.to_owned());
            Err(LockError::Malformed { what, package, value })
        };
        if !fits(name, "-") || name.starts_with('-') || name.ends_with('-') {
            return Err(LockError::Name(name.clone()));
        }
        let is_version = |text: &str| fits(text, ".!+_-") && Version::from_str(text).is_ok();
        if let Some(version) = version.as_ref().filter(|version| !is_version(version)) {
            return malformed("version", version);
        }
        if let Some(hash) = hashes.iter().find(|hash| !is_hash(hash)) {
            return malformed("hash", hash);
        }
        match origin {
            Origin::Url { subdirectory: Some(folder), .. }
            | Origin::Git { subdirectory: Some(folder), .. }
                if !fits(folder, "/._-+@") =>
            {
                unknown("subdirectory", folder)
            }
            Origin::File(path) | Origin::Folder(path)
                if path.chars().any(char::is_control)
                    || [" -", " #", " ;"].iter().any(|mark| path.contains(mark)) =>
            {
                unknown("path", path)
            }
            _ => Ok(()),
        }
    }

    /// The package as a requirement line, without its hashes.
    pub fn requirement(&self) -> String {
        let Package { name, version, origin, hashes: _, .. } = self;
        let with = |subdirectory: &Option<String>| {
            subdirectory.as_ref().map_or(String::new(), |path| format!("#subdirectory={path}"))
        };
        match (origin, version) {
            (Origin::Index(_), Some(version)) => format!("{name}=={version}"),
            (Origin::Index(_), None) => name.clone(),
            (Origin::Url { url, subdirectory }, _) => {
                format!("{name} @ {url}{}", with(subdirectory))
            }
            (Origin::Git { url, commit, subdirectory }, _) => {
                format!("{name} @ git+{url}@{commit}{}", with(subdirectory))
            }
            (Origin::File(path) | Origin::Folder(path), _) => format!("./{path}"),
        }
    }

    fn version_or_origin(&self) -> String {
        self.version.clone().unwrap_or_else(|| self.requirement())
    }
}
