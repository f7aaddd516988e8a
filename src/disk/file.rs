//! Changes of single files that are not replaced as a whole.

use std::fs::{self, File, FileTimes, Metadata, OpenOptions, Permissions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use anyhow::{Context, Result};
use rustix::fs::OFlags;

use super::point_at;
use super::space::DiskUsage;

/// Opens a file for locking, and makes it when it is not there. Its content stays.
pub fn open_lock_file(path: &Path) -> Result<File> {
    point_at("open_lock_file", path);
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .with_context(|| format!("cannot open {}", path.display()))
}

/// Opens a file to write at its end, and makes it with these permission bits when it is not there.
/// Fails on a fifo that nobody reads, which would have to be waited for.
pub fn open_to_append(path: &Path, mode: u32) -> Result<File> {
    point_at("open_to_append", path);
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(mode)
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
        .open(path)
        .with_context(|| format!("cannot open {}", path.display()))
}

/// Adds a line at the end of a text file, which must be there. When the last line has no end, it
/// gets one first. However long the file is, only its last byte is read.
pub fn append_line(path: &Path, line: &str) -> Result<()> {
    point_at("append_line", path);
    let mut file = OpenOptions::new()
        .read(true)
        .append(true)
        .open(path)
        .with_context(|| format!("cannot open {}", path.display()))?;
    let start = match last_byte(&mut file) {
        Ok(None | Some(b'\n')) | Err(_) => "",
        Ok(Some(_)) => "\n",
    };
    file.write_all(format!("{start}{line}\n").as_bytes())
        .with_context(|| format!("cannot write {}", path.display()))
}

/// Adds what `from` has at the end of a file that is there. When that fails, the file is as it was.
pub fn append(path: &Path, from: &mut dyn Read) -> Result<()> {
    point_at("append", path);
    let mut file = OpenOptions::new()
        .append(true)
        .open(path)
        .with_context(|| format!("cannot open {}", path.display()))?;
    let length = file.metadata().map(|metadata| metadata.len());
    if let Err(error) = io::copy(from, &mut file) {
        if let Ok(length) = length {
            let _ = file.set_len(length);
        }
        return Err(error).with_context(|| format!("cannot write {}", path.display()));
    }
    Ok(())
}

fn last_byte(file: &mut File) -> io::Result<Option<u8>> {
    if file.seek(SeekFrom::End(0))? == 0 {
        return Ok(None);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(Some(last[0]))
}

/// When a file was last changed, in seconds and nanoseconds: its change time, which nobody can set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Changed(pub i64, pub i64);

impl Changed {
    pub fn of(metadata: &Metadata) -> Changed {
        Changed(metadata.ctime(), metadata.ctime_nsec())
    }
}

/// Another one once a file was changed or replaced: its number, and when it was changed.
pub fn change_id(metadata: &Metadata) -> (u64, Changed) {
    (metadata.ino(), Changed::of(metadata))
}

/// Makes a file that must not be there yet, with these permission bits, whatever the umask says.
pub fn write_new(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    point_at("write_new", path);
    let writing = || format!("cannot write {}", path.display());
    let mut file = new_file(path, mode).with_context(writing)?;
    file.write_all(bytes)
        .and_then(|()| file.set_permissions(Permissions::from_mode(super::mode(mode))))
        .with_context(writing)
}

/// Copies a file, with its mode and the time of its last change. `to` must not be there. Where the
/// file system can, the copy shares its blocks until one side is changed; it never shares the
/// inode.
pub fn copy_file(from: &Path, to: &Path) -> Result<()> {
    point_at("copy_file", to);
    let reading = || format!("cannot read {}", from.display());
    let mut input = File::open(from).with_context(reading)?;
    let metadata = input.metadata().with_context(reading)?;
    let mut copy = || {
        let mut output = new_file(to, metadata.permissions().mode())?;
        clone_or_copy(&mut input, &mut output)?;
        output.set_times(FileTimes::new().set_modified(metadata.modified()?))?;
        output.set_permissions(metadata.permissions())
    };
    copy().with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))
}

/// Makes a folder of small files that take this much of the disk, to be removed when it is full.
pub fn create_reserve(path: &Path, size: DiskUsage) -> Result<()> {
    point_at("create_reserve", path);
    let files = size.inodes.max(2) - 1;
    let each = usize::try_from(size.bytes / files).unwrap_or(0);
    let create = || {
        fs::create_dir(path)?;
        for number in 0..files {
            // No zeros: a file system may keep those as a hole.
            let mut file = new_file(&path.join(number.to_string()), 0o600)?;
            file.write_all(&vec![b'.'; each])?;
        }
        Ok::<_, io::Error>(())
    };
    create().with_context(|| format!("cannot make {}", path.display()))
}

