//! Where the packages of a uv.lock come from.

use std::collections::BTreeSet;

use super::super::error::LockError;
use super::super::files::best;
use super::super::marker::Environment;
use super::super::resolved::{Lack, Origin, Package};
use super::super::{file_address, git_address, tree_path};
use super::file::{File, Locked, Source};
use crate::text::url::percent_decoded;

const PYPI: &str = "https://pypi.org/simple";

/// The package as every lock's reader gives it. Fails when it is from where nothing may come from.
pub(super) fn resolved(package: &Locked, environment: &Environment) -> Result<Package, LockError> {
    let Locked { name, version, source, sdist, wheels, .. } = package;
    let path = |path: &str| tree_path(name, path);
    let files = || sdist.iter().chain(wheels);
    let mut hashes: BTreeSet<String> = files().filter_map(|file| file.hash.clone()).collect();
    let origin = match source {
        Source { registry: Some(index), .. } => match index.trim_end_matches('/') {
            PYPI => Origin::Index(None),
            _ if index.contains("://") => Origin::Index(Some(file_address(name, index)?)),
            // A folder of files in the tree, one of which is meant.
            _ => {
                let file = flat_file(package, environment)?;
                let chosen = files().filter(|it| it.name() == Some(file));
                hashes = chosen.filter_map(|file| file.hash.clone()).collect();
                Origin::File(path(&format!("{index}/{file}"))?)
            }
        },
        Source { git: Some(address), .. } => git(name, address)?,
        Source { url: Some(url), subdirectory, .. } => {
            Origin::Url { url: file_address(name, url)?, subdirectory: subdirectory.clone() }
        }
        Source { path: Some(file), .. } => Origin::File(path(file)?),
        Source { directory: Some(folder), .. } | Source { editable: Some(folder), .. } => {
            Origin::Folder(path(folder)?)
        }
        _ => return Err(LockError::Unknown { what: format!("the source of {name}") }),
    };
    if matches!(origin, Origin::Git { .. } | Origin::Folder(_)) {
        hashes.clear();
    }
    Ok(Package {
        name: name.clone(),
        version: version.clone(),
        origin,
        hashes,
        lacks: Lack::Nothing,
        is_built: false,
    })
}

/// `https://example.org/repo.git?rev=v1&subdirectory=lib#COMMIT`, as uv writes it.
fn git(package: &str, address: &str) -> Result<Origin, LockError> {
    let wrong = || LockError::Address { package: package.to_owned(), address: address.to_owned() };
    let (address_, commit) = address.rsplit_once('#').ok_or_else(wrong)?;
    if commit.len() < 40 || !commit.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(wrong());
    }
    let (url, query) = address_.split_once('?').unwrap_or((address_, ""));
    let subdirectory = query.split('&').find_map(|pair| pair.strip_prefix("subdirectory="));
    Ok(Origin::Git {
        url: git_address(package, url)?,
        commit: commit.to_owned(),
        subdirectory: subdirectory.map(percent_decoded),
    })
}

/// The name of the file that is meant of an index that is a folder in the tree.
fn flat_file<'a>(package: &'a Locked, environment: &Environment) -> Result<&'a str, LockError> {
    let names: Vec<_> =
        package.wheels.iter().chain(&package.sdist).filter_map(File::name).collect();
    let missing = || LockError::Missing { package: package.name.clone() };
    best(&names, environment).ok_or_else(missing)
}
