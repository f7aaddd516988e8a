//! What a program or a shared library needs to run, read from its ELF file as the loader reads it:
//! by its segments, since a file may come without sections. See elf(5) and ld.so(8).

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use elf::abi;
use elf::dynamic::DynamicTable;
use elf::endian::AnyEndian;
use elf::file::{Class, FileHeader, parse_ident};
use elf::gnu_symver::{VerDefIterator, VerNeedIterator};
use elf::segment::{ProgramHeader, SegmentTable};
use serde::{Deserialize, Serialize};

/// What is known of a file that the loader would load.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct Object {
    /// The processor that it is for, as `e_machine` has it.
    pub machine: u16,
    /// The names of the libraries that have to be found (`DT_NEEDED`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needed: Vec<String>,
    /// The folders that are looked in first (`DT_RUNPATH`, or else `DT_RPATH`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub run_paths: Vec<String>,
    /// The loader that a program names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interpreter: Option<String>,
    /// The versions of symbols that it needs, by the names of the libraries that have them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub versions: BTreeMap<String, Vec<String>>,
    /// The versions of symbols that it has, such as `GLIBC_2.34`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub defines: Vec<String>,
}

/// Where bytes are read from, at any place.
pub trait Source {
    fn read_at(&self, to: &mut [u8], offset: u64) -> io::Result<usize>;
}

impl Source for File {
    fn read_at(&self, to: &mut [u8], offset: u64) -> io::Result<usize> {
        FileExt::read_at(self, to, offset)
    }
}

impl Source for [u8] {
    fn read_at(&self, to: &mut [u8], offset: u64) -> io::Result<usize> {
        let from = usize::try_from(offset).ok().and_then(|offset| self.get(offset..));
        let from = from.unwrap_or_default();
        let length = from.len().min(to.len());
        to[..length].copy_from_slice(&from[..length]);
        Ok(length)
    }
}

/// What every ELF file begins with.
pub const MAGIC: &[u8] = b"\x7fELF";

/// The most that is read of a table, in bytes; real ones have a few kilobytes.
const LARGEST_TABLE: u64 = 1 << 20;
const LONGEST_NAME: usize = 4096;

/// Reads a file; `None` if it is not dynamically linked, or is damaged.
pub fn read(source: &(impl Source + ?Sized)) -> io::Result<Option<Object>> {
    let Some(file) = Elf::open(source)? else { return Ok(None) };
    file.object()
}

struct Elf<'s, S: Source + ?Sized> {
    source: &'s S,
    header: FileHeader<AnyEndian>,
    segments: Vec<ProgramHeader>,
}

impl<'s, S: Source + ?Sized> Elf<'s, S> {
    fn open(source: &'s S) -> io::Result<Option<Self>> {
        let start = bytes(source, 0, 64)?;
        // `parse_ident` panics when there is less.
        let Some(ident) = start.get(..abi::EI_NIDENT) else { return Ok(None) };
        let Ok(ident) = parse_ident::<AnyEndian>(ident) else { return Ok(None) };
        let length = if ident.1 == Class::ELF64 { 64 } else { 52 };
        let Some(tail) = start.get(abi::EI_NIDENT..length) else { return Ok(None) };
        let Ok(header) = FileHeader::parse_tail(ident, tail) else { return Ok(None) };
        let size = u64::from(header.e_phnum) * u64::from(header.e_phentsize);
        let table = bytes(source, header.e_phoff, size)?;
        let segments = SegmentTable::new(header.endianness, header.class, &table);
        let segments = segments.iter().collect();
        Ok(Some(Elf { source, header, segments }))
    }

    fn object(&self) -> io::Result<Option<Object>> {
        let segment = |kind| self.segments.iter().find(move |segment| segment.p_type == kind);
        let Some(dynamic) = segment(abi::PT_DYNAMIC) else { return Ok(None) };
        let table = bytes(self.source, dynamic.p_offset, dynamic.p_filesz)?;
        let table = DynamicTable::new(self.header.endianness, self.header.class, &table);
        let entries: Vec<(i64, u64)> =
            table.iter().map(|entry| (entry.d_tag, entry.d_val())).collect();
        let first = |tag| entries.iter().find(|(its, _)| *its == tag).map(|(_, value)| *value);
        let Some(names) = first(abi::DT_STRTAB).and_then(|at| self.offset(at)) else {
            return Ok(None);
        };
        let name = |at: u64| self.text(names.saturating_add(at));
        let mut needed = Vec::new();
        for (_, at) in entries.iter().filter(|(tag, _)| *tag == abi::DT_NEEDED) {
            needed.push(name(*at)?);
        }
        let run_path = first(abi::DT_RUNPATH).or_else(|| first(abi::DT_RPATH));
        let run_path = run_path.map(name).transpose()?.unwrap_or_default();
        let folders = run_path.split(':').filter(|folder| !folder.is_empty());
        let interpreter = segment(abi::PT_INTERP).map(|segment| self.text(segment.p_offset));
        let tables = |at, count| first(at).and_then(|at| self.offset(at)).zip(first(count));
        Ok(Some(Object {
            machine: self.header.e_machine,
            needed,
            run_paths: folders.map(str::to_owned).collect(),
            interpreter: interpreter.transpose()?,
            versions: match tables(abi::DT_VERNEED, abi::DT_VERNEEDNUM) {
                Some((at, count)) => self.versions(at, count, &name)?,
                None => BTreeMap::new(),
            },
            defines: match tables(abi::DT_VERDEF, abi::DT_VERDEFNUM) {
                Some((at, count)) => self.defines(at, count, &name)?,
                None => Vec::new(),
            },
        }))
    }

