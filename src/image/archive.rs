//! Reads the layers of a base, as a stream, for what is in them.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;

use anyhow::{Context, Result};
use flate2::bufread::MultiGzDecoder;
use tar::{Archive, EntryType};

use super::contents::{Contents, split};
use super::loader;
use super::zstd::{Frames, is_zstd};
use crate::disk;
use crate::elf::{self, Object};

/// Libraries up to this size are looked at in memory, in bytes; larger ones in a file.
const IN_MEMORY: u64 = 4 << 20;

const GZIP: &[u8] = &[0x1f, 0x8b];

/// What is in a layer, compressed or not. It is read to its end. `temporary` is a folder for files
/// that are looked at.
pub(super) fn contents(layer: &mut dyn Read, temporary: &Path) -> Result<Contents> {
    let mut layer = BufReader::with_capacity(1 << 16, layer);
    // What it is called is not always what it is.
    let start = layer.fill_buf().context("cannot read the layer")?;
    let contents = if start.starts_with(GZIP) {
        read(&mut MultiGzDecoder::new(&mut layer), temporary)?
    } else if is_zstd(start) {
        read(&mut Frames::new(&mut layer), temporary)?
    } else {
        read(&mut layer, temporary)?
    };
    io::copy(&mut layer, &mut io::sink()).context("cannot read the layer")?;
    Ok(contents)
}

fn read(tar: &mut dyn Read, temporary: &Path) -> Result<Contents> {
    let mut contents = Contents::default();
    let reading = "cannot read the layer";
    let mut archive = Archive::new(&mut *tar);
    for entry in archive.entries().context(reading)? {
        let mut entry = entry.context(reading)?;
        let path = path_from_root(&entry.path_bytes());
        match entry.header().entry_type() {
            EntryType::Symlink => {
                if let Some(target) = entry.link_name().context(reading)? {
                    contents.add_link(&path, &target.to_string_lossy());
                }
            }
            EntryType::Link => {
                let target = entry.link_name().context(reading)?;
                let target = target.map(|it| it.to_string_lossy().into_owned()).unwrap_or_default();
                let object = contents.resolve(&target).and_then(|(_, object)| object.cloned());
                contents.add_file(&path, object);
            }
            EntryType::Directory => {
                // Blank numbers are 0, as for the engines, which are written in Go.
                let is_closed = entry.header().mode().unwrap_or(0) & 0o001 == 0;
                let owner = u32::try_from(entry.header().uid().unwrap_or(0));
                contents.add_folder(&path, owner.ok().filter(|_| is_closed));
            }
            _ if loader::may_be_configuration(&path) && entry.size() <= loader::LARGEST => {
                let mut bytes = Vec::new();
                entry.read_to_end(&mut bytes).context(reading)?;
                let text = String::from_utf8_lossy(&bytes).into_owned();
                if loader::is_configuration(&text) {
                    contents.add_configuration(&path, text);
                } else {
                    contents.add_file(&path, None);
                }
            }
            _ if is_looked_into(&path) => {
                let size = entry.size();
                let object = object(&mut entry, size, temporary)?;
                contents.add_file(&path, object);
            }
            _ => contents.add_file(&path, None),
        }
    }
    Ok(contents)
}

/// `bin/sh` for `./bin/sh` and `/bin/sh`.
fn path_from_root(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut rest: &str = &text;
    while let Some(shorter) = rest.strip_prefix("./").or_else(|| rest.strip_prefix('/')) {
        rest = shorter;
    }
    if rest == "." { String::new() } else { rest.trim_end_matches('/').to_owned() }
}

/// Whether a file may be a library, or the program of a Python.
fn is_looked_into(path: &str) -> bool {
    let (folder, name) = split(path);
    name.contains(".so") || folder.ends_with("bin") && name.starts_with("python")
}

fn object(entry: &mut impl Read, size: u64, temporary: &Path) -> Result<Option<Object>> {
    let mut magic = [0; 4];
    let mut length = 0;
    while length < magic.len() {
        match entry.read(&mut magic[length..]).context("cannot read the layer")? {
            0 => return Ok(None),
            read => length += read,
        }
    }
    if magic != *elf::MAGIC {
        return Ok(None);
    }
    let mut rest = magic.as_slice().chain(entry);
    if size <= IN_MEMORY {
        let mut bytes = Vec::new();
        rest.read_to_end(&mut bytes).context("cannot read the layer")?;
        return elf::read(bytes.as_slice()).context("cannot read the layer");
    }
    let path = temporary.join("library");
    let mut file = disk::create_file(&path, 0o600)?;
    io::copy(&mut rest, &mut file).context("cannot read the layer")?;
    file.flush().context("cannot read the layer")?;
    let file = File::open(&path).context("cannot read the layer")?;
    disk::remove_file(&path)?;
    elf::read(&file).context("cannot read the layer")
}

#[cfg(test)]
mod tests {
    use tar::{Builder, Header};

    use super::*;

