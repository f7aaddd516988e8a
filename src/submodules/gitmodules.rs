//! Where submodules are, according to `.gitmodules`. Nothing else in it is read.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};

use crate::git::{git, run};

/// A path of the tree, and the address of its repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Submodule {
    pub(super) path: String,
    /// As written: it may be relative.
    pub(super) url: String,
}

/// Reads the blob of a `.gitmodules` of this repository. Includes are not followed.
pub(super) fn read(repository: &Path, blob: git2::Oid) -> Result<Vec<Submodule>> {
    let mut list = git(repository);
    list.args(["config", "--no-includes", "--null", "--list", "--blob", &blob.to_string()]);
    let text = run(&mut list).context(".gitmodules cannot be read")?;
    Ok(parse(&text))
}

/// Parses the output of `git config --null --list`: `submodule.NAME.path LF VALUE NUL`. The last
/// value of a key counts. Submodules without an address, or with `update = none`, are left out.
fn parse(entries: &str) -> Vec<Submodule> {
    let mut sections: BTreeMap<&str, BTreeMap<&str, &str>> = BTreeMap::new();
    for entry in entries.split('\0') {
        let (key, value) = entry.split_once('\n').unwrap_or((entry, ""));
        if let Some((name, key)) =
            key.strip_prefix("submodule.").and_then(|rest| rest.rsplit_once('.'))
        {
            sections.entry(name).or_default().insert(key, value);
        }
    }
    let wanted = sections.into_values().filter(|section| section.get("update") != Some(&"none"));
    wanted
        .filter_map(|section| {
            let (path, url) = (section.get("path")?, section.get("url")?);
            Some(Submodule { path: path.trim_end_matches('/').to_owned(), url: (*url).to_owned() })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_addresses_are_read_and_nothing_else() {
        let entries = "core.pager\nevil\0\
                       submodule.a.b.path\nvendor/lib/\0submodule.a.b.url\n../lib.git\0\
                       submodule.a.b.update\n!touch x\0\
                       submodule.none.path\nx\0submodule.none.url\ny\0\
                       submodule.none.update\nnone\0\
                       submodule.no-url.path\nz\0";
        let found = parse(entries);
        assert_eq!(found, [Submodule { path: "vendor/lib".into(), url: "../lib.git".into() }]);
    }
}
