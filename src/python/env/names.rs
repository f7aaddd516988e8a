//! The ways in which files write a path, and the same ways of another path.

use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use memchr::memmem::{self, Finder};

/// How much of a file is searched at a time, in bytes.
const PART: usize = 1 << 20;

/// The path of an env in every way that a file may write it, and what to write in its place.
#[derive(Debug)]
pub(super) struct Names {
    pairs: Vec<(Finder<'static>, Vec<u8>)>,
}

impl Names {
    pub(super) fn moving(from: &Path, to: &Path) -> Names {
        let spellings = spellings(from.as_os_str().as_bytes()).into_iter();
        let mut pairs: Vec<(Finder<'static>, Vec<u8>)> = Vec::new();
        for (old, new) in spellings.zip(self::spellings(to.as_os_str().as_bytes())) {
            if pairs.iter().all(|(known, _)| known.needle() != old) {
                pairs.push((Finder::new(&old).into_owned(), new));
            }
        }
        Names { pairs }
    }

    /// Whether what is written in place of a name is as long as the name, so that a file's
    /// lengths and offsets stay right.
    pub(super) fn keep_lengths(&self) -> bool {
        self.pairs.iter().all(|(old, new)| old.needle().len() == new.len())
    }

    pub(super) fn are_in(&self, bytes: &[u8]) -> bool {
        self.end_by(bytes, bytes.len())
    }

    /// Whether one of them ends at or before `last`.
    fn end_by(&self, bytes: &[u8], last: usize) -> bool {
        self.pairs
            .iter()
            .any(|(old, _)| find(old, bytes, 0).is_some_and(|at| at + old.needle().len() <= last))
    }

    /// The same of a file of any size, from where it is read on.
    pub(super) fn are_in_file(&self, file: &mut impl Read) -> io::Result<bool> {
        // A name may lie across two parts, and the byte after it counts too.
        let overlap = self.pairs.iter().map(|(old, _)| old.needle().len() + 1).max().unwrap_or(0);
        let mut bytes = Vec::new();
        loop {
            let read = file.by_ref().take(PART as u64).read_to_end(&mut bytes)?;
            // What comes after a name at the end of this part is not known yet.
            let last = if read == 0 { bytes.len() } else { bytes.len().saturating_sub(1) };
            if self.end_by(&bytes, last) {
                return Ok(true);
            }
            if read == 0 {
                return Ok(false);
            }
            bytes.drain(..bytes.len().saturating_sub(overlap));
        }
    }

    /// The bytes with the new name in place of each old one.
    pub(super) fn rewrite(&self, bytes: &[u8]) -> Vec<u8> {
        let mut current = bytes.to_vec();
        for (old, new) in &self.pairs {
            let mut rewritten = Vec::with_capacity(current.len() + 16);
            let mut done = 0;
            while let Some(at) = find(old, &current, done) {
                rewritten.extend_from_slice(&current[done..at]);
                rewritten.extend_from_slice(new);
                done = at + old.needle().len();
            }
            rewritten.extend_from_slice(&current[done..]);
            current = rewritten;
        }
        current
    }
}

/// Where a name begins, at or after `from`. `envs/5` is also how `envs/57` begins, which is another
/// env's.
fn find(name: &Finder<'_>, bytes: &[u8], mut from: usize) -> Option<usize> {
    loop {
        let at = from + name.find(bytes.get(from..)?)?;
        let end = at + name.needle().len();
        if !bytes.get(end).is_some_and(u8::is_ascii_digit) {
            return Some(at);
        }
        from = end;
    }
}

/// A path as it is, in a URL, in the quotes of a shell, and in a string of Python or JSON. The ways
/// are in the same order for every path.
pub fn spellings(path: &[u8]) -> Vec<Vec<u8>> {
    let escaped = |special: &[u8]| -> Vec<u8> {
        path.iter()
            .flat_map(|byte| {
                let escape = special.contains(byte).then_some(b'\\');
                escape.into_iter().chain([*byte])
            })
            .collect()
    };
    let percent = path.iter().flat_map(|byte| match byte {
        b'/' | b'.' | b'_' | b'-' | b'~' => vec![*byte],
        byte if byte.is_ascii_alphanumeric() => vec![*byte],
        byte => format!("%{byte:02X}").into_bytes(),
    });
    vec![
        path.to_vec(),
        percent.collect(),
        replaced(path, b"'", b"'\"'\"'"),
        replaced(path, b"'", b"'\\''"),
        escaped(b"\"$`\\"),
        escaped(b"\"\\"),
        escaped(b"'\\"),
    ]
}

fn replaced(bytes: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let mut result = Vec::with_capacity(bytes.len());
    let mut done = 0;
    for at in memmem::find_iter(bytes, old) {
        result.extend_from_slice(&bytes[done..at]);
        result.extend_from_slice(new);
        done = at + old.len();
    }
    result.extend_from_slice(&bytes[done..]);
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_across_two_parts_is_found() {
        let names = Names::moving(Path::new("/s/envs/5"), Path::new("/s/envs/12"));
        for shift in 0..12 {
            let mut text = vec![b'x'; PART - shift];
            text.extend_from_slice(b"/s/envs/5/bin");
            assert!(names.are_in_file(&mut text.as_slice()).unwrap(), "{shift}");
            text.truncate(PART - shift + 9);
            text.push(b'7');
            assert!(!names.are_in_file(&mut text.as_slice()).unwrap(), "{shift}");
        }
    }
}