    #[test]
    fn a_folder_is_closed_if_only_its_owner_may_enter_it() {
        let mut layer = Builder::new(Vec::new());
        for (folder, mode, owner) in
            [("./", 0o700, 0), ("./root", 0o700, 0), ("home/app/", 0o750, 7), ("usr", 0o755, 0)]
        {
            let mut header = Header::new_gnu();
            header.set_entry_type(EntryType::Directory);
            header.set_mode(mode);
            header.set_uid(owner);
            header.set_size(0);
            layer.append_data(&mut header, folder, io::empty()).unwrap();
        }
        let layer = layer.into_inner().unwrap();
        let contents = contents(&mut layer.as_slice(), Path::new("/nowhere")).unwrap();
        let lets_in = |folder: &str, user| contents.lets_in(&format!("{folder}/bin/python3"), user);
        assert!(!lets_in("root", 7) && lets_in("root", 0));
        assert!(!lets_in("home/app", 8) && lets_in("home/app", 7));
        assert!(lets_in("usr", 7));
        assert!(contents.root_lets_in(0) && !contents.root_lets_in(7));
        assert!(Contents::default().root_lets_in(7));
    }

    #[test]
    fn a_layer_may_have_all_that_archives_can_have() {
        // Any program will do as a library.
        let Ok(program) = std::fs::read("/bin/sh") else { return };
        let mut layer = Builder::new(Vec::new());
        let header = |kind: EntryType, mode: u32, size: usize| {
            let mut header = Header::new_gnu();
            header.set_entry_type(kind);
            header.set_mode(mode);
            header.set_size(size as u64);
            header
        };
        let blank = |header: &mut Header| {
            header.as_old_mut().uid.fill(b' ');
            header.as_old_mut().mode.fill(0);
        };
        // Capabilities, as podman has them, and a name that needs a header of its own.
        let capability = b"\x01\0\0\x02\0\x04\0\0\0\0\0\0\n=\n".as_slice();
        let attributes = [("SCHILY.xattr.security.capability", capability)];
        layer.append_pax_extensions(attributes).unwrap();
        let long = format!("usr/lib/{}libfar.so.1", "long/".repeat(60));
        let mut setuid = header(EntryType::Regular, 0o104_755, program.len());
        layer.append_data(&mut setuid, &long, program.as_slice()).unwrap();
        let link = format!("./{long}");
        let mut hard = header(EntryType::Link, 0o104_755, 0);
        layer.append_link(&mut hard, "usr/lib/libnear.so.1", &link).unwrap();
        for (kind, path) in [
            (EntryType::Char, "usr/bin/null"),
            (EntryType::Block, "usr/bin/disk"),
            (EntryType::Fifo, "usr/bin/pipe"),
            (EntryType::Regular, "usr/bin/.wh.gone"),
        ] {
            layer.append_data(&mut header(kind, 0o666, 0), path, io::empty()).unwrap();
        }
        let mut open = header(EntryType::Directory, 0o1777, 0);
        open.set_uid(u64::from(u32::MAX));
        layer.append_data(&mut open, "tmp", io::empty()).unwrap();
        let mut closed = header(EntryType::Directory, 0o755, 0);
        blank(&mut closed);
        layer.append_data(&mut closed, "blank", io::empty()).unwrap();
        let layer = layer.into_inner().unwrap();
        let layer = contents(&mut layer.as_slice(), Path::new("/nowhere")).unwrap();
        let object = |path: &str| layer.resolve(path).and_then(|(_, object)| object.cloned());
        assert!(object(&long).is_some());
        assert_eq!(object("usr/lib/libnear.so.1"), object(&long));
        assert!(layer.lets_in("tmp/bin/x", 7) && !layer.lets_in("blank/bin/x", 7));
        let mut all = Contents::default();
        all.add_file("usr/bin/gone", None);
        all.put_over(&layer);
        assert!(!all.has("usr/bin/gone") && all.has("usr/bin/null"));
    }

    #[test]
    fn the_loader_is_told_of_folders_by_layers_and_links() {
        let mut lower = Builder::new(Vec::new());
        let file = |layer: &mut Builder<Vec<u8>>, path: &str, text: &str| {
            let mut header = Header::new_gnu();
            header.set_mode(0o644);
            header.set_size(text.len() as u64);
            layer.append_data(&mut header, path, text.as_bytes()).unwrap();
        };
        file(&mut lower, "etc/ld.so.conf", "/opt/a\ninclude /etc/ld.so.conf.d/*.conf\n");
        file(&mut lower, "etc/ld.so.conf.d/b.conf", "/opt/b\n");
        file(&mut lower, "etc/ld.so.conf.d/c.conf", "/opt/c\n");
        file(&mut lower, "opt/d/d.conf", "/opt/d\n");
        file(&mut lower, "etc/resolv.conf", "nameserver 127.0.0.1\n");
        let mut upper = Builder::new(Vec::new());
        file(&mut upper, "etc/ld.so.conf.d/.wh.b.conf", "");
        file(&mut upper, "etc/ld.so.conf.d/c.conf", "# nothing\n");
        let mut link = Header::new_gnu();
        link.set_entry_type(EntryType::Symlink);
        link.set_size(0);
        upper.append_link(&mut link, "etc/ld.so.conf.d/d.conf", "/opt/d/d.conf").unwrap();
        let mut all = Contents::default();
        for (layer, folders) in
            [(lower, &["/opt/a", "/opt/b", "/opt/c"][..]), (upper, &["/opt/a", "/opt/d"])]
        {
            let layer = layer.into_inner().unwrap();
            all.put_over(&contents(&mut layer.as_slice(), Path::new("/nowhere")).unwrap());
            assert_eq!(loader::folders(&all).unknown, folders);
        }
    }
}
