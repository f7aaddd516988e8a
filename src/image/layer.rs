//! Writes a layer: the same bytes for the same content, whatever the machine, the day, the umask,
//! or the order on disk. Names are sorted, owners, times and modes are fixed, and hard links and
//! holes are written as what they hold.

use std::fs::{self, File, Metadata};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use flate2::{Compression, GzBuilder};
use serde::{Deserialize, Serialize};
use tar::{Builder, EntryType, Header};

use super::contents::Contents;
use super::error;
use super::hashed::Hashed;
use super::record::is_record;
use super::rules::SCRIPT;
use super::secrets::{FoundSecret, Scan, Secrets};
use crate::elf;

/// A part of a layer. `to` is the path in the image, without a slash before it.
pub(super) enum Part<'p> {
    /// Without a path, the root folder of the image.
    Folder {
        to: String,
        owner: Owner,
    },
    Bytes {
        to: String,
        bytes: Vec<u8>,
        mode: u32,
    },
    /// A file, or what a link leads to.
    Copy {
        from: PathBuf,
        to: String,
    },
    Link {
        to: String,
        target: String,
    },
    Tree {
        from: PathBuf,
        to: String,
        rules: &'p dyn Rules,
    },
}

/// Whose a folder is: everything else is root's.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Owner {
    pub(super) user: u32,
    pub(super) group: u32,
    /// Whether everybody may write into it, as into `/tmp`.
    pub(super) is_open: bool,
}

/// What becomes of the entries of a tree. Paths are relative to it.
pub(super) trait Rules {
    /// Whether something is left out, with all that is in it.
    fn skips(&self, path: &Path, metadata: &Metadata) -> bool;
    /// The file that is there in place of the one in the tree.
    fn instead(&self, _: &Path) -> Option<&Path> {
        None
    }
    /// What becomes of a link.
    fn link(&self, path: &Path, target: &Path) -> Result<Link>;
    /// What stands in a file in place of these bytes, if anything else. Only asked for files that
    /// are not large.
    fn content(&self, path: &Path, bytes: &[u8]) -> Result<Option<Vec<u8>>>;
}

/// What becomes of a link.
pub(super) enum Link {
    To(PathBuf),
    /// An empty folder.
    Folder(Owner),
    /// The file that it leads to.
    File(PathBuf),
    Nothing,
}

/// A layer that was written.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Written {
    /// Of the compressed bytes.
    pub(super) digest: String,
    pub(super) size: u64,
    /// The digest of the tar archive.
    pub(super) diff_id: String,
    pub(super) contents: Contents,
    /// What is to be said of it.
    pub(super) warnings: Vec<String>,
}

/// What names begin with that remove something of the layers below. See
/// <https://github.com/opencontainers/image-spec/blob/main/layer.md#whiteouts>.
const WHITEOUT: &[u8] = b".wh.";

/// Files up to this size are changed where rules say so, in bytes.
const LARGEST_TEXT: u64 = 1 << 20;

/// The same for scripts, which may have an archive behind their first line.
const LARGEST_SCRIPT: u64 = 8 << 20;

/// The same for lists of a package's files: one of ten thousands has more than others.
const LARGEST_RECORD: u64 = 64 << 20;

/// Writes the parts of a layer, with this time on everything.
pub(super) fn write(
    parts: &[Part<'_>],
    time: u64,
    secrets: &Secrets,
    to: &mut File,
) -> Result<Written> {
    // The compression of miniz_oxide does not depend on the processor, as that of zlib-ng does.
    let compressed = Hashed::new(io::BufWriter::with_capacity(1 << 18, to));
    let compressor = GzBuilder::new().mtime(0).write(compressed, Compression::default());
    let archive = Builder::new(Hashed::new(compressor));
    let contents = Contents::default();
    let mut layer = Layer { archive, time, secrets, contents, warnings: Vec::new(), last: None };
    for part in parts {
        layer.add(part)?;
    }
    let Layer { archive, contents, warnings, .. } = layer;
    let tar = archive.into_inner().context("cannot write the layer")?;
    let (compressor, diff_id, _) = tar.finish();
    let compressed = compressor.finish().context("cannot write the layer")?;
    let (mut file, digest, size) = compressed.finish();
    file.flush().context("cannot write the layer")?;
    Ok(Written { digest, size, diff_id, contents, warnings })
}

struct Layer<'l, W: Write> {
    archive: Builder<W>,
    time: u64,
    secrets: &'l Secrets,
    contents: Contents,
    warnings: Vec<String>,
    /// The folders above the last part: each is written once.
    last: Option<String>,
}

