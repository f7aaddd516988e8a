//! `project`: the folder of a commit that is the application. It alone is exported, and its files
//! alone count.

use anyhow::{Result, bail};
use git2::Oid;

use super::error;
use crate::git::{CommitTree, Kind};
use crate::settings::Sourced;
use crate::settings::project::folder;

/// The tree of the application: the whole commit when nobody names a folder of it.
///
/// Fails when what is named is not a folder of this commit.
pub fn application(commit: &CommitTree<'_>, project: Option<&Sourced<String>>) -> Result<Oid> {
    let path = match project {
        Some(said) => match folder(&said.value) {
            Some(path) => path,
            None => {
                return Err(error::outside_the_commit(said).into());
            }
        },
        None => String::new(),
    };
    let found = match (commit.entry(&path)?, project) {
        (Some(entry), _) if entry.kind == Kind::Folder => return Ok(entry.oid),
        (None, _) => "there is nothing of that name",
        (Some(entry), _) => match entry.kind {
            Kind::File => "it is a file; name the folder it is in",
            Kind::Link => "it is a symbolic link",
            Kind::Folder | Kind::Submodule => "it is a submodule",
        },
    };
    match project {
        Some(said) => Err(error::not_a_folder(said, found).into()),
        None => bail!("the commit has no tree"),
    }
}
