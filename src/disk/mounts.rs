//! Where file systems are mounted, from `proc_pid_mountinfo(5)`. Bind mounts of files count, too.

use std::ffi::OsString;
use std::fs;
use std::io::{ErrorKind, Read};
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
        Ok(text) => Ok(Mounts::parse(&text).0.into_iter().map(|mount| mount.point).collect()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error).with_context(|| format!("cannot read {name}")),
    }
}

/// What is mounted in the mount namespace of a process, as that process sees it.
#[derive(Debug)]
pub struct Mounts(Vec<Mount>);

#[derive(Debug, PartialEq, Eq)]
struct Mount {
    id: u64,
    parent: u64,
    device: String,
    /// What of the file system is mounted: `/`, or a folder or file of it.
    root: PathBuf,
    point: PathBuf,
}

/// Where a path lies within its file system, however that is mounted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    device: String,
    path: PathBuf,
}

impl Place {
    pub fn is_in(&self, other: &Place) -> bool {
        self.device == other.device && self.path.starts_with(&other.path)
    }
}

/// A mount by what it touches.
#[derive(Debug)]
pub struct MountEnds<'a> {
    pub point: &'a Path,
    /// What is mounted.
    pub from: Place,
    /// What it is mounted on, where that can be seen.
    pub onto: Option<Place>,
}

impl Mounts {
    /// Those of this process.
    pub fn own() -> Mounts {
        Mounts::of("self").unwrap_or(Mounts(Vec::new()))
    }

    /// Those of a process; `None` when they cannot be seen.
    pub fn of_process(pid: u32) -> Option<Mounts> {
        Mounts::of(&pid.to_string())
    }

    fn of(process: &str) -> Option<Mounts> {
        fs::read(format!("/proc/{process}/mountinfo")).ok().map(|text| Mounts::parse(&text))
    }

    /// The id of the first mount that a process sees. No two namespaces have the same.
    pub fn first_id(pid: u32) -> Option<u64> {
        let mut begin = [0; 32];
        let mut file = fs::File::open(format!("/proc/{pid}/mountinfo")).ok()?;
        let length = file.read(&mut begin).ok()?;
        number(begin[..length].split(|byte| *byte == b' ').next()?)
    }

    fn parse(mountinfo: &[u8]) -> Mounts {
        Mounts(mountinfo.split(|byte| *byte == b'\n').filter_map(Mount::parse).collect())
    }

    /// Where a path lies, which has no links in it.
    pub fn place(&self, path: &Path) -> Option<Place> {
        let holding = self.0.iter().filter(|mount| path.starts_with(&mount.point));
        // Of several at one point, the last one hides the others.
        holding.max_by_key(|mount| mount.point.components().count())?.place(path)
    }

    pub fn touches(&self) -> impl Iterator<Item = MountEnds<'_>> {
        self.0.iter().map(|mount| MountEnds {
            point: &mount.point,
            from: Place { device: mount.device.clone(), path: mount.root.clone() },
            onto: self
                .0
                .iter()
                .find(|parent| parent.id == mount.parent)
                .and_then(|parent| parent.place(&mount.point)),
        })
    }
}

impl Mount {
    /// A line has an id, the parent's id, the device, the root, and the mount point.
    fn parse(line: &[u8]) -> Option<Mount> {
        let mut fields = line.split(|byte| *byte == b' ');
        Some(Mount {
            id: number(fields.next()?)?,
            parent: number(fields.next()?)?,
            device: str::from_utf8(fields.next()?).ok()?.to_owned(),
            root: unescape(fields.next()?),
            point: unescape(fields.next()?),
        })
    }

    fn place(&self, path: &Path) -> Option<Place> {
        let within = path.strip_prefix(&self.point).ok()?;
        let path =
            if within.as_os_str().is_empty() { self.root.clone() } else { self.root.join(within) };
        Some(Place { device: self.device.clone(), path })
    }
}

fn number(digits: &[u8]) -> Option<u64> {
    str::from_utf8(digits).ok()?.parse().ok()
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
        let mount = Mount::parse(line).unwrap();
        assert_eq!(mount.point.into_os_string().into_vec(), b"/srv/a b\nc\\d\\303");
        assert_eq!(Mount::parse(b"36 35 98:0"), None);
        assert_eq!(unescape(br"a\04"), Path::new(r"a\04"));
        assert_eq!(unescape(br"a\777"), Path::new(r"a\777"));
    }

    #[test]
    fn a_mount_touches_what_it_shows_and_what_it_hides() {
        let own = Mounts::parse(
            b"22 1 254:0 / / rw - ext4 /dev/vda rw\n\
              23 22 0:40 / /srv rw shared:1 - tmpfs tmpfs rw\n",
        );
        let other = Mounts::parse(
            b"50 49 254:9 / / rw - ext4 /dev/vdb rw\n\
              51 50 0:40 /site/releases/1/static /app rw - tmpfs tmpfs rw\n\
              52 51 0:99 / /app/media rw - tmpfs tmpfs rw\n",
        );
        let place = |path: &str| own.place(Path::new(path)).unwrap();
        let (release, next) = (place("/srv/site/releases/1"), place("/srv/site/releases/10"));
        assert!(!next.is_in(&release) && place("/srv/site/releases/1/a").is_in(&release));
        let found: Vec<_> = other
            .touches()
            .map(|it| (it.from.is_in(&release), it.onto.is_some_and(|onto| onto.is_in(&release))))
            .collect();
        assert_eq!(found, [(false, false), (true, false), (false, true)]);
    }

    #[test]
    fn the_root_is_mounted_and_what_is_not_there_has_no_mounts() {
        assert!(below(Path::new("/")).unwrap().contains(&PathBuf::from("/")));
        assert!(below(Path::new("/there/is/no/such/path")).unwrap().is_empty());
        let folder = tempfile::tempdir().unwrap();
        assert!(below(folder.path()).unwrap().is_empty());
    }
}
