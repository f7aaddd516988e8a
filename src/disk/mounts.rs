//! Where file systems are mounted, from `proc_pid_mountinfo(5)`. Bind mounts of files count, too.

use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The mount points at and below a path, outermost first, as this process sees them. Links in the
/// path are followed.
///
/// Without /proc nothing is found. The remover does not rely on it, and crosses no mount point
/// either way.
pub fn below(path: &Path) -> Result<Vec<PathBuf>> {
    let path = match path.canonicalize() {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        found => found.with_context(|| format!("cannot access {}", path.display()))?,
    };
    let mut found = all()?;
    found.retain(|mount| mount.starts_with(&path));
    found.sort();
    found.dedup();
    Ok(found)
}

fn all() -> Result<Vec<PathBuf>> {
    let name = "/proc/self/mountinfo";
    match fs::read(name) {
        Ok(text) => Ok(text.split(|byte| *byte == b'\n').filter_map(mount_point).collect()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error).with_context(|| format!("cannot read {name}")),
    }
}

/// The fifth field of a line.
fn mount_point(line: &[u8]) -> Option<PathBuf> {
    let field = line.split(|byte| *byte == b' ').nth(4)?;
    Some(unescape(field))
}

/// A path as the kernel writes it, with blanks, line ends and backslashes as `\040`.
pub fn unescape(field: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, after)) = rest.split_first() {
        let octal = after.get(..3).filter(|digits| {
            *first == b'\\' && digits.iter().all(|digit| (b'0'..=b'7').contains(digit))
        });
        let value = octal.map(|digits| {
            digits.iter().fold(0_u32, |value, digit| value * 8 + u32::from(digit - b'0'))
        });
        if let Some(value) = value.and_then(|value| u8::try_from(value).ok()) {
            bytes.push(value);
            rest = &after[3..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    PathBuf::from(OsString::from_vec(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_point_may_have_any_name() {
        let line =
            br"36 35 98:0 /mnt1 /srv/a\040b\012c\134d\134303 rw master:1 - ext3 /dev/root rw";
        assert_eq!(mount_point(line).unwrap().into_os_string().into_vec(), b"/srv/a b\nc\\d\\303");
        assert_eq!(mount_point(b"36 35 98:0"), None);
        assert_eq!(unescape(br"a\04"), Path::new(r"a\04"));
        assert_eq!(unescape(br"a\777"), Path::new(r"a\777"));
    }

    #[test]
    fn the_root_is_mounted_and_what_is_not_there_has_no_mounts() {
        assert!(below(Path::new("/")).unwrap().contains(&PathBuf::from("/")));
        assert!(below(Path::new("/there/is/no/such/path")).unwrap().is_empty());
        let folder = tempfile::tempdir().unwrap();
        assert!(below(folder.path()).unwrap().is_empty());
    }
}
