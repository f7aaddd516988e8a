//! Copies an env, so that pip can add to the copy while the original stays live.
//!
//! A copied env is not a moved one: what is in it names its old path. Those names are rewritten, in
//! the files that are known to hold them.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result};

use super::marker::is_marker;
use crate::disk;

/// Copies the env `from` to `to`, which must not be there. The copy's scripts run the copy's
/// interpreter.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    disk::point("env: before copy");
    copy_entry(from, to, Move { from, to })?;
    disk::point("env: after copy");
    Ok(())
}

/// The path that an env is known by, and the one that its copy will be.
#[derive(Clone, Copy)]
struct Move<'a> {
    from: &'a Path,
    to: &'a Path,
}

fn copy_entry(from: &Path, to: &Path, moved: Move<'_>) -> Result<()> {
    let metadata =
        fs::symlink_metadata(from).with_context(|| format!("cannot access {}", from.display()))?;
    if metadata.is_dir() {
        disk::create_dir(to)?;
        for entry in
            fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))?
        {
            let name =
                entry.with_context(|| format!("cannot read {}", from.display()))?.file_name();
            let own = moved.from == from && is_marker(&name);
            if !own {
                copy_entry(&from.join(&name), &to.join(&name), moved)?;
            }
        }
        Ok(())
    } else if metadata.is_symlink() {
        copy_link(from, to, moved)
    } else if metadata.is_file() {
        copy_file(from, to, moved)
    } else {
        // Sockets and fifos that a process left in its env belong to that process.
        Ok(())
    }
}

fn copy_link(source: &Path, target: &Path, moved: Move<'_>) -> Result<()> {
    let leads_to = fs::read_link(source)
        .with_context(|| format!("cannot read the link {}", source.display()))?;
    match leads_to.strip_prefix(moved.from) {
        Ok(inside) => disk::symlink(&moved.to.join(inside), target),
        Err(_) => disk::symlink(&leads_to, target),
    }
}

fn copy_file(source: &Path, target: &Path, moved: Move<'_>) -> Result<()> {
    if names_its_env(source) {
        let reading = || format!("cannot read {}", source.display());
        let mode = fs::metadata(source).with_context(reading)?.permissions().mode();
        let bytes = fs::read(source).with_context(reading)?;
        if let Some(rewritten) = rewrite(&bytes, moved.from, moved.to) {
            return disk::write_new(target, &rewritten, mode);
        }
    }
    // A `.pyc` is good as long as its source has the recorded time and size, so a copy that took new
    // times would make Python compile everything again.
    disk::copy_file(source, target)
}

/// Whether a file is one of those in which tools write an env's path: scripts in `bin`,
/// `pyvenv.cfg`, and the files by which `site-packages` leads to an editable install.
fn names_its_env(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    let extension = path.extension().unwrap_or_default();
    path.parent().and_then(Path::file_name) == Some(OsStr::new("bin"))
        || name == "pyvenv.cfg"
        || extension == "pth"
        || extension == "egg-link"
        || name.as_encoded_bytes().starts_with(b"__editable__")
}

/// The text with every mention of the old env replaced; `None` when there is none, or when it is no
/// text.
fn rewrite(bytes: &[u8], old_env: &Path, new_env: &Path) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(bytes).ok()?;
    let old = old_env.to_str()?;
    let new = new_env.to_str()?;
    let mut rest = text;
    let mut rewritten = String::with_capacity(text.len() + 16);
    while let Some(position) = rest.find(old) {
        let after = &rest[position + old.len()..];
        rewritten.push_str(&rest[..position]);
        // `envs/5` is also how `envs/57` begins.
        let whole = !after.starts_with(|next: char| next.is_ascii_alphanumeric());
        rewritten.push_str(if whole { new } else { old });
        rest = after;
    }
    rewritten.push_str(rest);
    (rewritten != text).then(|| rewritten.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_path_is_rewritten() {
        let of =
            |text: &str| rewrite(text.as_bytes(), Path::new("/s/envs/5"), Path::new("/s/envs/12"));
        assert_eq!(
            of("#!/s/envs/5/bin/python\nVIRTUAL_ENV='/s/envs/5'").unwrap(),
            b"#!/s/envs/12/bin/python\nVIRTUAL_ENV='/s/envs/12'"
        );
        assert_eq!(of("#!/s/envs/57/bin/python"), None);
        assert_eq!(
            rewrite(b"\x7fELF\xff/s/envs/5", Path::new("/s/envs/5"), Path::new("/s/envs/12")),
            None
        );
    }
}