impl<W: Write> Layer<'_, W> {
    fn add(&mut self, part: &Part<'_>) -> Result<()> {
        match part {
            Part::Folder { to, owner } => {
                self.folders_above(to)?;
                self.folder(Path::new(to), *owner)
            }
            Part::Bytes { to, bytes, mode } => {
                self.folders_above(to)?;
                self.contents.add_file(to, None);
                self.bytes(Path::new(to), bytes, *mode)
            }
            Part::Copy { from, to } => {
                self.folders_above(to)?;
                let metadata = fs::metadata(from).with_context(|| cannot_read(from))?;
                self.file(from, Path::new(to), &metadata, None)
            }
            Part::Link { to, target } => {
                self.folders_above(to)?;
                self.link(Path::new(to), Path::new(target))
            }
            Part::Tree { from, to, rules } => {
                self.folders_above(to)?;
                self.folder(Path::new(to), Owner::default())?;
                self.tree((from, Path::new(to), *rules), Path::new(""))
            }
        }
    }

    fn folders_above(&mut self, to: &str) -> Result<()> {
        for (at, _) in to.match_indices('/') {
            let above = &to[..at];
            let is_written = self.last.as_ref().is_some_and(|last| {
                last.strip_prefix(above)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            });
            if !is_written {
                self.folder(Path::new(above), Owner::default())?;
            }
        }
        to.clone_into(self.last.get_or_insert_default());
        Ok(())
    }

    /// What is in a folder of a tree, which itself was written before.
    fn tree(&mut self, tree: (&Path, &Path, &dyn Rules), at: &Path) -> Result<()> {
        let (from, to, rules) = tree;
        for Entry { inside, path, metadata } in entries(from, at, rules)? {
            let to = to.join(&inside);
            let kind = metadata.file_type();
            if inside.file_name().is_some_and(|it| it.as_bytes().starts_with(WHITEOUT)) {
                let to = to.display();
                self.warnings.push(format!(
                    "/{to} is left out: a name that begins with .wh. removes a file of an image"
                ));
            } else if kind.is_dir() {
                self.folder(&to, Owner::default())?;
                self.tree(tree, &inside)?;
            } else if kind.is_symlink() {
                let target = fs::read_link(&path).with_context(|| cannot_read(&path))?;
                match rules.link(&inside, &target)? {
                    Link::To(target) => self.link(&to, &target)?,
                    Link::Folder(owner) => self.folder(&to, owner)?,
                    Link::File(from) => {
                        let metadata = fs::metadata(&from).with_context(|| cannot_read(&from))?;
                        self.file(&from, &to, &metadata, None)?;
                    }
                    Link::Nothing => {}
                }
            } else if kind.is_file() {
                self.file(&path, &to, &metadata, Some((rules, &inside)))?;
            } else if !kind.is_socket() && !kind.is_fifo() {
                let to = to.display();
                self.warnings.push(format!("/{to} is a device, which no image has"));
            }
        }
        Ok(())
    }

    fn file(
        &mut self,
        from: &Path,
        to: &Path,
        metadata: &Metadata,
        rules: Option<(&dyn Rules, &Path)>,
    ) -> Result<()> {
        let mode = mode_of(metadata.permissions().mode());
        let mut file = File::open(from).with_context(|| cannot_read(from))?;
        let object = elf::read(&file).with_context(|| cannot_read(from))?;
        let mut start = [0; SCRIPT.len()];
        let is_script =
            file.read_at(&mut start, 0).with_context(|| cannot_read(from))? > 0 && start == SCRIPT;
        let largest = match rules {
            Some((_, inside)) if is_record(inside) => LARGEST_RECORD,
            Some(_) if is_script => LARGEST_SCRIPT,
            _ => LARGEST_TEXT,
        };
        if metadata.len() <= largest {
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).with_context(|| cannot_read(from))?;
            let changed = match rules {
                Some((rules, inside)) => rules.content(inside, &bytes)?,
                None => None,
            };
            self.contents.add_file(&to.to_string_lossy(), object);
            return self.bytes(to, changed.as_deref().unwrap_or(&bytes), mode);
        }
        self.contents.add_file(&to.to_string_lossy(), object);
        let header = self.header(EntryType::Regular, metadata.len(), mode, Owner::default());
        let mut scan = self.secrets.scan();
        let reader = Exactly { file, left: metadata.len(), scan: &mut scan };
        append(&mut self.archive, header, to, reader).with_context(|| cannot_read(from))?;
        let found = scan.found;
        self.tell(to, found)
    }

    fn bytes(&mut self, to: &Path, bytes: &[u8], mode: u32) -> Result<()> {
        let header = self.header(EntryType::Regular, bytes.len() as u64, mode, Owner::default());
        append(&mut self.archive, header, to, bytes).context("cannot write the layer")?;
        let found = self.secrets.find(bytes);
        self.tell(to, found)
    }

    fn tell(&mut self, to: &Path, found: Option<FoundSecret>) -> Result<()> {
        match found {
            Some(found) if found.is_named_so => bail!(error::secret_inside(to, &found.name)),
            Some(found) => {
                let name = found.name;
                let to = to.display();
                self.warnings.push(format!("/{to} has the value of the app setting {name} in it"));
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn folder(&mut self, to: &Path, owner: Owner) -> Result<()> {
        self.contents.add_folder(&to.to_string_lossy(), None);
        let mode = if owner.is_open { 0o1777 } else { 0o755 };
        let header = self.header(EntryType::Directory, 0, mode, owner);
        let is_root = to == Path::new("");
        let to = if is_root { PathBuf::from("./") } else { to.join("") };
        append(&mut self.archive, header, &to, io::empty()).context("cannot write the layer")
    }

    fn link(&mut self, to: &Path, target: &Path) -> Result<()> {
        self.contents.add_link(&to.to_string_lossy(), &target.to_string_lossy());
        let mut header = self.header(EntryType::Symlink, 0, 0o777, Owner::default());
        self.archive.append_link(&mut header, to, target).context("cannot write the layer")
    }

    fn header(&self, kind: EntryType, size: u64, mode: u32, owner: Owner) -> Header {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(size);
        header.set_mode(mode);
        header.set_mtime(self.time);
        header.set_uid(u64::from(owner.user));
        header.set_gid(u64::from(owner.group));
        header
    }
}

fn append(
    archive: &mut Builder<impl Write>,
    mut header: Header,
    to: &Path,
    from: impl Read,
) -> io::Result<()> {
    archive.append_data(&mut header, to, from)
}

/// A file or a folder of a tree.
pub(super) struct Entry {
    /// Its path in the tree.
    pub(super) inside: PathBuf,
    pub(super) path: PathBuf,
    /// Of a link: its own.
    pub(super) metadata: Metadata,
}

/// What goes into a layer of the folder `at` of a tree, always in the same order.
pub(super) fn entries(from: &Path, at: &Path, rules: &dyn Rules) -> Result<Vec<Entry>> {
    let folder = from.join(at);
    let mut entries = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| cannot_read(&folder))? {
        let name = entry.with_context(|| cannot_read(&folder))?.file_name();
        let (inside, mut path) = (at.join(&name), folder.join(&name));
        if let Some(instead) = rules.instead(&inside) {
            instead.clone_into(&mut path);
        }
        let metadata = fs::symlink_metadata(&path).with_context(|| cannot_read(&path))?;
        if !rules.skips(&inside, &metadata) {
            entries.push(Entry { inside, path, metadata });
        }
    }
    entries.sort_unstable_by(|one, other| one.inside.cmp(&other.inside));
    Ok(entries)
}

/// Whether somebody may run it is all that matters: the rest is the umask's.
fn mode_of(mode: u32) -> u32 {
    if mode & 0o100 == 0 { 0o644 } else { 0o755 }
}

pub(super) fn cannot_read(path: &Path) -> String {
    format!("cannot read {}", path.display())
}

/// As much of a file as its header says: it may be written to meanwhile.
struct Exactly<'s, 'l> {
    file: File,
    left: u64,
    scan: &'s mut Scan<'l>,
}

impl Read for Exactly<'_, '_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let wanted = usize::try_from(self.left).unwrap_or(to.len()).min(to.len());
        let read = self.file.read(&mut to[..wanted])?;
        if read == 0 && wanted > 0 {
            return Err(io::Error::other("it became shorter while it was read"));
        }
        self.left -= read as u64;
        self.scan.next(&to[..read]);
        Ok(read)
    }
}

#[cfg(test)]
mod tests;
