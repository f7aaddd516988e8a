//! A lock file of a tree as a source of dependencies: what it pins, in the form that every source
//! is recorded and compared in.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use super::files::is_archive;
use super::indexes::Indexes;
use super::{
    Chosen, Environment, Lack, Lock, Manifests, Member, Origin, Package, Requirements, ResolvedSet,
    Workspace, error,
};
use crate::hex::hex;
use crate::python::dependencies::build_inputs::{BuildInputs, Finds, build_inputs};
use crate::python::dependencies::error::{not_utf8, too_large};
use crate::python::dependencies::record::{Line, Local, LocalKind, Recorded, Role};
use crate::python::dependencies::text::{shown, without_secrets};
use crate::python::dependencies::tree::{Resolved, Tree, from_above, resolve};
use crate::python::dependencies::workspace::workspace;

/// The most bytes that a lock may have.
const MOST_BYTES: u64 = 32 << 20;

/// The settings that name indexes, of uv and of pip.
const INDEX_SETTINGS: [&str; 8] = [
    "UV_INDEX",
    "UV_DEFAULT_INDEX",
    "UV_INDEX_URL",
    "UV_EXTRA_INDEX_URL",
    "UV_FIND_LINKS",
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
    "PIP_FIND_LINKS",
];

/// The settings that say how uv chooses versions, and what `[tool.uv]` calls them.
const CHOOSING: [(&str, &str); 4] = [
    ("UV_RESOLUTION", "resolution"),
    ("UV_PRERELEASE", "prerelease"),
    ("UV_FORK_STRATEGY", "fork-strategy"),
    ("UV_EXCLUDE_NEWER", "exclude-newer"),
];

/// The lock that is read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LockFile<'a> {
    pub(crate) lock: Lock,
    /// At the top of the tree, or above it.
    pub(crate) path: &'a str,
    /// Whether it is installed even if it does not belong to its manifest.
    pub(crate) frozen: bool,
}

