//! What a folder held when its tree had been written: for each file what it was made from, and its
//! [`Stat`].
//!
//! The file is a header, then one block for each folder in no particular order, and an end with a
//! checksum of all that is before it, so that a file that was cut off by a kill or a loss of power
//! is noticed. What changes later is appended: blocks that take the place of older ones of the same
//! folder, and another end. It is not flushed to the disk: losing it costs one full export. All
//! numbers are little-endian.

#![allow(clippy::disallowed_methods, reason = "it moves into src/disk")]

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, ensure};
use git2::Oid;
use tempfile::NamedTempFile;
use xxhash_rust::xxh3::Xxh3;

use super::convert::Conversion;
use super::entry::{Entry, Kind};
use super::stat::Stat;
use crate::disk;

/// Changes whenever the form does, or what a conversion makes of a blob.
const MAGIC: &[u8; 15] = b"nyala manifest2";

const HEADER: usize = 16;

/// Begins an end, where a block has the lengths of its path and its items.
const END: [u8; 8] = [0xff; 8];

/// How long a checksum is.
const SUM: usize = 8;

/// With this many ends a manifest is written anew, and so when less than half of it counts any
/// more.
const MOST_ENDS: usize = 32;

/// A manifest that was read.
pub(super) struct Manifest {
    bytes: Vec<u8>,
    id_length: usize,
    /// When it was written last, by the clock of the file system.
    written: i64,
    /// Of all its bytes. Finds what a disk does to a file, not what an enemy does: whoever may
    /// write here may write the release as well.
    sum: Xxh3,
    ends: usize,
}

/// Where in a manifest the folders are, by their path.
pub(super) type Folders<'m> = HashMap<&'m [u8], Recorded<'m>>;

/// What a manifest says of one folder.
#[derive(Debug, Clone, Copy)]
pub(super) struct Recorded<'m> {
    pub(super) tree: &'m [u8],
    pub(super) stat: Stat,
    /// To be read with [`Items`].
    pub(super) items: &'m [u8],
    /// All of it, to be written again.
    pub(super) block: &'m [u8],
}

enum Part<'m> {
    Folder { path: &'m [u8], recorded: Recorded<'m> },
    End { written: i64, sum: u64 },
}

impl Manifest {
    /// Reads a manifest. Fails when it is not there, is damaged, or was written by another version.
    pub(super) fn read(path: &Path) -> Result<Manifest> {
        let bytes = read_whole(path).with_context(|| format!("cannot read {}", path.display()))?;
        let damaged = || format!("{} is damaged", path.display());
        let (header, mut rest) = bytes.split_at_checked(HEADER).with_context(damaged)?;
        ensure!(
            header.starts_with(MAGIC),
            "{} was written by another version of nyala",
            path.display()
        );
        let id_length = header[HEADER - 1].into();
        let (mut written, mut ends, mut sum) = (0, 0, Xxh3::new());
        let (mut is_whole, mut summed) = (false, 0);
        while !rest.is_empty() {
            let (part, after) = split_part(rest, id_length).with_context(damaged)?;
            rest = after;
            is_whole = false;
            if let Part::End { written: time, sum: wanted } = part {
                let end = bytes.len() - rest.len() - SUM;
                sum.update(&bytes[summed..end]);
                ensure!(sum.digest() == wanted, damaged());
                (written, ends, summed, is_whole) = (time, ends + 1, end, true);
            }
        }
        ensure!(is_whole, damaged());
        sum.update(&bytes[summed..]);
        Ok(Manifest { bytes, id_length, written, sum, ends })
    }

