//! `project`: the folder of a commit that is the application. It alone is exported, and its files
//! alone count.

use anyhow::{Result, bail};
use git2::Oid;

use super::settings::Said;
use crate::git::{CommitTree, Kind};

/// The tree of the application: the whole commit when nobody names a folder of it.
///
/// Fails when what is named is not a folder of this commit.
pub fn application(commit: &CommitTree<'_>, project: Option<&Said<String>>) -> Result<Oid> {
    let path = match project {
        Some(said) => match folder(&said.value) {
            Some(path) => path,
            None => {
                bail!(
                    "{}\nName a folder inside the commit, such as `web`",
                    wrong(said, "it leads out of the commit")
                )
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
        Some(said) => {
            bail!("{}\nWhat there is: git ls-tree -d --name-only -r HEAD", wrong(said, found))
        }
        None => bail!("the commit has no tree"),
    }
}

fn wrong(said: &Said<String>, fact: &str) -> String {
    format!(
        "the project `{}` is not a folder of this commit: {fact} ({})",
        said.value.escape_debug(),
        said.by
    )
}

/// A path as people write it (`./web/`, `web\app`), with `/` between its names; `None` when it
/// leads out.
pub fn folder(written: &str) -> Option<String> {
    if written.starts_with(['/', '\\']) {
        return None;
    }
    let names: Vec<&str> =
        written.split(['/', '\\']).filter(|name| !name.is_empty() && *name != ".").collect();
    (!names.contains(&"..")).then(|| names.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_found_however_it_is_written() {
        for written in ["web/app", "./web/app/", "web\\app", "web//app"] {
            assert_eq!(folder(written).as_deref(), Some("web/app"), "{written}");
        }
        assert_eq!(folder(".").as_deref(), Some(""));
        for out in ["/etc", "..", "web/../..", "\\\\server\\share"] {
            assert_eq!(folder(out), None, "{out}");
        }
    }
}