/// Reads a lock; `variable` gives the app settings. Fails with what is wrong with it, and how to
/// fix it.
pub(crate) fn read(
    tree: &impl Tree,
    file: &LockFile<'_>,
    chosen: &Chosen,
    environment: &Environment,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Pinned> {
    let LockFile { lock, path, frozen } = *file;
    let text = text_of(tree, path)?.ok_or_else(|| error::not_a_file(path))?;
    let pyproject = manifest(tree, "pyproject.toml")?.unwrap_or_default();
    let pipfile = match lock {
        Lock::Pipfile => manifest(tree, "Pipfile")?,
        Lock::Pylock | Lock::Uv | Lock::Poetry | Lock::Pdm => None,
    };
    // The lock of a workspace is that many folders up.
    let levels = path.split('/').filter(|name| *name == "..").count();
    let depth = tree.place().split('/').filter(|name| !name.is_empty()).count();
    let above = depth.saturating_sub(levels);
    let workspace = match lock {
        Lock::Uv if !frozen => workspace(tree, levels, &text, &pyproject)?,
        _ => Workspace::default(),
    };
    let uv_toml = match (lock, from_above(tree, levels, "uv.toml")) {
        (Lock::Uv, Some(path)) if !frozen => manifest(tree, &path)?,
        _ => None,
    };
    let of_site = CHOOSING.iter().filter_map(|(name, key)| Some((*key, variable(name)?)));
    let manifests = Manifests {
        pyproject,
        pipfile,
        frozen,
        above,
        workspace,
        uv_toml,
        has_other_indexes: variable("UV_CONFIG_FILE").is_some(),
        indexes_of_site: indexes_of_site(variable),
        of_site: of_site.filter(|(_, value)| !value.is_empty()).collect(),
    };
    let mut set = lock
        .read(&text, &manifests, chosen, environment)
        .map_err(|why| error::cannot_install(lock, path, &why))?;
    for package in &mut set.packages {
        if let Origin::File(path) | Origin::Folder(path) = &mut package.origin {
            *path = from_above(tree, levels, path)
                .with_context(|| format!("{path} is not in the commit"))?;
        }
    }
    let mut warnings = Vec::new();
    match project_itself(tree, lock, &manifests.pyproject)? {
        Itself::Package(package) => set.packages.push(package),
        Itself::NotBuildable(why) => warnings.push(why),
        Itself::NoPackage => {}
    }
    let indexes = Indexes::new(lock, &manifests, variable).options(&set)?;
    let lacking = set.packages.iter().filter(|package| package.lacks != Lack::Nothing);
    let lacking = lacking.map(|package| (package.name.clone(), package.lacks.clone()));
    Ok(Pinned {
        lacking: lacking.collect(),
        recorded: recorded(tree, path, &set, &indexes.trusted_hosts)?,
        requirements: set.requirements(indexes),
        left_out: set.left_out,
        warnings,
    })
}

/// The addresses of the indexes that settings name, as `ADDRESS` or `NAME=ADDRESS`.
fn indexes_of_site(variable: &dyn Fn(&str) -> Option<String>) -> Vec<String> {
    let values = INDEX_SETTINGS.iter().filter_map(|name| variable(name));
    let addresses = values.flat_map(|value| {
        let parts = value.split(|c: char| c.is_whitespace() || c == ',');
        let address = |part: &str| match part.split_once('=') {
            Some((name, address)) if !name.contains(':') => address.to_owned(),
            _ => part.to_owned(),
        };
        parts.map(address).collect::<Vec<_>>()
    });
    addresses.filter(|address| address.contains("://")).collect()
}

/// What a lock pins. Paths in it are relative to the tree.
pub(crate) struct Pinned {
    pub(crate) recorded: Recorded,
    pub(crate) requirements: Requirements,
    /// The groups and extras that were not chosen.
    pub(crate) left_out: Vec<String>,
    /// The packages that have files for other Pythons.
    pub(crate) lacking: Vec<(String, Lack)>,
    pub(crate) warnings: Vec<String>,
}

/// What the marker keeps of a set. Its lines are the packages, each with its version, and the hosts
/// that are trusted.
fn recorded(
    tree: &impl Tree,
    file: &str,
    set: &ResolvedSet,
    trusted_hosts: &BTreeSet<String>,
) -> Result<Recorded> {
    let mut recorded = Recorded::default();
    let mut hash = Sha256::new();
    for package in &set.packages {
        let Package { name, version, origin, hashes, lacks: _, is_built: _ } = package;
        let requirement = package.requirement();
        hash.update(requirement.as_bytes());
        for value in hashes {
            hash.update(value.as_bytes());
        }
        if let Origin::File(path) | Origin::Folder(path) = origin {
            let (kind, id, whole_tree) = match resolve(tree, path)? {
                Resolved::File { .. }
                    if matches!(origin, Origin::Folder(_)) && !is_archive(path) =>
                {
                    return Err(error::not_a_project(file, name, path).into());
                }
                Resolved::File { id, .. } => (LocalKind::File, id, None),
                Resolved::Folder { id, path } => {
                    check_is_project(tree, file, name, &path)?;
                    let BuildInputs { id, whole_tree, leaves: _ } =
                        build_inputs(tree, &path, &id, Finds::Lock)?;
                    (LocalKind::Folder, id, whole_tree)
                }
                Resolved::Submodule { id } => {
                    let BuildInputs { id, whole_tree, leaves: _ } =
                        build_inputs(tree, path, &id, Finds::Lock)?;
                    (LocalKind::Folder, id, whole_tree)
                }
                _ => {
                    return Err(error::not_in_the_tree(file, name, path).into());
                }
            };
            hash.update(id.as_bytes());
            let path = if path.is_empty() { ".".to_owned() } else { path.clone() };
            recorded.local.push(Local { path, kind, id, whole_tree });
        }
        let source = match origin {
            Origin::Index(None) => None,
            Origin::Index(Some(index)) => Some(without_secrets(index)),
            _ => Some(without_secrets(&requirement)),
        };
        recorded.lines.push(Line {
            role: Role::Requirement,
            key: name.clone(),
            file: file.to_owned(),
            number: 0,
            text: match version {
                Some(version) => format!("{name} {version}"),
                None => name.clone(),
            },
            extras: BTreeSet::new(),
            version: version.clone().unwrap_or_default(),
            source,
            hashes: hashes.clone(),
            options: Vec::new(),
            editable: false,
            digest: None,
        });
    }
    for host in trusted_hosts {
        hash.update(host.as_bytes());
        let text = format!("--trusted-host {host}");
        recorded.lines.push(Line {
            role: Role::Option,
            key: text.clone(),
            file: file.to_owned(),
            number: 0,
            text,
            extras: BTreeSet::new(),
            version: String::new(),
            source: Some(host.clone()),
            hashes: BTreeSet::new(),
            options: Vec::new(),
            editable: false,
            digest: None,
        });
    }
    recorded.local.sort();
    recorded.local.dedup();
    recorded.fingerprint = hex(&hash.finalize());
    Ok(recorded)
}

/// Fails when a folder is nothing that could be built, or another project.
fn check_is_project(tree: &impl Tree, file: &str, name: &str, folder: &str) -> Result<()> {
    // Pipenv takes any name for what is at a path.
    let is_named = !file.ends_with(Lock::Pipfile.file_name());
    let path = |name: &str| [folder, name].join("/").trim_start_matches('/').to_owned();
    let pyproject = manifest(tree, &path("pyproject.toml"))?;
    if pyproject.is_none() && matches!(resolve(tree, &path("setup.py"))?, Resolved::Missing) {
        return Err(error::not_a_project(file, name, folder).into());
    }
    match pyproject.as_ref().and_then(Member::of) {
        Some(other) if is_named && other.name != name => {
            Err(error::another_project(file, name, folder, &other.name).into())
        }
        _ => Ok(()),
    }
}

/// The project itself, where its tool would install it and its lock does not say so: Poetry and PDM
/// install a project that has a build system, unless it says that it is no package.
fn project_itself(tree: &impl Tree, lock: Lock, pyproject: &toml::Table) -> Result<Itself> {
    let tool = |name: &str, key: &str| {
        pyproject.get("tool").and_then(|tool| tool.get(name)).and_then(|table| table.get(key))
    };
    let has_build_system = pyproject.contains_key("build-system");
    let is_package = match lock {
        Lock::Poetry => {
            has_build_system
                && tool("poetry", "package-mode").and_then(toml::Value::as_bool) != Some(false)
        }
        Lock::Pdm => {
            tool("pdm", "distribution").and_then(toml::Value::as_bool).unwrap_or(has_build_system)
        }
        // Its lock says it, or its tool installs no project.
        Lock::Pylock | Lock::Uv | Lock::Pipfile => false,
    };
    let name = pyproject
        .get("project")
        .and_then(|project| project.get("name"))
        .or_else(|| tool("poetry", "name"))
        .and_then(toml::Value::as_str);
    let Some(name) = name.filter(|_| is_package) else { return Ok(Itself::NoPackage) };
    let package = Package {
        name: super::normalized(name),
        version: None,
        origin: Origin::Folder(String::new()),
        hashes: BTreeSet::new(),
        lacks: Lack::Nothing,
        is_built: true,
    };
    let backend = pyproject.get("build-system").and_then(|it| it.get("build-backend"));
    // What another backend looks for, its build says.
    if lock != Lock::Poetry || !backend.and_then(toml::Value::as_str).is_some_and(is_of_poetry) {
        return Ok(Itself::Package(package));
    }
    let module = package.name.replace('-', "_");
    let packages = tool("poetry", "packages").and_then(toml::Value::as_array);
    let lacks = if let Some(packages) = packages {
        lacking(tree, packages)?
    } else {
        let src = format!("src/{module}");
        let places = [module.clone(), src.clone(), format!("{module}.py"), format!("{src}.py")];
        let mut is_there = false;
        for place in &places {
            is_there |= !matches!(resolve(tree, place)?, Resolved::Missing);
        }
        (!is_there).then(|| format!("{module} or {src}"))
    };
    Ok(match lacks {
        None => Itself::Package(package),
        Some(lacks) => Itself::NotBuildable(format!(
            "the project itself is not installed: there is no {lacks} that its package could be \
             made of. If it is run from its folder, say so: package-mode = false under \
             [tool.poetry] in pyproject.toml"
        )),
    })
}

/// Whether the project that is deployed is installed itself.
enum Itself {
    NoPackage,
    Package(Package),
    /// Its own tool would install it, and its build is bound to fail.
    NotBuildable(String),
}

fn is_of_poetry(backend: &str) -> bool {
    ["poetry.core.masonry.api", "poetry.masonry.api"].contains(&backend)
}

/// The first of the `packages` of `[tool.poetry]` that is not in the tree.
fn lacking(tree: &impl Tree, packages: &[toml::Value]) -> Result<Option<String>> {
    for package in packages {
        let text = |key: &str| package.get(key).and_then(toml::Value::as_str);
        let Some(include) = text("include") else { continue };
        // Of a pattern, its beginning has to be there.
        let include = include.split(['*', '?', '[']).next().unwrap_or_default();
        let path = match text("from") {
            Some(folder) => format!("{folder}/{include}"),
            None => include.to_owned(),
        };
        let path = path.trim_end_matches('/');
        if matches!(resolve(tree, path)?, Resolved::Missing) {
            return Ok(Some(shown(path)));
        }
    }
    Ok(None)
}

/// A file that a lock is made from; `None` when there is no such file.
pub(in crate::python::dependencies) fn manifest(
    tree: &impl Tree,
    path: &str,
) -> Result<Option<toml::Table>> {
    let Some(text) = text_of(tree, path)? else { return Ok(None) };
    Ok(Some(super::manifest(path, &text)?))
}

/// The text of a file; `None` when there is no such file.
fn text_of(tree: &impl Tree, path: &str) -> Result<Option<String>> {
    let Resolved::File { id, path: place } = resolve(tree, path)? else { return Ok(None) };
    let size = tree.size(&id)?;
    if size > MOST_BYTES {
        return Err(too_large(path, size, MOST_BYTES).into());
    }
    let bytes = tree.written(&place)?;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    match str::from_utf8(bytes) {
        Ok(text) => Ok(Some(text.to_owned())),
        Err(why) => Err(not_utf8(path, why.valid_up_to()).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::indexes_of_site;

    #[test]
    fn settings_of_both_installers_name_indexes() {
        let settings = [
            ("PIP_EXTRA_INDEX_URL", "https://a.example.org/x?y=z  https://b.example.org"),
            ("PIP_FIND_LINKS", "/srv/wheels\nhttps://c.example.org/page.html"),
            ("UV_INDEX", "ours=https://me:secret@d.example.org/simple /srv/simple"),
            ("UV_FIND_LINKS", "https://e.example.org,wheels"),
        ];
        let variable = |name: &str| {
            let found = settings.iter().find(|(setting, _)| *setting == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let mut found = indexes_of_site(&variable);
        found.sort();
        let expected = [
            "https://a.example.org/x?y=z",
            "https://b.example.org",
            "https://c.example.org/page.html",
            "https://e.example.org",
            "https://me:secret@d.example.org/simple",
        ];
        assert_eq!(found, expected);
    }
}
