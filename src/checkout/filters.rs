//! Files that a filter of git is meant to change on their way out, which nobody runs: git-crypt's,
//! for one, stay encrypted. Only `filter=lfs` is done, elsewhere.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use git2::{Odb, Oid};
use gix_attributes::glob::pattern::Case;
use gix_attributes::search::{MetadataCollection, Outcome};
use gix_attributes::{Search, StateRef};

use super::attributes::as_git_reads;
use super::entry::{Entries, Kind};
use super::fill::ATTRIBUTES;
use super::objects;

const FILTER: &str = "filter";

/// A file, and the filter that its `.gitattributes` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfiltered {
    pub path: PathBuf,
    pub filter: String,
}

/// The files of a tree with a filter that is not run.
///
/// Looks at every file only when a `.gitattributes` at the top, or in a folder there, names such a
/// filter: going through a large tree for nothing would slow every push.
pub fn unfiltered(objects: &git2::Repository, tree: Oid) -> Result<Vec<Unfiltered>> {
    let odb = objects.odb().context("the object database cannot be opened")?;
    if !names_a_filter(&odb, tree, 1)? {
        return Ok(Vec::new());
    }
    let mut names = MetadataCollection::default();
    let no_files: [PathBuf; 0] = [];
    let search = Search::new_globals(no_files, &mut Vec::new(), &mut names)
        .context("cannot prepare git's own attributes")?;
    let mut walk = Walk { odb: &odb, search, names, found: Vec::new() };
    walk.folder(tree, &[])?;
    Ok(walk.found)
}

/// Whether a `.gitattributes` of this folder, or of one up to `depth` levels below, names a filter
/// other than that of Git LFS.
fn names_a_filter(odb: &Odb<'_>, tree: Oid, depth: usize) -> Result<bool> {
    let object = objects::tree(odb, tree)?;
    let mut entries = Entries::new(object.data(), 0, tree.as_bytes().len());
    while let Some(entry) = entries.next()? {
        let found = match entry.kind {
            Kind::File { .. } if entry.name == ATTRIBUTES => {
                let blob = objects::blob(odb, entry.id()?)?;
                String::from_utf8_lossy(blob.data())
                    .split_ascii_whitespace()
                    .any(|word| word.strip_prefix("filter=").is_some_and(|name| name != "lfs"))
            }
            Kind::Folder if depth > 0 => names_a_filter(odb, entry.id()?, depth - 1)?,
            _ => false,
        };
        if found {
            return Ok(true);
        }
    }
    Ok(false)
}

struct Walk<'a, 'o> {
    odb: &'a Odb<'o>,
    search: Search,
    names: MetadataCollection,
    found: Vec<Unfiltered>,
}

impl Walk<'_, '_> {
    fn folder(&mut self, tree: Oid, above: &[u8]) -> Result<()> {
        let object = objects::tree(self.odb, tree)?;
        let entries = || Entries::new(object.data(), 0, tree.as_bytes().len());
        // Whatever the order of the entries, those of a folder hold in all of it.
        let mut own = 0;
        let mut all = entries();
        while let Some(entry) = all.next()? {
            if entry.name == ATTRIBUTES && matches!(entry.kind, Kind::File { .. }) {
                let blob = objects::blob(self.odb, entry.id()?)?;
                let path = [above, ATTRIBUTES].concat();
                self.search
                    .add_patterns_buffer(
                        &as_git_reads(blob.data()),
                        PathBuf::from(OsStr::from_bytes(&path)),
                        Some(Path::new("")),
                        &mut self.names,
                        above.is_empty(),
                    )
                    .context("cannot read .gitattributes")?;
                own += 1;
            }
        }
        let mut all = entries();
        while let Some(entry) = all.next()? {
            let path = [above, entry.name].concat();
            match entry.kind {
                Kind::Folder => self.folder(entry.id()?, &[path.as_slice(), b"/"].concat())?,
                Kind::File { .. } => self.file(&path),
                _ => {}
            }
        }
        for _ in 0..own {
            self.search.pop_pattern_list();
        }
        Ok(())
    }

    fn file(&mut self, path: &[u8]) {
        let mut outcome = Outcome::default();
        outcome.initialize_with_selection(&self.names, [FILTER]);
        let matched = self.search.pattern_matching_relative_path(
            path.into(),
            Case::Sensitive,
            Some(false),
            &mut outcome,
        );
        let state = outcome.iter_selected().map(|found| found.assignment.state).next();
        if matched
            && let Some(StateRef::Value(name)) = state
            && name.as_bstr() != "lfs"
        {
            self.found.push(Unfiltered {
                path: PathBuf::from(OsStr::from_bytes(path)),
                filter: name.as_bstr().to_string(),
            });
        }
    }
}