    /// What it says of each folder, and of some that are gone.
    pub(super) fn folders(&self) -> Result<Folders<'_>> {
        let mut rest = &self.bytes[HEADER..];
        let mut folders = HashMap::new();
        while !rest.is_empty() {
            let (part, after) =
                split_part(rest, self.id_length).context("the manifest is damaged")?;
            if let Part::Folder { path, recorded } = part {
                folders.insert(path, recorded);
            }
            rest = after;
        }
        Ok(folders)
    }

    /// Whether it is better to write it anew than to append to it.
    pub(super) fn is_worn(&self, folders: &Folders) -> bool {
        let counts: usize = folders.values().map(|recorded| recorded.block.len()).sum();
        self.ends >= MOST_ENDS || counts * 2 < self.bytes.len()
    }

    /// Appends what has changed, in blocks that [`push_block`] made, to the file that this was read
    /// from.
    pub(super) fn append(&self, path: &Path, blocks: &[u8]) -> Result<()> {
        disk::point("manifest: append");
        let appended = || {
            let mut file = File::options().append(true).open(path)?;
            file.write_all(blocks)?;
            let mut sum = self.sum.clone();
            sum.update(blocks);
            end(&file, sum)
        };
        appended().with_context(|| cannot_write(path))?;
        disk::point("manifest: appended");
        Ok(())
    }

    /// The length of an object's id in bytes.
    pub(super) fn id_length(&self) -> usize {
        self.id_length
    }

    /// Whether a later change would have given another [`Stat`]. The clock of a file system
    /// advances every few milliseconds; a file that was written in the same tick as the manifest
    /// can be changed afterwards and look the same.
    pub(super) fn is_settled(&self, stat: Stat) -> bool {
        stat.changed < self.written && stat.modified < self.written
    }
}

/// Nothing else can be done before all is read, so two threads read a half each.
fn read_whole(path: &Path) -> Result<Vec<u8>> {
    let file = File::open(path)?;
    let length = usize::try_from(file.metadata()?.len())?;
    let mut bytes = vec![0; length];
    let half = length.div_ceil(2).max(1);
    let halves: Vec<_> = bytes.chunks_mut(half).zip((0..).step_by(half)).map(Mutex::new).collect();
    disk::each_at_once(&halves, |part| {
        let (bytes, start) = &mut *part.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(file.read_exact_at(bytes, *start)?)
    })?;
    drop(halves);
    Ok(bytes)
}

fn split_part(bytes: &[u8], id_length: usize) -> Option<(Part<'_>, &[u8])> {
    if let Some(rest) = bytes.strip_prefix(&END) {
        let (written, rest) = rest.split_first_chunk()?;
        let (sum, rest) = rest.split_first_chunk()?;
        return Some((
            Part::End { written: i64::from_le_bytes(*written), sum: u64::from_le_bytes(*sum) },
            rest,
        ));
    }
    let (path_length, rest) = number(bytes)?;
    let (items_length, rest) = number(rest)?;
    let (stat, rest) = rest.split_first_chunk::<{ Stat::LENGTH }>()?;
    let (tree, rest) = rest.split_at_checked(id_length)?;
    let (path, rest) = rest.split_at_checked(path_length)?;
    let (items, rest) = rest.split_at_checked(items_length)?;
    let (block, rest) = bytes.split_at_checked(bytes.len() - rest.len())?;
    let recorded = Recorded { tree, stat: Stat::from_bytes(stat), items, block };
    Some((Part::Folder { path, recorded }, rest))
}

/// A manifest that is being written, from blocks that [`push_block`] made, by several threads. A
/// file of that name is replaced as a whole, in the end.
pub(super) struct Writing<'a> {
    path: &'a Path,
    state: Mutex<(NamedTempFile, Xxh3)>,
}

impl<'a> Writing<'a> {
    pub(super) fn new(path: &'a Path, id_length: usize) -> Result<Writing<'a>> {
        let about = || cannot_write(path);
        let folder = path.parent().with_context(about)?;
        let mut file = tempfile::Builder::new()
            .prefix(&disk::temporary_prefix())
            .tempfile_in(folder)
            .with_context(about)?;
        let mut header = [0; HEADER];
        header[..MAGIC.len()].copy_from_slice(MAGIC);
        header[HEADER - 1] = u8::try_from(id_length).with_context(about)?;
        file.write_all(&header).with_context(about)?;
        let mut sum = Xxh3::new();
        sum.update(&header);
        Ok(Writing { path, state: Mutex::new((file, sum)) })
    }

    pub(super) fn add(&self, blocks: &[u8]) -> Result<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (file, sum) = &mut *state;
        sum.update(blocks);
        file.write_all(blocks).with_context(|| cannot_write(self.path))
    }

    pub(super) fn finish(self) -> Result<()> {
        let about = || cannot_write(self.path);
        let (file, sum) = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        end(file.as_file(), sum).with_context(about)?;
        disk::point("manifest: written");
        file.persist(self.path).with_context(about)?;
        disk::point("manifest: renamed");
        Ok(())
    }
}

/// Writes the end of what has this checksum.
fn end(mut file: &File, mut sum: Xxh3) -> io::Result<()> {
    // Writing has given the file the time that it is now, by the clock that the files have theirs
    // from.
    file.write_all(&END)?;
    let written = Stat::of(&rustix::fs::fstat(file.as_fd())?).changed.to_le_bytes();
    sum.update(&END);
    sum.update(&written);
    file.write_all(&[written, sum.digest().to_le_bytes()].concat())
}

