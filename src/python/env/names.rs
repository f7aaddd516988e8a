//! The ways in which files write a path, and the same ways of another path.

use std::io::{self, Read};
use std::iter;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use memchr::memmem::{self, Finder};

/// How much of a file is searched at a time, in bytes.
const PART: usize = 1 << 20;

/// The path of an env in every way that a file may write it, and what to write in its place.
#[derive(Debug)]
pub(super) struct Names {
    pairs: Vec<(Finder<'static>, Vec<u8>)>,
}

impl Names {
    /// Also of the path that `from` has without any link in it, as `envs` may be one: build tools
    /// ask for that.
    pub(super) fn moving(from: &Path, to: &Path) -> Names {
        let mut pairs: Vec<(Finder<'static>, Vec<u8>)> = Vec::new();
        for (from, to) in iter::once((from.to_owned(), to.to_owned())).chain(canonical(from, to)) {
            let spellings = spellings(from.as_os_str().as_bytes()).into_iter();
            for (old, new) in spellings.zip(self::spellings(to.as_os_str().as_bytes())) {
                if pairs.iter().all(|(known, _)| known.needle() != old) {
                    pairs.push((Finder::new(&old).into_owned(), new));
                }
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

/// Both paths without any link in them. The second one need not be there yet.
fn canonical(from: &Path, to: &Path) -> Option<(PathBuf, PathBuf)> {
    let from = from.canonicalize().ok()?;
    let to = to.parent()?.canonicalize().ok()?.join(to.file_name()?);
    Some((from, to))
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

/// A path as it is, in a URL as Python and as Rust write it, in the quotes of a shell, and in a
/// string of Python or JSON, with and without what is not ASCII. The ways are in the same order for
/// every path.
pub fn spellings(path: &[u8]) -> Vec<Vec<u8>> {
    let escaped = |special: &[u8]| -> Vec<u8> {
        path.iter()
            .flat_map(|byte| {
                let escape = special.contains(byte).then_some(b'\\');
                escape.into_iter().chain([*byte])
            })
            .collect()
    };
    let percent = |is_safe: fn(u8) -> bool| -> Vec<u8> {
        path.iter()
            .flat_map(|byte| {
                if is_safe(*byte) { vec![*byte] } else { format!("%{byte:02X}").into_bytes() }
            })
            .collect()
    };
    vec![
        path.to_vec(),
        // `urllib.parse.quote`
        percent(|byte| byte.is_ascii_alphanumeric() || b"/._-~".contains(&byte)),
        // `Url::from_file_path`: https://url.spec.whatwg.org/#path-percent-encode-set
        percent(|byte| byte.is_ascii_graphic() && !b"\"#%<>?\\^`{}".contains(&byte)),
        percent(|byte| byte.is_ascii_graphic() && !b"\"#%<>?\\`{}".contains(&byte)),
        replaced(path, b"'", b"'\"'\"'"),
        replaced(path, b"'", b"'\\''"),
        escaped(b"\"$`\\"),
        escaped(b"\"\\"),
        escaped(b"'\\"),
        in_ascii(&escaped(b"\"\\"), escaped_in_json),
        in_ascii(&escaped(b"\"\\"), escaped_by_python),
        in_ascii(&escaped(b"'\\"), escaped_by_python),
    ]
}

fn escaped_in_json(character: char) -> String {
    match character.encode_utf16(&mut [0; 2]) {
        [high, low] => format!("\\u{high:04x}\\u{low:04x}"),
        _ => format!("\\u{:04x}", u32::from(character)),
    }
}

fn escaped_by_python(character: char) -> String {
    match u32::from(character) {
        code @ ..0x100 => format!("\\x{code:02x}"),
        code @ ..0x1_0000 => format!("\\u{code:04x}"),
        code => format!("\\U{code:08x}"),
    }
}

/// A text with everything but ASCII as `json.dumps` and `ascii` of Python have it, say.
fn in_ascii(text: &[u8], escape: fn(char) -> String) -> Vec<u8> {
    let Ok(text) = str::from_utf8(text) else { return text.to_vec() };
    let mut ascii = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_ascii() {
            ascii.push(character);
        } else {
            ascii.push_str(&escape(character));
        }
    }
    ascii.into_bytes()
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
    use std::fs;

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

    #[test]
    fn a_path_is_found_as_other_programs_write_it() {
        let envs = "/s/it's b\u{fc}cher \u{1f98c}/envs";
        let names = Names::moving(&Path::new(envs).join("5"), &Path::new(envs).join("12"));
        for written in [
            envs,
            "/s/it's%20b%C3%BCcher%20%F0%9F%A6%8C/envs",
            "/s/it%27s%20b%C3%BCcher%20%F0%9F%A6%8C/envs",
            r"/s/it's b\u00fccher \ud83e\udd8c/envs",
            r"/s/it's b\xfccher \U0001f98c/envs",
            r"/s/it\'s b\xfccher \U0001f98c/envs",
        ] {
            let text = names.rewrite(format!("x {written}/5/share").as_bytes());
            assert_eq!(String::from_utf8(text).unwrap(), format!("x {written}/12/share"));
        }
    }

    #[test]
    fn a_path_without_the_links_in_it_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().canonicalize().unwrap();
        let [envs, disk] = ["envs", "disk"].map(|name| folder.join(name));
        fs::create_dir_all(disk.join("5")).unwrap();
        std::os::unix::fs::symlink(&disk, &envs).unwrap();
        let text = |number| format!("{0}/{number} {1}/{number}", disk.display(), envs.display());
        let names = Names::moving(&envs.join("5"), &envs.join("12"));
        assert_eq!(names.rewrite(text(5).as_bytes()), text(12).as_bytes());
    }
}
