//! What the project's commands put into an env that leads to its release, wherever in the env it
//! is: a path that is written into a module, a link to a folder of the tree.

use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::marker::{is_marker, marker_file};
use super::names::Names;
use super::record::normal;
use super::references::is_editable;
use super::written::changed;
use crate::elf;

/// One of them is enough to tie an env to its release; the log names a few.
const MOST: usize = 20;

/// The files and links that were made after the env's marker, which is written just before the
/// commands run, and lead to the release: as `FILE names PATH`, sorted.
pub fn made_by_commands(env: &Path, release: &Path) -> Result<Vec<String>> {
    let marker = marker_file(env);
    let marker = fs::symlink_metadata(&marker)
        .with_context(|| format!("cannot access {}", marker.display()))?;
    // A process is told the path of the folder that it runs in without any links.
    let mut places = vec![release.to_owned()];
    places.extend(release.canonicalize().ok().filter(|canonical| canonical != release));
    let looking = Looking {
        env,
        names: places.iter().map(|place| Names::moving(place, place)).collect(),
        places,
        since: changed(&marker),
    };
    let mut found = Vec::new();
    looking.folder(env, &mut found)?;
    found.sort_unstable();
    found.truncate(MOST);
    Ok(found.iter().map(|path| format!("{} names {}", path.display(), release.display())).collect())
}

struct Looking<'a> {
    env: &'a Path,
    places: Vec<PathBuf>,
    names: Vec<Names>,
    since: (i64, i64),
}

impl Looking<'_> {
    fn folder(&self, folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
        let reading = || format!("cannot read {}", folder.display());
        for entry in fs::read_dir(folder).with_context(reading)? {
            let entry = entry.with_context(reading)?;
            let (name, path) = (entry.file_name(), entry.path());
            let metadata = entry.metadata().with_context(reading)?;
            let leads = if metadata.is_dir() {
                self.folder(&path, found)?;
                false
            } else if changed(&metadata) < self.since || folder == self.env && is_marker(&name) {
                false
            } else if metadata.is_symlink() {
                self.link(&path)?
            } else {
                metadata.is_file() && !says_where_it_is_from(&path) && self.file(&path)?
            };
            if leads {
                found.push(path.strip_prefix(self.env).unwrap_or(&path).to_owned());
            }
        }
        Ok(())
    }

    fn link(&self, path: &Path) -> Result<bool> {
        let target =
            fs::read_link(path).with_context(|| format!("cannot read {}", path.display()))?;
        let folder = path.parent().unwrap_or(path);
        // Where a relative link leads also depends on links above it.
        let folders = [Some(folder.to_owned()), folder.canonicalize().ok()];
        Ok(folders.into_iter().flatten().any(|folder| {
            let target = normal(&folder.join(&target));
            self.places.iter().any(|place| target.starts_with(place))
        }))
    }

    fn file(&self, path: &Path) -> Result<bool> {
        let reading = || format!("cannot read {}", path.display());
        for names in &self.names {
            let mut file = match File::open(path) {
                // The env cannot be copied then, whatever is in it.
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(false),
                opened => opened.with_context(reading)?,
            };
            if is_program(&mut file).with_context(reading)? {
                return Ok(false);
            }
            if names.are_in_file(&mut file).with_context(reading)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Whether a file is one of machine code, which names its sources for a debugger.
fn is_program(file: &mut File) -> io::Result<bool> {
    let mut start = Vec::new();
    file.take(elf::MAGIC.len() as u64).read_to_end(&mut start)?;
    file.rewind()?;
    Ok(start == elf::MAGIC)
}

/// Whether a file may name the folder that it was built in and needs nothing there: for a
/// traceback, a debugger, or whoever asks where a package comes from.
fn says_where_it_is_from(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().as_bytes();
    let is_compiled = [b".pyc".as_slice(), b".o", b".a"].iter().any(|it| name.ends_with(it));
    is_compiled || name == b"direct_url.json" && !is_editable(path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn what_leads_to_the_release_is_found_wherever_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let site = folder.path().canonicalize().unwrap();
        let (env, release) = (site.join("envs/7"), site.join("releases/7"));
        fs::create_dir_all(env.join("share/deep")).unwrap();
        fs::create_dir_all(&release).unwrap();
        fs::write(marker_file(&env), "").unwrap();
        let text = |number: &str| format!("ROOT = '{}/releases/{number}/x'", site.display());
        fs::write(env.join("share/deep/a.py"), text("7")).unwrap();
        fs::write(env.join("share/deep/a.pyc"), text("7")).unwrap();
        fs::write(env.join("share/deep/a"), format!("\x7fELF{}", text("7"))).unwrap();
        fs::write(env.join("share/deep/b.py"), text("71")).unwrap();
        symlink(release.join("static"), env.join("share/absolute")).unwrap();
        symlink("../../../releases/7/static", env.join("share/relative")).unwrap();
        symlink("../../../shared", env.join("share/other")).unwrap();
        let found = made_by_commands(&env, &release).unwrap();
        let names: Vec<_> =
            found.iter().map(|line| line.split_once(" names ").unwrap().0).collect();
        assert_eq!(names, ["share/absolute", "share/deep/a.py", "share/relative"]);
    }

    #[test]
    fn what_was_there_before_the_commands_is_not_theirs() {
        let folder = tempfile::tempdir().unwrap();
        let (env, release) = (folder.path().join("envs/7"), folder.path().join("releases/7"));
        fs::create_dir_all(&env).unwrap();
        fs::write(env.join("a.py"), release.as_os_str().as_bytes()).unwrap();
        let time = |path: &Path| changed(&fs::metadata(path).unwrap());
        let before = time(&env.join("a.py"));
        fs::write(marker_file(&env), "").unwrap();
        // A file has the time of the kernel's last tick.
        while time(&marker_file(&env)) == before {
            fs::write(marker_file(&env), "").unwrap();
        }
        assert!(made_by_commands(&env, &release).unwrap().is_empty());
    }
}