fn cannot_write(path: &Path) -> String {
    format!("cannot write {}", path.display())
}

/// Appends what there is to say of a folder.
pub(super) fn push_block(blocks: &mut Vec<u8>, path: &[u8], tree: Oid, stat: Stat, items: &[u8]) {
    push_number(blocks, path.len());
    push_number(blocks, items.len());
    blocks.extend_from_slice(&stat.to_bytes());
    blocks.extend_from_slice(tree.as_bytes());
    blocks.extend_from_slice(path);
    blocks.extend_from_slice(items);
}

/// What a manifest says of one entry of a folder.
#[derive(Debug, Clone, Copy)]
pub(super) struct Item<'m> {
    pub(super) kind: Kind,
    /// What was done to a file's blob ([`Conversion::code`](super::convert::Conversion::code)).
    pub(super) conversion: u8,
    pub(super) id: &'m [u8],
    /// Of files and links. All zero when there is none that is known.
    pub(super) stat: Stat,
    pub(super) name: &'m [u8],
}

impl<'m> Item<'m> {
    pub(super) fn of(entry: &Entry<'m>, conversion: Conversion, stat: Stat) -> Item<'m> {
        Item {
            kind: entry.kind,
            conversion: conversion.code(),
            id: entry.id,
            stat,
            name: entry.name,
        }
    }

    pub(super) fn id(&self) -> Result<Oid> {
        Oid::from_bytes(self.id).context("cannot read an id in the manifest")
    }

    pub(super) fn push_to(&self, items: &mut Vec<u8>) {
        items.push(code(self.kind));
        items.push(self.conversion);
        // Names come from a file system, or go into one: they are short.
        let length = u16::try_from(self.name.len()).unwrap_or(u16::MAX);
        items.extend_from_slice(&length.to_le_bytes());
        items.extend_from_slice(&self.stat.to_bytes());
        items.extend_from_slice(self.id);
        items.extend_from_slice(self.name);
    }
}

/// Reads items one by one.
#[derive(Debug, Clone)]
pub(super) struct Items<'m> {
    rest: &'m [u8],
    id_length: usize,
}

impl<'m> Items<'m> {
    pub(super) fn new(items: &'m [u8], id_length: usize) -> Items<'m> {
        Items { rest: items, id_length }
    }

    /// What has not been read yet.
    pub(super) fn rest(&self) -> &'m [u8] {
        self.rest
    }

    fn split(&self) -> Option<(Item<'m>, &'m [u8])> {
        let ([kind, conversion, length @ ..], rest) = self.rest.split_first_chunk::<4>()?;
        let (stat, rest) = rest.split_first_chunk::<{ Stat::LENGTH }>()?;
        let (id, rest) = rest.split_at_checked(self.id_length)?;
        let (name, rest) = rest.split_at_checked(u16::from_le_bytes(*length).into())?;
        let item = Item {
            kind: kind_of(*kind)?,
            conversion: *conversion,
            id,
            stat: Stat::from_bytes(stat),
            name,
        };
        Some((item, rest))
    }
}

impl<'m> Iterator for Items<'m> {
    type Item = Result<Item<'m>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let split = self.split().context("the manifest is damaged");
        self.rest = split.as_ref().map_or(&[], |(_, rest)| *rest);
        Some(split.map(|(item, _)| item))
    }
}

fn code(kind: Kind) -> u8 {
    match kind {
        Kind::File { executable: false } => 0,
        Kind::File { executable: true } => 1,
        Kind::Link => 2,
        Kind::Folder => 3,
        Kind::Submodule => 4,
    }
}

fn kind_of(code: u8) -> Option<Kind> {
    Some(match code {
        0 => Kind::File { executable: false },
        1 => Kind::File { executable: true },
        2 => Kind::Link,
        3 => Kind::Folder,
        4 => Kind::Submodule,
        _ => return None,
    })
}

fn number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((u32::from_le_bytes(*number).try_into().ok()?, rest))
}

fn push_number(bytes: &mut Vec<u8>, number: usize) {
    // A folder's items are bounded by its tree, which git keeps below this.
    let number = u32::try_from(number).unwrap_or(u32::MAX);
    bytes.extend_from_slice(&number.to_le_bytes());
}