    fn versions(
        &self,
        at: u64,
        count: u64,
        name: &dyn Fn(u64) -> io::Result<String>,
    ) -> io::Result<BTreeMap<String, Vec<String>>> {
        let (order, class) = (self.header.endianness, self.header.class);
        let table = bytes(self.source, at, LARGEST_TABLE)?;
        let mut versions: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (library, all) in VerNeedIterator::new(order, class, count, 0, &table) {
            let of_library = versions.entry(name(u64::from(library.vn_file))?).or_default();
            for version in all.filter(|version| version.vna_flags & abi::VER_FLG_WEAK == 0) {
                of_library.push(name(u64::from(version.vna_name))?);
            }
        }
        Ok(versions)
    }

    fn defines(
        &self,
        at: u64,
        count: u64,
        name: &dyn Fn(u64) -> io::Result<String>,
    ) -> io::Result<Vec<String>> {
        let (order, class) = (self.header.endianness, self.header.class);
        let table = bytes(self.source, at, LARGEST_TABLE)?;
        let mut defines = Vec::new();
        for (version, mut names) in VerDefIterator::new(order, class, count, 0, &table) {
            // The first is the name of the version, and the others are those that it contains. The
            // base version is the library's own name.
            let own = names.next().filter(|_| version.vd_flags & abi::VER_FLG_BASE == 0);
            if let Some(own) = own {
                defines.push(name(u64::from(own.vda_name))?);
            }
        }
        Ok(defines)
    }

    /// Where in the file an address is.
    fn offset(&self, address: u64) -> Option<u64> {
        let is_there = |segment: &&ProgramHeader| {
            segment.p_type == abi::PT_LOAD
                && address >= segment.p_vaddr
                && address - segment.p_vaddr < segment.p_filesz
        };
        let segment = self.segments.iter().find(is_there)?;
        segment.p_offset.checked_add(address - segment.p_vaddr)
    }

    fn text(&self, at: u64) -> io::Result<String> {
        let text = bytes(self.source, at, LONGEST_NAME as u64)?;
        let end = text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
        Ok(String::from_utf8_lossy(&text[..end]).into_owned())
    }
}

/// As many bytes as there are, at most `length`.
fn bytes(source: &(impl Source + ?Sized), at: u64, length: u64) -> io::Result<Vec<u8>> {
    let length = usize::try_from(length.min(LARGEST_TABLE)).unwrap_or_default();
    let mut bytes = vec![0; length];
    let mut filled = 0;
    while filled < length {
        match source.read_at(&mut bytes[filled..], at.saturating_add(filled as u64)) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_program_needs_its_libc() {
        let file = File::open(std::env::current_exe().unwrap()).unwrap();
        let object = read(&file).unwrap().unwrap();
        assert!(object.needed.iter().any(|name| name.starts_with("libc.")), "{object:?}");
        assert!(object.interpreter.is_some_and(|it| it.starts_with('/')));
        let (library, versions) = object.versions.iter().next().unwrap();
        assert!(object.needed.contains(library), "{library}");
        assert!(versions.iter().all(|version| !version.is_empty()), "{versions:?}");
    }

    #[test]
    fn whatever_the_bytes_are_it_ends() {
        let file = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        for length in [0, 3, 4, 16, 63, 64, 65, 1000, 100_000] {
            let _ = read(&file[..length.min(file.len())]).unwrap();
        }
        assert_eq!(read(b"#!/bin/sh\n".as_slice()).unwrap(), None);
        proptest::proptest!(|(at in 16_usize..4096, byte: u8)| {
            let mut lies = file[..1 << 16].to_vec();
            lies[at] = byte;
            let _ = read(lies.as_slice()).unwrap();
        });
    }
}