/// What tells a file or folder from every other one that is there: its device and its number.
pub fn file_id(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

/// Makes a file that must not be there yet, with the permission bits and the time of last change of
/// another one.
pub fn write_new_like(path: &Path, bytes: &[u8], like: &Metadata) -> Result<()> {
    point_at("write_new_like", path);
    let write = || {
        let mut file = new_file(path, like.permissions().mode())?;
        file.write_all(bytes)?;
        file.set_times(FileTimes::new().set_modified(like.modified()?))?;
        file.set_permissions(like.permissions())
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

/// Gives a file of several names an inode of its own under this one. Its other names keep theirs.
pub fn unshare(path: &Path) -> Result<()> {
    let folder = path.parent().with_context(|| format!("{} has no folder", path.display()))?;
    let copy = tempfile::Builder::new()
        .prefix(&super::temporary_prefix())
        .make_in(folder, |copy| {
            copy_file(path, copy).map_err(|error| io::Error::other(format!("{error:#}")))
        })
        .with_context(|| format!("cannot copy {}", path.display()))?;
    point_at("unshare", path);
    copy.into_temp_path()
        .persist(path)
        .with_context(|| format!("cannot replace {}", path.display()))
}

/// Gives a file another name, which must not be there yet. Where that is on another file system,
/// the file is copied to `aside` first, a folder on that file system, and flushed.
pub fn move_file(from: &Path, to: &Path, aside: &Path) -> Result<()> {
    match super::rename(from, to) {
        Err(error) if super::is_across_file_systems(&error) => {}
        moved => return moved,
    }
    let copy = tempfile::Builder::new()
        .prefix(&super::temporary_prefix())
        .make_in(aside, |copy| {
            copy_file(from, copy).map_err(|error| io::Error::other(format!("{error:#}")))
        })
        .with_context(|| format!("cannot copy {}", from.display()))?
        .into_temp_path();
    super::sync(&copy)?;
    copy.persist_noclobber(to).with_context(|| format!("cannot create {}", to.display()))?;
    point_at("move_file: copied", to);
    super::remove_file(from)
}

/// Whether files in this folder can be copied so that they share their blocks. It is tried, since
/// one kind of file system can be made with and without it.
#[cfg(target_os = "linux")]
pub fn can_clone(folder: &Path) -> bool {
    let temporary =
        || tempfile::Builder::new().prefix(&super::temporary_prefix()).tempfile_in(folder);
    let clone = || {
        let (mut from, to) = (temporary()?, temporary()?);
        from.write_all(&[0; 4096])?;
        rustix::fs::ioctl_ficlone(to.as_file(), from.as_file()).map_err(io::Error::from)
    };
    clone().is_ok()
}

#[cfg(not(target_os = "linux"))]
pub fn can_clone(_folder: &Path) -> bool {
    false
}

fn new_file(path: &Path, mode: u32) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(mode).open(path)
}

#[cfg(target_os = "linux")]
fn clone_or_copy(input: &mut File, output: &mut File) -> io::Result<()> {
    if rustix::fs::ioctl_ficlone(&*output, &*input).is_ok() {
        return Ok(());
    }
    io::copy(input, output).map(drop)
}

#[cfg(not(target_os = "linux"))]
fn clone_or_copy(input: &mut File, output: &mut File) -> io::Result<()> {
    io::copy(input, output).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_added_after_a_whole_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.txt");
        assert!(append_line(&path, "x").is_err());
        fs::write(&path, "").unwrap();
        append_line(&path, "one").unwrap();
        append_line(&path, "two").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntwo\n");
        fs::write(&path, "half").unwrap();
        append_line(&path, "three").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "half\nthree\n");
    }

    #[test]
    fn a_line_is_added_to_a_file_that_does_not_fit_into_memory() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.txt");
        let size = 1 << 40;
        File::create(&path).unwrap().set_len(size).unwrap();
        append_line(&path, "end").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().len(), size + 5);
    }

    #[test]
    fn a_copy_keeps_mode_and_time_and_nothing_else_is_shared() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        write_new(&from, b"text", 0o750).unwrap();
        assert!(write_new(&from, b"other", 0o750).is_err());
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(7);
        File::options().write(true).open(&from).unwrap().set_modified(time).unwrap();
        copy_file(&from, &to).unwrap();
        fs::write(&from, "changed").unwrap();
        let metadata = fs::metadata(&to).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, 0o750);
        assert_eq!(metadata.modified().unwrap(), time);
        assert_eq!(fs::read_to_string(&to).unwrap(), "text");
        assert!(copy_file(&from, &to).is_err());
    }
}
